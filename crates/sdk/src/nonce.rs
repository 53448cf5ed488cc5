//! Nonces: random numbers that make a repeated request recognisable.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use trunkline_api::core::ids::Nonce;
use trunkline_api::core::policy::scramble;

thread_local! {
    static STATE: Cell<(u64, u64)> = Cell::new((
        RandomState::new().hash_one(std::process::id()),
        RandomState::new().hash_one(std::thread::current().id()),
    ));
}

/// A new nonce: 128 bits from a counter and two keys that the operating system seeded for this thread.
pub(crate) fn nonce() -> Nonce {
    STATE.with(|state| {
        let (first, second) = state.get();
        state.set((first.wrapping_add(1), second));
        let upper = scramble(scramble(first) ^ second);
        let lower = scramble(scramble(second.wrapping_add(upper)) ^ first);
        Nonce((u128::from(upper) << 64) | u128::from(lower))
    })
}

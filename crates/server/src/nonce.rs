//! Nonces: of a caller's `Idempotency-Key`, or fresh.

use axum::http::HeaderMap;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use trunkline_api::core::code::Code;
use trunkline_api::core::ids::Nonce;
use trunkline_api::name::name;
use trunkline_api::problem::Problem;

/// The header with which a caller makes a repeat of its request recognisable.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The nonce of a request in `scope`: the same again for the same key, else fresh.
///
/// # Errors
/// `TL0006` if the key is no name.
pub(crate) fn of_request(headers: &HeaderMap, scope: &str) -> Result<Nonce, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(Nonce(fresh()));
    };
    let key = key.to_str().map_err(|_| {
        Problem::new(
            Code::NameInvalid,
            "the header `Idempotency-Key` is not visible ASCII",
        )
    })?;
    let key = name("Idempotency-Key", key)?;
    // Fixed keys, as for ids in the core: the nonce is stored, and must be the same after a restart.
    let mut hasher = SipHasher13::new_with_keys(0x6964_656d_706f_7465, 0x6e63_792d_6b65_7931);
    hasher.write_u64(scope.len() as u64);
    hasher.write(scope.as_bytes());
    hasher.write(key.as_bytes());
    Ok(Nonce(hasher.finish128().as_u128()))
}

/// 128 bits that nobody else gets: SipHash of a count under keys that the operating system chose for this process.
pub(crate) fn fresh() -> u128 {
    static KEYS: LazyLock<[RandomState; 2]> =
        LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let [high, low] = KEYS.each_ref().map(|keys| keys.hash_one(count));
    u128::from(high) << 64 | u128::from(low)
}

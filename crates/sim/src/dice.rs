//! Randomness that a seed decides: streams of numbers, and numbers that depend on names alone.
//!
//! A script that asks [`chance`] about something with a name (this job, its third attempt) gets the same answer whatever
//! else happens. So a plan that has lost some of its steps goes on much like the whole one, which is what shrinking needs.

use trunkline_core::policy::scramble;

/// A stream of random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The stream `salt` of `seed`. Streams of different salts know nothing of each other.
    #[must_use]
    pub fn new(seed: u64, salt: u64) -> Self {
        Self(mix(&[seed, salt]))
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// A number below `below`, which is not zero. The bias does not matter here.
    pub fn below(&mut self, below: u64) -> u64 {
        self.roll() % below
    }

    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// True in `percent` of a hundred cases.
    pub fn percent(&mut self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// A number that `parts` decide.
#[must_use]
pub fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x7472_756e_6b6c_696e, |mixed, part| {
        scramble(mixed ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    })
}

/// True in `percent` of a hundred cases; `parts` decide.
#[must_use]
pub fn chance(percent: u8, parts: &[u64]) -> bool {
    mix(parts) % 100 < u64::from(percent)
}

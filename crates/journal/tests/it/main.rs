//! What the journal, the store and the data folder promise together, on the simulated disk.

#![expect(
    clippy::unwrap_used,
    reason = "this is a test, also where clippy does not see it"
)]

mod crash;
mod damage;
mod faults;
mod world;

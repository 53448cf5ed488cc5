//! What the journal, the store and the data folder promise together, on the simulated disk.

mod crash;
mod damage;
mod faults;
mod world;

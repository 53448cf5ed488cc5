//! The durable, ordered log of commits, and the store that checkpoints go to.

//! `trunkline doctor`: what is wrong, in words. It looks and changes nothing.

pub(crate) mod folder;
pub(crate) mod server;

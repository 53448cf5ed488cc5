//! The attribute macros of the Trunkline SDK.

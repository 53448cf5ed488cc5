//! The Rust SDK of Trunkline: client, worker and workflow code.

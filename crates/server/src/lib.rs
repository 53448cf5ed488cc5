//! The HTTP server of Trunkline: API, worker connections, metrics.

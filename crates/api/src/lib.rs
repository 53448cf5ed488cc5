//! The wire types of Trunkline: HTTP bodies, frames of the worker protocol, error codes.

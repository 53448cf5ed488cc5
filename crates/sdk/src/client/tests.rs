//! The client against a scripted engine.

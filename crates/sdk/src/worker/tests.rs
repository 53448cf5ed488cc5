//! The worker against a scripted engine.

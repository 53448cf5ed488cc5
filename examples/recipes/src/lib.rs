//! Recipes: what people build most often with durable workflows. Each module is one: contract, workflow, and the test that
//! proves it, on an engine in memory whose clock skips. `docs/guides/recipes.md` walks through them.

#![warn(missing_docs)]

pub mod approval;
pub mod cron;
pub mod fan_out;
pub mod intake;
pub mod loyalty;
pub mod saga;
pub mod webhook;

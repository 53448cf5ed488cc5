//! The pure heart of Trunkline: rows, inputs, effects and the state machines between them.

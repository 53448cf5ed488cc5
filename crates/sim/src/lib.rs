//! Simulated clients, workers and connectors, and the checkers of the guarantees.

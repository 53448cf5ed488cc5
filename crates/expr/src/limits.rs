//! How much an expression may be, and cost.

/// The limits of expressions. [`Limits::default`] is what Trunkline uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of the source.
    pub source_bytes_max: usize,
    /// Nodes of the parsed tree, macros expanded.
    pub nodes_max: usize,
    /// Levels of the parsed tree, macros expanded.
    pub depth_max: usize,
    /// Comprehensions within comprehensions.
    pub nesting_max: usize,
    /// Steps of one evaluation: an operator, a function or a round of a comprehension is one, and more if what it works on is
    /// long.
    pub steps_max: u64,
    /// Bytes of the result as JSON.
    pub result_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source_bytes_max: 4 << 10,
            nodes_max: 1_000,
            depth_max: 32,
            nesting_max: 2,
            steps_max: 1_000_000,
            result_bytes_max: 1 << 20,
        }
    }
}

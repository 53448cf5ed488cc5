//! Programs: what workflow code can do, as data.

use serde::{Deserialize, Serialize};

/// Counters of a program; each has a channel.
pub(crate) const COUNTERS: usize = 4;

/// One thing that a program does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Op {
    /// Sets a counter.
    Set { counter: usize, to: i64 },
    /// Adds to a counter.
    Add { counter: usize, n: i64 },
    /// Calls a task that fails so often before it returns `n`, which is added; if the attempts do not suffice, `n` is
    /// subtracted instead. A `fatal` failure is not tried again.
    Task {
        counter: usize,
        n: i64,
        failures: u32,
        attempts: u32,
        fatal: bool,
    },
    /// Calls a task that never returns, with a time-out; adds 1 when it comes.
    Hang { counter: usize, ms: u64 },
    /// Calls several tasks at once, and adds what they return.
    Tasks { counter: usize, ns: Vec<i64> },
    /// Calls a task and lets it go.
    Detach { n: i64 },
    /// Runs a step, which waits or not, and adds what it returns.
    Step { counter: usize, n: i64, waits: bool },
    /// Waits.
    Sleep { ms: u64 },
    /// Adds the next signal of the counter's channel.
    Receive { counter: usize },
    /// Waits for a signal that never comes; adds 1 when it gives up.
    ReceiveNothing { counter: usize, ms: u64 },
    /// Lets two timers race; adds 1 if the first wins and 2 if the second does. They are never the same.
    Race {
        counter: usize,
        first_ms: u64,
        second_ms: u64,
    },
    /// Does several things at once. Each has counters of its own.
    All { branches: Vec<Vec<Self>> },
    /// Does each thing, with a task that would undo it. If it `fails` at its end, all of it is undone, and `counter` gets 1.
    Saga {
        counter: usize,
        steps: Vec<Self>,
        fails: bool,
    },
}

/// How a program ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Ending {
    /// It returns its counters.
    Returns,
    /// It returns an error.
    Fails,
    /// It waits until it is cancelled, and cleans up with a task.
    IsCancelled,
}

/// A program.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) ops: Vec<Op>,
    pub(crate) ending: Ending,
}

/// The value of signal `number` of the channel of `counter`.
pub(crate) fn signal_value(counter: usize, number: usize) -> i64 {
    (7 * number + counter + 1) as i64
}

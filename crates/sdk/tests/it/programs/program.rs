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
    /// Sends itself a signal among others, and picks it out; adds what it says.
    Note { counter: usize, n: i64 },
    /// Lets a task race against a timer that is too slow; adds what the task returns.
    Outrun { counter: usize, n: i64 },
    /// Lets a task that never returns race against a timer; adds 1 when the timer wins.
    GiveUp { counter: usize, ms: u64 },
    /// Calls a method of its own that does several things. Adds `n`, or subtracts it if the method fails after them.
    Method {
        counter: usize,
        ops: Vec<Self>,
        n: i64,
        fails: bool,
    },
    /// Calls a method of its own as others do; waits for it or lets it go.
    Visit { visit: Visit, waits: bool },
    /// Starts a child, and sends it what it waits for.
    Child {
        counter: usize,
        name: u32,
        program: Box<Program>,
        fate: Fate,
    },
    /// Continues as new with what follows. Only among the ops of a program itself.
    Again,
}

/// What becomes of a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Fate {
    /// It is awaited. Adds the sum of its counters, or 1 if it fails.
    Awaited,
    /// It is let go, and outlives its parent if need be.
    Abandoned,
    /// It waits, and is cancelled because its parent ends or continues as new.
    Left,
    /// It waits, is cancelled, and awaited; adds 2.
    Cancelled,
}

/// A method that adds `n` to what visits leave, waits, calls a task or not, and adds `n` again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub(crate) n: i64,
    pub(crate) ms: u64,
    pub(crate) task: bool,
    pub(crate) fails: bool,
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
    /// It is cancelled, or terminated, at any moment once so many of its ops are done, and undoes these when it is cancelled.
    /// If it is quicker, it returns its counters.
    IsCut { after: u64, terminated: bool },
}

impl Ending {
    /// True if what it does may be ended in the middle.
    pub(crate) fn is_cut(self) -> bool {
        matches!(self, Self::IsCut { .. })
    }
}

/// A program.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) ops: Vec<Op>,
    pub(crate) ending: Ending,
    /// Methods that clients call while it runs. It waits until all of them have been called.
    #[serde(default)]
    pub(crate) visits: Vec<Visit>,
}

impl Program {
    /// Its children, by their names, and theirs, by both names.
    pub(crate) fn children(&self) -> Vec<(String, Self)> {
        let mut all = Vec::new();
        for op in &self.ops {
            op.children(&mut all);
        }
        all
    }

    /// Signals that it receives, by channel.
    pub(crate) fn signals(&self) -> [usize; COUNTERS] {
        let mut signals = [0; COUNTERS];
        for op in &self.ops {
            op.signals(&mut signals);
        }
        signals
    }
}

impl Op {
    /// The ops inside.
    pub(crate) fn inside(&self) -> Vec<Vec<Self>> {
        match self {
            Self::All { branches } => branches.clone(),
            Self::Saga { steps: ops, .. } | Self::Method { ops, .. } => vec![ops.clone()],
            _ => Vec::new(),
        }
    }

    fn children(&self, all: &mut Vec<(String, Program)>) {
        if let Self::Child { name, program, .. } = self {
            all.push((format!(".{name}"), (**program).clone()));
            let theirs = program.children().into_iter();
            all.extend(theirs.map(|(below, program)| (format!(".{name}{below}"), program)));
        }
        for op in self.inside().iter().flatten() {
            op.children(all);
        }
    }

    fn signals(&self, signals: &mut [usize; COUNTERS]) {
        if let Self::Receive { counter } = self {
            signals[*counter] += 1;
        }
        for op in self.inside().iter().flatten() {
            op.signals(signals);
        }
    }
}

/// The value of signal `number` of the channel of `counter`.
pub(crate) fn signal_value(counter: usize, number: usize) -> i64 {
    (7 * number + counter + 1) as i64
}

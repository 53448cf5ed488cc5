//! The model: what must come of a program. It knows nothing of turns, histories, workers or time.

use super::program::{COUNTERS, Ending, Op, Program, signal_value};
use std::collections::BTreeMap;

/// What must come of a program.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) counters: [i64; COUNTERS],
    /// Signals that it receives, by channel.
    pub(crate) signals: [usize; COUNTERS],
    /// What the outside world sees, each with its number of attempts, and how often.
    pub(crate) effects: BTreeMap<(String, u32), usize>,
    /// What each saga undoes, in order.
    pub(crate) undone: Vec<Vec<String>>,
}

/// A mistake in the model, to see that the harness finds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Mistake {
    #[default]
    None,
    /// Failed sagas are not undone.
    NothingIsUndone,
    /// The longer of two timers wins.
    LongerTimerWins,
    /// A failed attempt is not tried again.
    NoRetries,
    /// Every channel loses its second signal.
    SignalsGetLost,
}

pub(crate) fn expect(program: &Program, mistake: Mistake) -> Expected {
    let mut model = Model {
        expected: Expected::default(),
        mistake,
    };
    model.all(&program.ops);
    if program.ending == Ending::IsCancelled {
        model.effect("clean up", 1);
        model.expected.counters[0] += 1_000;
    }
    model.expected
}

struct Model {
    expected: Expected,
    mistake: Mistake,
}

impl Model {
    fn all(&mut self, ops: &[Op]) {
        for op in ops {
            self.one(op);
        }
    }

    fn add(&mut self, counter: usize, n: i64) {
        self.expected.counters[counter] += n;
    }

    fn effect(&mut self, what: impl Into<String>, attempts: u32) {
        *self
            .expected
            .effects
            .entry((what.into(), attempts))
            .or_default() += 1;
    }

    fn one(&mut self, op: &Op) {
        match op {
            Op::Set { counter, to } => self.expected.counters[*counter] = *to,
            Op::Add { counter, n } => self.add(*counter, *n),
            Op::Task {
                counter,
                n,
                failures,
                attempts,
                fatal,
            } => {
                let attempts = match self.mistake {
                    Mistake::NoRetries => 1,
                    _ if *fatal => 1,
                    _ => *attempts,
                };
                let succeeds = *failures < attempts;
                self.add(*counter, if succeeds { *n } else { -*n });
                self.effect(format!("task {n}"), attempts.min(*failures + 1));
            }
            Op::Hang { counter, .. } => {
                self.add(*counter, 1);
                self.effect("hang", 1);
            }
            Op::Tasks { counter, ns } => {
                for n in ns {
                    self.add(*counter, *n);
                    self.effect(format!("task {n}"), 1);
                }
            }
            Op::Detach { n } => self.effect(format!("task {n}"), 1),
            Op::Step { counter, n, .. } => self.add(*counter, *n),
            Op::Sleep { .. } => {}
            Op::Receive { counter } => {
                let number = self.expected.signals[*counter];
                self.expected.signals[*counter] += 1;
                if self.mistake != Mistake::SignalsGetLost || number != 1 {
                    self.add(*counter, signal_value(*counter, number));
                }
            }
            Op::ReceiveNothing { counter, .. } => self.add(*counter, 1),
            Op::Race {
                counter,
                first_ms,
                second_ms,
            } => {
                let first = (first_ms < second_ms) != (self.mistake == Mistake::LongerTimerWins);
                self.add(*counter, if first { 1 } else { 2 });
            }
            Op::All { branches } => branches.iter().for_each(|branch| self.all(branch)),
            Op::Saga {
                counter,
                steps,
                fails,
            } => {
                self.all(steps);
                if *fails && self.mistake != Mistake::NothingIsUndone {
                    self.add(*counter, 1);
                    let undone: Vec<String> = (0..steps.len())
                        .rev()
                        .map(|step| format!("undo {step}"))
                        .collect();
                    for what in &undone {
                        self.effect(what, 1);
                    }
                    if !undone.is_empty() {
                        self.expected.undone.push(undone);
                    }
                }
            }
        }
    }
}

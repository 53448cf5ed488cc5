//! The model: what must come of a program. It knows nothing of turns, histories, workers or time.

use super::program::{COUNTERS, Ending, Fate, Op, Program, Visit, signal_value};
use std::collections::BTreeMap;

/// What tasks did, each with its number of attempts, and how often.
pub(crate) type Effects = BTreeMap<(String, u32), usize>;

/// What must come of a program.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) counters: [i64; COUNTERS],
    /// What methods leave.
    pub(crate) visited: i64,
    /// What the outside world sees.
    pub(crate) effects: Effects,
    /// What it may see besides, with as many attempts or fewer: of what was cut.
    pub(crate) perhaps: Effects,
    /// What each saga undoes, in order.
    pub(crate) undone: Vec<Vec<String>>,
}

impl Expected {
    /// Adds what another run does to the outside world.
    pub(crate) fn and_outside(&mut self, other: Self) {
        for (effect, count) in other.effects {
            *self.effects.entry(effect).or_default() += count;
        }
        for (effect, count) in other.perhaps {
            *self.perhaps.entry(effect).or_default() += count;
        }
        self.undone.extend(other.undone);
    }
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
    /// A child that fails has returned nothing.
    ChildrenDoNotFail,
    /// A run that continues as new forgets what methods left.
    GenerationsForget,
    /// Methods that fail have done nothing.
    FailedMethodsDoNothing,
    /// What was cut is undone first to last.
    UndoneForwards,
}

/// What must come of a program by itself, without its children.
pub(crate) fn expect(program: &Program, mistake: Mistake) -> Expected {
    let mut model = Model::new(mistake);
    model.all(&program.ops);
    for visit in &program.visits {
        model.visit(*visit);
    }
    if program.ending == Ending::IsCancelled {
        model.effect("clean up", 1);
        model.expected.counters[0] += 1_000;
    }
    model.expected
}

/// What must come of a program that was cut when so many of its ops were `done`, and undid them unless it was too late for that.
pub(crate) fn expect_cut(
    program: &Program,
    done: usize,
    is_undone: bool,
    mistake: Mistake,
) -> Expected {
    let mut model = Model::new(mistake);
    model.all(&program.ops[..done]);
    if let Some(op) = program.ops.get(done) {
        let mut cut = Model::new(mistake);
        cut.received = model.received;
        cut.one(op);
        model.expected.perhaps = cut.expected.effects;
    }
    if is_undone {
        model.undo(done);
        if mistake == Mistake::UndoneForwards {
            model
                .expected
                .undone
                .iter_mut()
                .for_each(|undone| undone.reverse());
        }
    }
    model.expected
}

struct Model {
    expected: Expected,
    /// Signals received so far, by channel.
    received: [usize; COUNTERS],
    mistake: Mistake,
}

impl Model {
    fn new(mistake: Mistake) -> Self {
        Self {
            expected: Expected::default(),
            received: [0; COUNTERS],
            mistake,
        }
    }

    fn all(&mut self, ops: &[Op]) {
        for op in ops {
            self.one(op);
        }
    }

    fn add(&mut self, counter: usize, n: i64) {
        self.expected.counters[counter] += n;
    }

    fn effect(&mut self, what: impl Into<String>, attempts: u32) {
        let effect = (what.into(), attempts);
        *self.expected.effects.entry(effect).or_default() += 1;
    }

    fn undo(&mut self, steps: usize) {
        let undone: Vec<String> = (0..steps)
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

    fn visit(&mut self, visit: Visit) {
        if visit.fails && self.mistake == Mistake::FailedMethodsDoNothing {
            return;
        }
        self.expected.visited += 2 * visit.n;
        if visit.task {
            self.effect(format!("task {}", visit.n), 1);
        }
    }

    fn one(&mut self, op: &Op) {
        match op {
            Op::Set { counter, to } => self.expected.counters[*counter] = *to,
            Op::Add { counter, n } | Op::Step { counter, n, .. } | Op::Note { counter, n } => {
                self.add(*counter, *n);
            }
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
            Op::Outrun { counter, n } => {
                self.add(*counter, *n);
                self.effect(format!("task {n}"), 1);
            }
            Op::Hang { counter, .. } | Op::GiveUp { counter, .. } => {
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
            Op::Sleep { .. } => {}
            Op::Receive { counter } => {
                let number = self.received[*counter];
                self.received[*counter] += 1;
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
                    self.undo(steps.len());
                }
            }
            Op::Method {
                counter,
                ops,
                n,
                fails,
            } => {
                self.all(ops);
                self.add(*counter, if *fails { -*n } else { *n });
            }
            Op::Visit { visit, .. } => self.visit(*visit),
            Op::Child {
                counter,
                program,
                fate,
                ..
            } => {
                let n = match (fate, program.ending) {
                    (Fate::Abandoned | Fate::Left, _) => 0,
                    (Fate::Cancelled, _) => 2,
                    (Fate::Awaited, Ending::Fails)
                        if self.mistake != Mistake::ChildrenDoNotFail =>
                    {
                        1
                    }
                    (Fate::Awaited, _) => expect(program, self.mistake).counters.iter().sum(),
                };
                self.add(*counter, n);
            }
            Op::Again => {
                if self.mistake == Mistake::GenerationsForget {
                    self.expected.visited = 0;
                }
            }
        }
    }
}

//! Programs from a seed.

use super::program::{COUNTERS, Ending, Fate, Op, Program, Visit};

/// A small generator of random numbers (SplitMix64): the same on every machine and in every version.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// Ops that a program has at most, those inside others and those of its children counted.
const OPS_MAX: u64 = 12;
/// How deep ops lie within ops, and children within children.
const DEPTH_MAX: u32 = 3;

impl Program {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let room = 1 + rng.below(OPS_MAX);
        let mut making = Making {
            rng,
            room,
            names: 0,
            deep: true,
        };
        let ending = match making.rng.below(20) {
            0 | 1 => Ending::Fails,
            2 | 3 => Ending::IsCancelled,
            4..=6 => {
                let after = making.rng.below(room.min(6));
                let terminated = making.rng.one_in(4);
                return making.cut(Ending::IsCut { after, terminated }, 0);
            }
            _ => Ending::Returns,
        };
        let mut program = making.whole(ending, 0);
        if making.rng.one_in(5) {
            // Who called a method before the run continued as new is told so, and nothing more.
            program.ops.retain(|op| *op != Op::Again);
            let count = 1 + making.rng.below(4);
            program.visits = (0..count).map(|_| making.visit()).collect();
        }
        program
    }
}

fn let_nothing_go(op: &mut Op) {
    match op {
        Op::Detach { .. } => *op = Op::Sleep { ms: 0 },
        Op::Visit { waits, .. } => *waits = true,
        Op::All { branches } => branches.iter_mut().flatten().for_each(let_nothing_go),
        Op::Saga { steps: ops, .. } | Op::Method { ops, .. } => {
            ops.iter_mut().for_each(let_nothing_go);
        }
        _ => {}
    }
}

fn small(rng: &mut Rng) -> i64 {
    rng.below(200) as i64 - 50
}

fn span(rng: &mut Rng) -> u64 {
    // From nothing to months; often the same, so that deadlines meet.
    rng.pick(&[
        0,
        1,
        10,
        1_000,
        1_000,
        60_000,
        3_600_000,
        86_400_000,
        30 * 86_400_000,
    ])
}

/// A program that is being made.
struct Making<'a> {
    rng: &'a mut Rng,
    /// Ops that may still be added.
    room: u64,
    /// Names of children given away.
    names: u32,
    /// True if there may be ops within ops.
    deep: bool,
}

impl Making<'_> {
    /// A program that goes its way undisturbed until its end.
    fn whole(&mut self, ending: Ending, depth: u32) -> Program {
        let counters: Vec<usize> = (0..COUNTERS).collect();
        let mut ops = self.ops(&counters, depth);
        if ops.len() > 1 && self.rng.one_in(8) {
            let at = self.rng.below(ops.len() as u64) as usize;
            ops.insert(at, Op::Again);
        }
        if ending != Ending::Returns || ops.contains(&Op::Again) {
            // What was let go is abandoned when the run does not complete, sooner or later than it is done.
            ops.iter_mut().for_each(let_nothing_go);
        }
        Program {
            ops,
            ending,
            visits: Vec::new(),
        }
    }

    /// A program that may be ended between any two of its steps: every op is done or not.
    fn cut(&mut self, ending: Ending, depth: u32) -> Program {
        let deep = std::mem::replace(&mut self.deep, false);
        let counters: Vec<usize> = (0..COUNTERS).collect();
        let mut ops = Vec::new();
        while self.room > 0 && (depth == 0 || ops.len() < 3) {
            self.room -= 1;
            if depth < 2 && self.room > 0 && self.rng.one_in(6) {
                let ending = Ending::IsCut {
                    after: u64::MAX,
                    terminated: false,
                };
                ops.push(Op::Child {
                    counter: self.rng.pick(&counters),
                    name: self.name(),
                    program: Box::new(self.cut(ending, depth + 1)),
                    fate: Fate::Awaited,
                });
            } else {
                ops.push(self.op(&counters, depth));
            }
        }
        ops.iter_mut().for_each(let_nothing_go);
        self.deep = deep;
        Program {
            ops,
            ending,
            visits: Vec::new(),
        }
    }

    fn name(&mut self) -> u32 {
        self.names += 1;
        self.names
    }

    fn visit(&mut self) -> Visit {
        Visit {
            n: small(self.rng),
            ms: span(self.rng),
            task: self.rng.one_in(2),
            fails: self.rng.one_in(4),
        }
    }

    fn ops(&mut self, counters: &[usize], depth: u32) -> Vec<Op> {
        let count = 1 + self.rng.below(5);
        let mut ops = Vec::new();
        while self.room > 0 && (depth == 0 || (ops.len() as u64) < count) {
            self.room -= 1;
            ops.push(self.op(counters, depth));
        }
        ops
    }

    fn op(&mut self, counters: &[usize], depth: u32) -> Op {
        let rng = &mut *self.rng;
        let counter = rng.pick(counters);
        let n = small(rng);
        let ms = span(rng);
        let kinds = match self.deep {
            true if depth < DEPTH_MAX && self.room > 0 => 21,
            true => 16,
            false => 15,
        };
        match rng.below(kinds) {
            0 => Op::Set { counter, to: n },
            1 => Op::Add { counter, n },
            2 | 3 => Op::Task {
                counter,
                n,
                failures: rng.pick(&[0, 0, 1, 2, 4]),
                attempts: rng.pick(&[1, 2, 3, 5]),
                fatal: rng.one_in(4),
            },
            4 => Op::Hang {
                counter,
                ms: ms.max(1),
            },
            5 => Op::Tasks {
                counter,
                ns: (0..=rng.below(5)).map(|_| small(rng)).collect(),
            },
            6 => Op::Detach { n },
            7 => Op::Step {
                counter,
                n,
                waits: rng.one_in(2),
            },
            8 => Op::Sleep { ms },
            9 => Op::Receive { counter },
            10 => Op::ReceiveNothing { counter, ms },
            11 => {
                let second_ms = span(rng);
                let first_ms = if ms == second_ms { ms + 1 } else { ms };
                Op::Race {
                    counter,
                    first_ms,
                    second_ms,
                }
            }
            12 => Op::Note { counter, n },
            13 => Op::Outrun { counter, n },
            14 => Op::GiveUp {
                counter,
                ms: ms.max(1),
            },
            15 => Op::Visit {
                waits: rng.one_in(2),
                visit: self.visit(),
            },
            16 | 17 => {
                let (mine, others) = counters.split_at(counters.len().div_ceil(2));
                let mut branches = vec![self.ops(mine, depth + 1)];
                if !others.is_empty() {
                    branches.push(self.ops(others, depth + 1));
                }
                Op::All { branches }
            }
            18 => Op::Saga {
                counter,
                fails: rng.one_in(2),
                steps: self.ops(counters, depth + 1),
            },
            19 => Op::Method {
                counter,
                n,
                fails: rng.one_in(3),
                ops: self.ops(counters, depth + 1),
            },
            _ => self.child(counter, depth),
        }
    }

    fn child(&mut self, counter: usize, depth: u32) -> Op {
        let fate = self.rng.pick(&[
            Fate::Awaited,
            Fate::Awaited,
            Fate::Abandoned,
            Fate::Left,
            Fate::Cancelled,
        ]);
        let ending = match fate {
            Fate::Left | Fate::Cancelled => Ending::IsCancelled,
            _ if self.rng.one_in(3) => Ending::Fails,
            _ => Ending::Returns,
        };
        Op::Child {
            counter,
            name: self.name(),
            program: Box::new(self.whole(ending, depth + 1)),
            fate,
        }
    }
}

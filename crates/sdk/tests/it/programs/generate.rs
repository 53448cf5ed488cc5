//! Programs from a seed.

use super::program::{COUNTERS, Ending, Op, Program};

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

/// Ops that a program has at most, those inside others counted.
const OPS_MAX: u64 = 12;

impl Program {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let mut room = 1 + rng.below(OPS_MAX);
        let counters: Vec<usize> = (0..COUNTERS).collect();
        let ending = match rng.below(10) {
            0 => Ending::Fails,
            1 => Ending::IsCancelled,
            _ => Ending::Returns,
        };
        let mut ops = ops(rng, &mut room, &counters, 0);
        if ending != Ending::Returns {
            // What was let go is abandoned when the run does not complete, sooner or later than it is done.
            ops.iter_mut().for_each(let_nothing_go);
        }
        Self { ops, ending }
    }
}

fn let_nothing_go(op: &mut Op) {
    match op {
        Op::Detach { .. } => *op = Op::Sleep { ms: 0 },
        Op::All { branches } => branches.iter_mut().flatten().for_each(let_nothing_go),
        Op::Saga { steps, .. } => steps.iter_mut().for_each(let_nothing_go),
        _ => {}
    }
}

fn ops(rng: &mut Rng, room: &mut u64, counters: &[usize], depth: u32) -> Vec<Op> {
    let count = 1 + rng.below(5);
    let mut ops = Vec::new();
    while *room > 0 && (depth == 0 || (ops.len() as u64) < count) {
        *room -= 1;
        ops.push(op(rng, room, counters, depth));
    }
    ops
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

fn small(rng: &mut Rng) -> i64 {
    rng.below(200) as i64 - 50
}

fn op(rng: &mut Rng, room: &mut u64, counters: &[usize], depth: u32) -> Op {
    let counter = rng.pick(counters);
    let n = small(rng);
    let ms = span(rng);
    let kinds = if depth < 3 && *room > 0 { 16 } else { 12 };
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
        12 | 13 => {
            let (mine, others) = counters.split_at(counters.len().div_ceil(2));
            let mut branches = vec![ops(rng, room, mine, depth + 1)];
            if !others.is_empty() {
                branches.push(ops(rng, room, others, depth + 1));
            }
            Op::All { branches }
        }
        _ => Op::Saga {
            counter,
            steps: ops(rng, room, counters, depth + 1),
            fails: rng.one_in(2),
        },
    }
}

//! Shared limiters: what destinations on all shards have to keep to together. They live on one shard, the first, so that all that
//! a call needs are asked at once, and none is held while another is waited for.
//!
//! ```text
//! destination's shard                        first shard
//!   jobs are ready ──── WantPermits ───────▶ stands in line with the others
//!   they leave     ◀─── Permits ──────────── all its limiters admit: reserved in the same commit
//!   left, or not   ──── PermitsDone ───────▶ used, or given back; later: its calls have ended
//! ```
//!
//! A permit is used at once or given back at once. Between grant and report it counts as if it were used at the worst moment
//! (see [`Allowance`]), and messages are durable and taken once: so no limit is exceeded, whoever dies when.

use super::Shard;
use crate::allowance::{Allowance, NOT_BY_TIME, Used};
use crate::code::Code;
use crate::egress::{Limiter, LimiterUse};
use crate::ids::ShardId;
use crate::input::PermitWait;
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::peer::{LimiterStatus, Rejection, Reply};
use crate::row::Kind;
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

mod granting;

/// The shard that the shared limiters live on.
pub(crate) const HOME: ShardId = ShardId(0);
/// Limiters in all.
const LIMITERS_MAX: usize = 10_000;

/// The jobs of a destination that need the same limiters: all, or those with an action.
pub(super) type Line = (Name, Option<Name>);

/// The shared limiters of the node.
#[derive(Debug, Default)]
pub(crate) struct Limiters {
    held: BTreeMap<Name, Held>,
    lines: BTreeMap<Line, LineRow>,
    /// Lines with jobs that wait: the next one first.
    round: VecDeque<Line>,
    changed: BTreeSet<Name>,
    changed_lines: BTreeSet<Line>,
    /// Nobody has looked yet at what may be granted since the shard was opened.
    opened: bool,
}

/// A limiter in memory.
#[derive(Debug)]
struct Held {
    row: LimiterRow,
    /// As the row has it, and newer until the batch is sealed.
    allowance: Allowance,
}

/// A limiter and how it stands.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LimiterRow {
    /// The limiter.
    #[n(0)]
    pub limiter: Limiter,
    /// Where its rate stands.
    #[n(1)]
    pub due_us: u64,
    /// What is used of its quotas.
    #[n(2)]
    pub used: Vec<Used>,
    /// Somebody asked for patience until then.
    #[n(3)]
    pub held_until: Timestamp,
    /// How much is granted, and neither used nor given back.
    #[n(4)]
    pub reserved: u64,
    /// Calls granted that have not ended.
    #[n(5)]
    pub in_flight: u64,
    /// Calls that have left with its permits, since it was made.
    #[n(6)]
    pub calls: u64,
}

/// What the jobs of a destination that need the same limiters have and want.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LineRow {
    /// The destination.
    #[n(0)]
    pub destination: Name,
    /// Only the jobs with this action.
    #[n(1)]
    pub action: Option<Name>,
    /// What they need, as it was granted.
    #[n(2)]
    pub uses: Vec<LimiterUse>,
    /// What they need from when nothing is out any more.
    #[n(3)]
    pub next_uses: Option<Vec<LimiterUse>>,
    /// Permits that are wanted.
    #[n(4)]
    pub wanted: u32,
    /// Permits granted, and neither used nor given back.
    #[n(5)]
    pub granted: u32,
    /// Calls that have not ended.
    #[n(6)]
    pub in_flight: u32,
}

impl LineRow {
    fn is_empty(&self) -> bool {
        self.wanted == 0 && self.is_clear()
    }

    fn is_clear(&self) -> bool {
        self.granted == 0 && self.in_flight == 0
    }

    fn uses(&self, name: &Name) -> bool {
        let next = self.next_uses.iter().flatten();
        self.uses.iter().chain(next).any(|it| it.limiter == *name)
    }
}

impl Held {
    fn new(row: LimiterRow) -> Self {
        let quotas = row.limiter.quotas.as_deref().unwrap_or_default();
        Self {
            allowance: Allowance::new(row.limiter.rate, quotas, row.due_us, &row.used),
            row,
        }
    }

    /// Why a call of this cost may not be granted now, if it may not.
    fn obstacle(&self, now: Timestamp, cost: u64) -> Option<Obstacle> {
        let Limiter { concurrency, .. } = self.row.limiter;
        if concurrency.is_some_and(|most| self.row.in_flight >= u64::from(most)) {
            return Some(Obstacle::Full);
        }
        let used = self.allowance.wait_until(now, self.row.reserved, cost);
        if self.row.held_until > now && used.is_none_or(|until| until < self.row.held_until) {
            return Some(Obstacle::Patience(self.row.held_until));
        }
        used.map(Obstacle::Used)
    }

    /// What keeps a call of this cost back, for a person.
    fn in_words(&self, now: Timestamp, cost: u64, obstacle: Obstacle) -> PermitWait {
        let limiter = &self.row.limiter;
        let why = match obstacle {
            Obstacle::Full => {
                let most = limiter.concurrency.unwrap_or_default();
                format!("its concurrency limit of {most}")
            }
            Obstacle::Patience(_) => String::from("patience that was asked for"),
            Obstacle::Used(_) => {
                // What is reserved will most likely have been used now.
                let mut likely = self.allowance.clone();
                likely.count(now, self.row.reserved);
                let until = likely.wait_until(now, 0, cost);
                let why = match likely.exhausted(now, 0, cost) {
                    Some(quota) => format!("its quota of {} in {} ms", quota.calls, quota.per_ms),
                    None => String::from("its rate limit"),
                };
                return self.wait(&why, until.filter(|until| *until != NOT_BY_TIME));
            }
        };
        self.wait(&why, obstacle.until())
    }

    fn wait(&self, why: &str, until: Option<Timestamp>) -> PermitWait {
        let name = &self.row.limiter.name;
        PermitWait {
            words: Name::from(format!("the shared limiter `{name}`: {why}")),
            until,
        }
    }

    fn status(&self, now: Timestamp, waiting: u64) -> LimiterStatus {
        let row = &self.row;
        LimiterStatus {
            limiter: row.limiter.clone(),
            reserved: row.reserved,
            in_flight: row.in_flight,
            waiting,
            next_at: self.obstacle(now, 1).and_then(Obstacle::until),
            held_until: (row.held_until > now).then_some(row.held_until),
            calls: row.calls,
        }
    }
}

/// Why a limiter does not admit a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Obstacle {
    /// As many calls are under way as may be.
    Full,
    /// Somebody asked for patience until then.
    Patience(Timestamp),
    /// Its rate or a quota is used up until then.
    Used(Timestamp),
}

impl Obstacle {
    /// When time alone takes it away.
    fn until(self) -> Option<Timestamp> {
        match self {
            Self::Full => None,
            Self::Patience(until) | Self::Used(until) => (until != NOT_BY_TIME).then_some(until),
        }
    }
}

impl Limiters {
    /// Permits that are wanted and not granted.
    pub(crate) fn waiting(&self) -> u64 {
        self.lines.values().map(|line| u64::from(line.wanted)).sum()
    }

    /// Permits with which calls have left, each counted by every limiter that granted it.
    pub(crate) fn used(&self) -> u64 {
        self.held.values().map(|held| held.row.calls).sum()
    }

    fn waiting_for(&self, name: &Name) -> u64 {
        let lines = self.lines.values();
        let lines = lines.filter(|line| line.uses.iter().any(|it| it.limiter == *name));
        lines.map(|line| u64::from(line.wanted)).sum()
    }

    /// Nothing is out that nobody has; for the invariants.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, held) in &self.held {
            let (mut reserved, mut in_flight) = (0, 0);
            for line in self.lines.values() {
                for it in line.uses.iter().filter(|it| it.limiter == *name) {
                    reserved += u64::from(line.granted) * u64::from(it.cost);
                    in_flight += u64::from(line.in_flight);
                }
            }
            if (reserved, in_flight) != (held.row.reserved, held.row.in_flight) {
                let row = &held.row;
                return Err(format!(
                    "`{name}` has {reserved} and {in_flight} out: {row:?}"
                ));
            }
        }
        Ok(())
    }
}

impl Shard {
    pub(super) fn open_limiters(&mut self, io: &Io<'_>) {
        let (from, to) = self.keys.all(Kind::Limiter);
        io.scan((&from, &to), &mut |_, value| {
            let mut row: LimiterRow = decode(value);
            if mutant::is(Mutant::LimiterReset) {
                (row.due_us, row.used) = (0, Vec::new());
            }
            let held = Held::new(row);
            self.limiters
                .held
                .insert(held.row.limiter.name.clone(), held);
            true
        });
        let (from, to) = self.keys.all(Kind::LimiterLine);
        io.scan((&from, &to), &mut |_, value| {
            let mut row: LineRow = decode(value);
            if mutant::is(Mutant::PermitsForgotten) {
                row.granted = 0;
            }
            let line = (row.destination.clone(), row.action.clone());
            if row.wanted > 0 {
                self.limiters.round.push_back(line.clone());
            }
            self.limiters.lines.insert(line, row);
            true
        });
        if mutant::is(Mutant::PermitsForgotten) {
            for held in self.limiters.held.values_mut() {
                held.row.reserved = 0;
            }
        }
        self.limiters.opened = true;
    }

    pub(super) fn put_limiter(
        &mut self,
        io: &mut Io<'_>,
        limiter: Limiter,
    ) -> Result<Reply, Rejection> {
        let name = limiter.name.clone();
        let limiters = &mut self.limiters;
        if limiters.held.len() >= LIMITERS_MAX && !limiters.held.contains_key(&name) {
            let detail = format!("there are {LIMITERS_MAX} limiters");
            return Err(Rejection::new(Code::LimiterInvalid, detail));
        }
        let row = match limiters.held.remove(&name) {
            // What is used stays used, and what is out stays out.
            Some(held) => LimiterRow {
                limiter,
                due_us: held.allowance.due_us().unwrap_or(held.row.due_us),
                used: held.allowance.used(),
                ..held.row
            },
            None => limiters.made(limiter),
        };
        limiters.held.insert(name.clone(), Held::new(row));
        limiters.changed.insert(name);
        self.grant_permits(io);
        Ok(Reply::Done)
    }

    pub(super) fn list_limiters(&self, io: &Io<'_>) -> Reply {
        let limiters = &self.limiters;
        let status = |(name, held): (&Name, &Held)| held.status(io.now, limiters.waiting_for(name));
        Reply::Limiters(limiters.held.iter().map(status).collect())
    }

    pub(super) fn describe_limiter(&self, io: &Io<'_>, name: &Name) -> Result<Reply, Rejection> {
        let held = self
            .limiters
            .held
            .get(name)
            .ok_or_else(|| not_found(name))?;
        let status = held.status(io.now, self.limiters.waiting_for(name));
        Ok(Reply::Limiters(Vec::from([status])))
    }

    /// Lets a limiter go that nothing uses any more.
    pub(super) fn delete_limiter(&mut self, name: &Name) -> Result<Reply, Rejection> {
        if !self.limiters.held.contains_key(name) {
            return Err(not_found(name));
        }
        if self.limiters.lines.values().any(|line| line.uses(name)) {
            let detail = format!("jobs wait for `{name}`, or are under way with its permits");
            return Err(Rejection::new(Code::LimiterInUse, detail));
        }
        self.limiters.held.remove(name);
        self.limiters.changed.insert(name.clone());
        Ok(Reply::Done)
    }

    /// Writes the rows of limiters and lines that have changed.
    pub(super) fn seal_limiters(&mut self, io: &mut Io<'_>) {
        let limiters = &mut self.limiters;
        for name in core::mem::take(&mut limiters.changed) {
            let key = self.keys.limiter(&name);
            let Some(Held { row, allowance }) = limiters.held.get_mut(&name) else {
                io.delete(&key);
                continue;
            };
            row.due_us = allowance.due_us().unwrap_or(row.due_us);
            row.used = allowance.used();
            io.put(&key, &*row);
        }
        for line in core::mem::take(&mut limiters.changed_lines) {
            let key = self.keys.limiter_line(&line.0, line.1.as_deref());
            match limiters.lines.get(&line) {
                Some(row) if row.is_empty() => {
                    limiters.lines.remove(&line);
                    io.delete(&key);
                }
                Some(row) => io.put(&key, row),
                None => {}
            }
        }
    }
}

fn not_found(name: &Name) -> Rejection {
    let detail = format!("there is no limiter `{name}`");
    Rejection::new(Code::LimiterNotFound, detail)
}

impl Limiters {
    /// A limiter that is new: nothing is used of it. Lines that were granted without it, while it was not there, do not exist.
    fn made(&self, limiter: Limiter) -> LimiterRow {
        debug_assert!(
            self.lines
                .values()
                .all(|line| line.is_clear()
                    || !line.uses.iter().any(|it| it.limiter == limiter.name)),
            "nothing is granted by a limiter that is not there"
        );
        LimiterRow {
            limiter,
            due_us: 0,
            used: Vec::new(),
            held_until: Timestamp(0),
            reserved: 0,
            in_flight: 0,
            calls: 0,
        }
    }
}

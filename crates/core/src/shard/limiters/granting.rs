//! Granting: which lines get permits, when, and what becomes of them.
//!
//! Each line that waits gets a permit in turn. What is short belongs to who waits for it first: a line that lacks nothing but a
//! limiter's rate or quota holds back those behind it that need the same limiter, or a dear call would wait for ever behind cheap
//! ones. A call that its limiter can never admit holds back nobody.

use super::{Limiters, Line, LineRow, Obstacle};
use crate::egress::LimiterUse;
use crate::ids::destination_shard;
use crate::input::{Message, PermitWait, PermitsDone};
use crate::io::Io;
use crate::payload::Name;
use crate::shard::Shard;
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

/// Whether a line gets a permit now.
enum Answer {
    Granted,
    /// It is short of this limiter and of nothing else.
    Short(Name),
    Refused,
}

impl Limiters {
    /// When time alone lets somebody go who waits.
    pub(crate) fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        if self.opened && !self.round.is_empty() {
            return Some(now);
        }
        let waits = self.round.iter().filter_map(|line| {
            let uses = &self.lines.get(line)?.uses;
            // Each has to admit; one of which time says nothing is no reason to look earlier.
            let until = |it: &LimiterUse| self.obstacle(now, it)?.until();
            uses.iter().filter_map(until).max()
        });
        waits.min()
    }

    /// Why a limiter does not admit a call; one that is not there does not.
    fn obstacle(&self, now: Timestamp, it: &LimiterUse) -> Option<Obstacle> {
        match self.held.get(&it.limiter) {
            Some(held) => held.obstacle(now, u64::from(it.cost)),
            None => Some(Obstacle::Full),
        }
    }

    /// Grants a permit to a line if all its limiters admit.
    fn ask(&mut self, line: &Line, now: Timestamp, taken: &BTreeSet<Name>) -> Answer {
        let Some(row) = self.lines.get(line) else {
            return Answer::Refused;
        };
        if row.wanted == 0 || row.next_uses.is_some() {
            return Answer::Refused;
        }
        let mut short = None;
        for it in &row.uses {
            if taken.contains(&it.limiter) {
                return Answer::Refused;
            }
            match self.obstacle(now, it) {
                None => {}
                Some(Obstacle::Used(_)) if short.is_none() && self.ever_admits(it) => {
                    short = Some(it.limiter.clone());
                }
                Some(_) => return Answer::Refused,
            }
        }
        if let Some(limiter) = short {
            return Answer::Short(limiter);
        }
        self.grant(line);
        Answer::Granted
    }

    /// True if no quota of the limiter is less than the call costs.
    fn ever_admits(&self, it: &LimiterUse) -> bool {
        let held = self.held.get(&it.limiter);
        let quotas = held.and_then(|held| held.row.limiter.quotas.as_ref());
        quotas
            .into_iter()
            .flatten()
            .all(|quota| quota.calls >= it.cost)
    }

    fn grant(&mut self, line: &Line) {
        let row = self.lines.get_mut(line).expect("it was admitted");
        row.wanted -= 1;
        row.granted += 1;
        row.in_flight += 1;
        for it in &row.uses {
            let held = self.held.get_mut(&it.limiter).expect("it has admitted");
            held.row.reserved += u64::from(it.cost);
            held.row.in_flight += 1;
            self.changed.insert(it.limiter.clone());
        }
        self.changed_lines.insert(line.clone());
    }

    /// A destination says what has become of its permits.
    fn done(&mut self, line: &Line, done: &PermitsDone) {
        for name in &done.held {
            if let (Some(held), Some(until)) = (self.held.get_mut(name), done.held_until) {
                held.row.held_until = held.row.held_until.max(until);
                self.changed.insert(name.clone());
            }
        }
        let Some(row) = self.lines.get_mut(line) else {
            return;
        };
        let settled = done.used + done.unused;
        let over = done.unused + done.ended;
        row.granted = row.granted.saturating_sub(settled);
        row.in_flight = row.in_flight.saturating_sub(over);
        for it in &row.uses {
            let Some(held) = self.held.get_mut(&it.limiter) else {
                continue;
            };
            let cost = u64::from(it.cost);
            let reserved = u64::from(settled) * cost;
            held.row.reserved = held.row.reserved.saturating_sub(reserved);
            held.row.in_flight = held.row.in_flight.saturating_sub(u64::from(over));
            if done.used > 0 {
                held.allowance.count(done.at, u64::from(done.used) * cost);
                held.row.calls += u64::from(done.used);
            }
            self.changed.insert(it.limiter.clone());
        }
        if row.is_clear()
            && let Some(uses) = row.next_uses.take()
        {
            row.uses = uses;
        }
        self.changed_lines.insert(line.clone());
    }

    /// A destination wants more permits, and all of them of these limiters.
    fn want(&mut self, line: &Line, uses: Vec<LimiterUse>, count: u32) {
        let row = self.lines.entry(line.clone()).or_insert_with(|| LineRow {
            destination: line.0.clone(),
            action: line.1.clone(),
            uses: uses.clone(),
            next_uses: None,
            wanted: 0,
            granted: 0,
            in_flight: 0,
        });
        // What is out was granted for what was needed then, and is settled so.
        if row.is_clear() {
            row.uses = uses;
            row.next_uses = None;
        } else {
            row.next_uses = (row.uses != uses).then_some(uses);
        }
        if row.wanted == 0 && count > 0 {
            self.round.push_back(line.clone());
        }
        row.wanted += count;
        self.changed_lines.insert(line.clone());
    }

    /// What keeps a line waiting, for a person: of its limiters, the one that takes longest.
    fn wait(&self, line: &Line, now: Timestamp) -> Option<PermitWait> {
        let row = self.lines.get(line).filter(|row| row.wanted > 0)?;
        let waits = row.uses.iter().filter_map(|it| {
            let Some(held) = self.held.get(&it.limiter) else {
                let words = format!("the shared limiter `{}`, which is not there", it.limiter);
                return Some((true, None, Name::from(words)));
            };
            let cost = u64::from(it.cost);
            let obstacle = held.obstacle(now, cost)?;
            let PermitWait { words, until } = held.in_words(now, cost, obstacle);
            Some((until.is_none(), until, words))
        });
        let (_, until, words) = waits.max()?;
        Some(PermitWait { words, until })
    }
}

impl Shard {
    /// A destination wants permits.
    pub(crate) fn want_permits(
        &mut self,
        io: &mut Io<'_>,
        line: Line,
        uses: Vec<LimiterUse>,
        count: u32,
    ) {
        self.limiters.want(&line, uses, count);
        self.grant_and_tell(io, Some(line));
    }

    /// A destination says what has become of its permits.
    pub(crate) fn permits_done(&mut self, io: &mut Io<'_>, line: &Line, done: &PermitsDone) {
        self.limiters.done(line, done);
        self.grant_permits(io);
    }

    /// Grants what the limiters admit.
    pub(crate) fn grant_permits(&mut self, io: &mut Io<'_>) {
        self.limiters.opened = false;
        if !self.limiters.round.is_empty() {
            self.grant_and_tell(io, None);
        }
    }

    /// Grants what the limiters admit: one permit to each line in turn. Who has `asked` hears what the rest waits for.
    fn grant_and_tell(&mut self, io: &mut Io<'_>, asked: Option<Line>) {
        let mut granted: BTreeMap<Line, u32> = BTreeMap::new();
        // Who waits first for what is short has it next.
        let mut taken = BTreeSet::new();
        let mut waiting = core::mem::take(&mut self.limiters.round);
        while let Some(line) = waiting.pop_front() {
            match self.limiters.ask(&line, io.now, &taken) {
                Answer::Granted => *granted.entry(line.clone()).or_insert(0) += 1,
                Answer::Short(limiter) => {
                    taken.insert(limiter);
                    self.limiters.round.push_back(line);
                    continue;
                }
                Answer::Refused => {
                    self.limiters.round.push_back(line);
                    continue;
                }
            }
            if self.limiters.lines[&line].wanted > 0 {
                waiting.push_back(line);
            }
        }
        if let Some(asked) = asked {
            granted.entry(asked).or_insert(0);
        }
        for (line, count) in granted {
            let wait = self.limiters.wait(&line, io.now);
            if count == 0 && wait.is_none() {
                continue;
            }
            let to = destination_shard(&line.0, self.settings.shards);
            let uses = self.limiters.lines[&line].uses.clone();
            let message = Message::Permits {
                destination: line.0,
                action: line.1,
                uses,
                count,
                wait,
            };
            self.post(io, to, message);
        }
    }
}

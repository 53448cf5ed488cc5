//! Permits: what a destination has of the shared limiters that it uses. See [`limiters`](super::limiters).
//!
//! The jobs of a destination stand in one line for each set of limiters that they need: those with an action that has limiters of
//! its own, and all others. A job that needs a permit and has none is set aside, so that it holds nothing while it waits; permits that
//! come make as many jobs ready again, and what is not used by then is given back in the same commit. Nothing is asked for that the
//! destination's own limits would not let leave.

use super::Shard;
use super::destination::Target;
use super::limiters::HOME;
use crate::egress::{Destination, Job, LimiterUse};
use crate::ids::JobId;
use crate::input::{Message, PermitWait, PermitsDone};
use crate::io::Io;
use crate::payload::Name;
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// Permits wanted at once by one line.
const WANTED_MAX: usize = 256;

/// The permits of one line, as they survive.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct PermitsRow {
    /// Only the jobs with this action.
    #[n(0)]
    pub action: Option<Name>,
    /// Wanted, and not granted.
    #[n(1)]
    pub wanted: u32,
    /// Calls under way with one.
    #[n(2)]
    pub in_flight: u32,
}

/// The lines of a destination, as they are in memory.
#[derive(Debug, Default)]
pub(super) struct Permits {
    lines: BTreeMap<Option<Name>, PermitLine>,
    /// The line of each call that is under way with a permit. Jobs that share another's call have none.
    out: BTreeMap<JobId, Option<Name>>,
    /// When to ask for permits that the destination's own limits make useless now.
    ask_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct PermitLine {
    row: PermitsRow,
    /// Granted, and not yet used. Between inputs there are none.
    held: u32,
    waiting: Waiting,
    /// What the limiters' shard has not been told.
    done: PermitsDone,
    /// The limiters have changed: what is wanted is wanted of others now.
    changed: bool,
    /// What the limiters' shard has said of the wait.
    wait: Option<PermitWait>,
}

/// Jobs that are set aside, in the order in which they came up.
#[derive(Debug, Default)]
struct Waiting {
    jobs: BTreeSet<JobId>,
    /// May hold jobs that wait no more, or wait again.
    order: VecDeque<JobId>,
}

impl Waiting {
    fn push(&mut self, job: JobId) {
        if self.jobs.insert(job) {
            self.order.push_back(job);
        }
    }

    fn pop(&mut self) -> Option<JobId> {
        loop {
            let job = self.order.pop_front()?;
            if self.jobs.remove(&job) {
                return Some(job);
            }
        }
    }
}

impl PermitLine {
    fn is_in_use(&self) -> bool {
        self.row.wanted + self.row.in_flight > 0
            || !self.waiting.jobs.is_empty()
            || self.done.is_news()
    }
}

impl Permits {
    pub(super) fn of(rows: Option<&Vec<PermitsRow>>) -> Self {
        let line = |row: &PermitsRow| {
            let mut line = PermitLine {
                row: row.clone(),
                ..PermitLine::default()
            };
            // What was under way in a crash has ended; it is called again, and that is another call.
            line.done.ended = core::mem::take(&mut line.row.in_flight);
            (row.action.clone(), line)
        };
        Self {
            lines: rows.into_iter().flatten().map(line).collect(),
            ..Self::default()
        }
    }

    /// As the destination's row keeps it.
    fn rows(&self) -> Option<Vec<PermitsRow>> {
        let rows = self.lines.values().map(|line| &line.row);
        let rows: Vec<_> = rows
            .filter(|row| row.wanted + row.in_flight > 0)
            .cloned()
            .collect();
        (!rows.is_empty()).then_some(rows)
    }

    /// True if there are lines at all: a destination without shared limiters has none.
    pub(super) fn are_in_use(&self) -> bool {
        !self.lines.is_empty()
    }

    /// When the limiters' shard has to be told or asked something.
    pub(super) fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let news = self.lines.values().any(|line| line.done.is_news());
        if news { Some(now) } else { self.ask_at }
    }

    /// A job waits for no permit any more.
    pub(super) fn forget(&mut self, job: JobId) {
        for line in self.lines.values_mut() {
            line.waiting.jobs.remove(&job);
        }
    }
}

/// The line of jobs with this action.
fn line_of(destination: &Destination, action: &Name) -> Option<Name> {
    let uses = destination.limiters.as_deref().unwrap_or_default();
    let own = uses.iter().any(|it| it.action.as_ref() == Some(action));
    own.then(|| action.clone())
}

/// The limiters that the jobs of a line need.
fn needs<'a>(
    destination: &'a Destination,
    line: &'a Option<Name>,
) -> impl Iterator<Item = &'a LimiterUse> {
    let uses = destination.limiters.as_deref().unwrap_or_default();
    let fits = move |it: &&LimiterUse| it.action.is_none() || it.action == *line;
    uses.iter().filter(fits)
}

impl Target {
    /// Takes a permit for a job that is about to leave, if it needs one; false if there is none: then it is set aside.
    pub(super) fn take_permit(&mut self, job: &Job) -> bool {
        let line = line_of(&self.row.destination, &job.new.action);
        if needs(&self.row.destination, &line).next().is_none() {
            return true;
        }
        let permits = self.permits.lines.entry(line.clone()).or_default();
        if permits.held == 0 {
            permits.row.action = line;
            permits.waiting.push(job.id);
            self.queue.set_aside(job.id);
            return false;
        }
        permits.held -= 1;
        permits.row.in_flight += 1;
        permits.done.used += 1;
        self.permits.out.insert(job.id, line);
        true
    }

    /// A call has ended, if it was this job's.
    pub(super) fn end_permit(&mut self, job: JobId) {
        if let Some(line) = self.permits.out.remove(&job)
            && let Some(permits) = self.permits.lines.get_mut(&line)
        {
            permits.row.in_flight -= 1;
            permits.done.ended += 1;
        }
    }

    /// The destination asks for patience until then: so do the limiters that share it.
    pub(super) fn share_patience(&mut self, action: &Name, until: Timestamp) {
        if self.row.destination.limiters.is_none() {
            return;
        }
        let line = line_of(&self.row.destination, action);
        let uses = needs(&self.row.destination, &line).filter(|it| it.shares_patience);
        let held: Vec<Name> = uses.map(|it| it.limiter.clone()).collect();
        if held.is_empty() {
            return;
        }
        let permits = self.permits.lines.entry(line.clone()).or_default();
        permits.row.action = line;
        permits.done.held = held;
        permits.done.held_until = permits.done.held_until.max(Some(until));
    }

    /// What a job waits for that was set aside because it has no permit; nothing if it was not.
    pub(super) fn permit_in_words(&self, now: Timestamp, job: &Job) -> Option<String> {
        let (line, permits) = self
            .permits
            .lines
            .iter()
            .find(|(_, permits)| permits.waiting.jobs.contains(&job.id))?;
        let wait = permits.wait.as_ref();
        if let Some(PermitWait { words, until }) =
            wait.filter(|wait| wait.until.is_none_or(|until| until > now))
        {
            return Some(match until {
                Some(until) => format!("{words}, for {} ms more at least", until.since_ms(now)),
                None => String::from(&**words),
            });
        }
        let names: Vec<&str> = needs(&self.row.destination, line)
            .map(|it| it.limiter.as_str())
            .collect();
        let names = names.join("`, `");
        Some(format!("a permit of the shared limiter `{names}`"))
    }

    /// The limiters have changed: everybody who waits for a permit is looked at again.
    pub(super) fn change_limiters(&mut self) {
        for line in self.permits.lines.values_mut() {
            line.changed = line.row.wanted > 0;
            line.wait = None;
            while let Some(job) = line.waiting.pop() {
                self.queue.restore(job);
            }
        }
    }

    /// How many permits a line may want at most, and when to ask again if not now.
    fn permits_wanted_max(&self, now: Timestamp) -> (usize, Option<Timestamp>) {
        if self.queue.concurrency() == 0 {
            return (0, None);
        }
        if let Some(until) = self.queue.limited_until(now) {
            return (0, Some(until));
        }
        let destination = &self.row.destination;
        let room = self.queue.concurrency().saturating_sub(self.queue.calls());
        let burst = destination
            .rate
            .map_or(WANTED_MAX, |rate| rate.burst as usize);
        (room.min(burst).min(WANTED_MAX), None)
    }
}

impl Shard {
    /// Permits have come: as many jobs are ready again, and those that may share their calls.
    pub(super) fn take_permits(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        line: Option<Name>,
        (uses, count): (&[LimiterUse], u32),
        wait: Option<PermitWait>,
    ) {
        let Some(target) = self.egress.targets.get_mut(name) else {
            return;
        };
        let connector = target.row.destination.connector.as_ref();
        let batch = connector.map_or(1, |connector| connector.batch_max.max(1));
        let fits = needs(&target.row.destination, &line).eq(uses);
        let permits = target.permits.lines.entry(line.clone()).or_default();
        permits.row.action = line;
        permits.row.wanted = permits.row.wanted.saturating_sub(count);
        permits.wait = wait;
        if fits {
            permits.held += count;
            for _ in 0..u64::from(count) * u64::from(batch) {
                match permits.waiting.pop() {
                    Some(job) => target.queue.restore(job),
                    None => break,
                }
            }
        } else {
            // They are permits of limiters that the destination does not use any more.
            permits.done.unused += count;
        }
        self.egress.changed.insert(name.clone());
        self.pump(io, name);
    }

    /// Gives back what was not used, tells what has become of the rest, and asks for what is needed.
    pub(super) fn settle_permits(&mut self, io: &mut Io<'_>, name: &Name) {
        let Some(target) = self.egress.targets.get_mut(name) else {
            return;
        };
        if self.egress.opening {
            target.permits.ask_at = Some(io.now);
            return;
        }
        let (most, ask_again) = target.permits_wanted_max(io.now);
        let destination = &target.row.destination;
        let connector = destination.connector.as_ref();
        let batch = connector.map_or(1, |connector| connector.batch_max.max(1) as usize);
        target.permits.ask_at = None;
        let mut messages = Vec::new();
        for (line, permits) in &mut target.permits.lines {
            permits.done.unused += core::mem::take(&mut permits.held);
            let mut done = core::mem::take(&mut permits.done);
            if done.is_news() {
                done.at = io.now;
                messages.push(Message::PermitsDone {
                    destination: name.clone(),
                    action: line.clone(),
                    done,
                });
            }
            let waiting = permits.waiting.jobs.len().div_ceil(batch);
            let needed = waiting.min(most) as u32;
            let more = needed.saturating_sub(permits.row.wanted);
            if more > 0 || core::mem::take(&mut permits.changed) {
                permits.row.wanted += more;
                messages.push(Message::WantPermits {
                    destination: name.clone(),
                    action: line.clone(),
                    uses: needs(destination, line).cloned().collect(),
                    count: more,
                });
            }
            if waiting > permits.row.wanted as usize && ask_again.is_some() {
                target.permits.ask_at = ask_again;
            }
        }
        target.permits.lines.retain(|_, line| line.is_in_use());
        let rows = target.permits.rows();
        if target.row.permits != rows {
            target.row.permits = rows;
            self.egress.changed.insert(name.clone());
        }
        for message in messages {
            self.post(io, HOME, message);
        }
    }
}

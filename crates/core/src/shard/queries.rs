//! Queries: asked of a run, answered by a worker, written nowhere.
//!
//! A query sees the run as its last committed turn left it. If something has come in that no turn has consumed, the query
//! waits for that turn, so that who sends a signal and then asks gets what came of it. The worker that holds the run answers
//! from what it has; its answer is behind its turns in the same stream, so it is never of a turn that is not committed. Any
//! other worker with the workflow replays the history for it. All of this is in memory: after a crash nobody waits.

use super::hot::Hot;
use super::runs::Asker;
use super::{Offer, Shard};
use crate::code::Code;
use crate::ids::{PeerId, RunKey};
use crate::io::Io;
use crate::limits::{QUERIES_MAX, QUERY_TIMEOUT_MS, QUERY_TIMEOUT_MS_MAX};
use crate::payload::{Name, Payload};
use crate::peer::{AskQuery, Query, QueryAnswer, Rejection, Reply, ToPeer};
use crate::run::RunStatus;
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

/// The queries that have not been answered.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    last: u64,
    open: BTreeMap<u64, Open>,
    /// Those that are with no worker, by number.
    waiting: BTreeSet<u64>,
    deadlines: BTreeSet<(Timestamp, u64)>,
}

#[derive(Debug)]
struct Open {
    asker: Asker,
    run: RunKey,
    query: Name,
    input: Payload,
    deadline: Timestamp,
    /// Turns have to have consumed the entries before this one, unless the run rests before.
    from: u32,
    /// The worker that has it, and whether that replays the history for it.
    with: Option<(PeerId, bool)>,
    /// True once a worker that was taken to hold the run did not.
    replay: bool,
}

impl Open {
    /// True if the run has come as far as the query wants.
    fn may_be_asked(&self, hot: &Hot) -> bool {
        hot.run.status != RunStatus::Running
            || hot.run.consumed >= self.from
            || (hot.run.unconsumed == 0 && hot.turn.is_none())
    }
}

impl Queries {
    pub(crate) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Queries with workers.
    pub(crate) fn in_flight(&self) -> u64 {
        (self.open.len() - self.waiting.len()) as u64
    }

    fn close(&mut self, number: u64) -> Option<Open> {
        let open = self.open.remove(&number)?;
        self.waiting.remove(&number);
        self.deadlines.remove(&(open.deadline, number));
        Some(open)
    }

    fn ask_again(&mut self, number: u64) {
        if let Some(open) = self.open.get_mut(&number) {
            open.with = None;
            self.waiting.insert(number);
        }
    }

    /// A peer is gone: what it was asked is asked of another, what it asked is moot.
    pub(crate) fn release(&mut self, peer: PeerId) {
        let of_peer = |open: &Open| open.asker.0 == peer;
        let moot: Vec<u64> = numbers(&self.open, of_peer);
        for number in moot {
            self.close(number);
        }
        let with_peer = |open: &Open| open.with.is_some_and(|(with, _)| with == peer);
        for number in numbers(&self.open, with_peer) {
            self.ask_again(number);
        }
    }
}

fn numbers(open: &BTreeMap<u64, Open>, wanted: impl Fn(&Open) -> bool) -> Vec<u64> {
    let wanted = open.iter().filter(|(_, open)| wanted(open));
    wanted.map(|(number, _)| *number).collect()
}

impl Shard {
    pub(super) fn ask_query(&mut self, io: &mut Io<'_>, asker: Asker, asked: AskQuery) {
        let (key, hot) = match self.find(io, &asked.run) {
            Ok(found) => found,
            Err(rejection) => return io.reply(asker, Err(rejection)),
        };
        let rests = hot.run.unconsumed == 0 && hot.turn.is_none();
        let from = if rests { 0 } else { hot.entries() };
        self.keep(key, hot);
        if self.queries.open.len() >= QUERIES_MAX {
            let detail = "too many queries have not been answered";
            return io.reply(asker, Err(Rejection::new(Code::Overloaded, detail)));
        }
        let timeout_ms = asked.timeout_ms.unwrap_or(QUERY_TIMEOUT_MS);
        let deadline = io.now.plus_ms(timeout_ms.min(QUERY_TIMEOUT_MS_MAX));
        self.queries.last += 1;
        let number = self.queries.last;
        self.queries.waiting.insert(number);
        self.queries.deadlines.insert((deadline, number));
        let open = Open {
            asker,
            run: key,
            query: asked.query,
            input: asked.input,
            deadline,
            from,
            with: None,
            replay: false,
        };
        self.queries.open.insert(number, open);
    }

    /// Gives queries to workers: to the one that holds the run, else to any that has its workflow. They take no slots.
    pub(super) fn dispatch_queries(&mut self, io: &mut Io<'_>, offers: &[Offer]) {
        for number in self.queries.waiting.clone() {
            let Some(key) = self.queries.open.get(&number).map(|open| open.run) else {
                continue;
            };
            let Some(mut hot) = self.load(io, key) else {
                let detail = "the run is gone";
                self.refuse_query(io, number, Code::RunNotFound, detail);
                continue;
            };
            let open = self.queries.open.get(&number);
            if open.is_some_and(|open| open.may_be_asked(&hot)) {
                self.send_query(io, number, key, &mut hot, offers);
            }
            self.keep(key, hot);
        }
    }

    fn send_query(
        &mut self,
        io: &mut Io<'_>,
        number: u64,
        key: RunKey,
        hot: &mut Hot,
        offers: &[Offer],
    ) {
        let line = (hot.run.id.workflow.clone(), hot.run.version);
        let mut able = offers
            .iter()
            .filter(|offer| offer.abilities.workflows.contains(&line))
            .map(|offer| offer.peer);
        let Some(any) = able
            .clone()
            .nth(number as usize % able.clone().count().max(1))
        else {
            return;
        };
        let replay = self.queries.open.get(&number).is_some_and(|o| o.replay);
        let holder = hot.holder.filter(|_| !replay);
        let holder = holder.and_then(|holder| able.find(|peer| *peer == holder.peer));
        let chunks = match holder {
            Some(_) => None,
            None => {
                self.close_chunk(io, key, hot);
                Some(self.whole_history(io, key, hot.run.chunks))
            }
        };
        let peer = holder.unwrap_or(any);
        let Some(open) = self.queries.open.get_mut(&number) else {
            return;
        };
        open.with = Some((peer, chunks.is_some()));
        self.queries.waiting.remove(&number);
        let query = Query {
            run: key,
            id: hot.run.id.clone(),
            version: hot.run.version,
            number,
            query: open.query.clone(),
            input: open.input.clone(),
            chunks,
            started_at: hot.run.began_at(),
            now: io.now,
        };
        io.tell(peer, ToPeer::Query(query));
    }

    pub(super) fn query_done(
        &mut self,
        io: &mut Io<'_>,
        peer: PeerId,
        key: RunKey,
        number: u64,
        answer: QueryAnswer,
    ) {
        let known = self.queries.open.get(&number);
        let Some((with, replayed)) = known.filter(|open| open.run == key).and_then(|o| o.with)
        else {
            return;
        };
        if with != peer {
            return;
        }
        // What a worker said of a run that it should not have held counts for nothing: its copy may have run ahead.
        let hot = self.load(io, key);
        let holds = hot
            .as_ref()
            .is_some_and(|hot| hot.holder.is_some_and(|holder| holder.peer == peer));
        if let Some(hot) = hot {
            self.keep(key, hot);
        }
        let (code, detail) = match answer {
            QueryAnswer::NotHeld => return self.replay_query(number),
            _ if !replayed && !holds => return self.replay_query(number),
            QueryAnswer::Value(value) => {
                if let Some(open) = self.queries.close(number) {
                    io.reply(open.asker, Ok(Reply::Answer(value)));
                }
                return;
            }
            QueryAnswer::Unknown(detail) => (Code::UnknownMethod, detail),
            QueryAnswer::Failed(detail) => (Code::QueryFailed, detail),
        };
        self.refuse_query(io, number, code, detail);
    }

    fn replay_query(&mut self, number: u64) {
        if let Some(open) = self.queries.open.get_mut(&number) {
            open.replay = true;
        }
        self.queries.ask_again(number);
    }

    fn refuse_query(&mut self, io: &mut Io<'_>, number: u64, code: Code, detail: impl Into<Name>) {
        if let Some(open) = self.queries.close(number) {
            io.reply(open.asker, Err(Rejection::new(code, detail)));
        }
    }

    /// Refuses the queries that nobody has answered in time.
    pub(super) fn lapse_queries(&mut self, io: &mut Io<'_>) {
        while let Some((at, number)) = self.queries.deadlines.first().copied() {
            if at > io.now {
                return;
            }
            let open = self.queries.open.get(&number);
            let why = match open.map(|open| (open.with, open.run)) {
                Some((Some(_), _)) => Name::from("the worker that was asked has not answered"),
                Some((None, key)) => match self.load(io, key) {
                    Some(hot) => {
                        let (run, version) = (&hot.run.id, hot.run.version);
                        let open = self.queries.open.get(&number);
                        let why = if open.is_some_and(|open| open.may_be_asked(&hot)) {
                            format!("no worker has `{}` version {version}", run.workflow)
                        } else {
                            format!("`{run}` has something to do first, and no turn has done it")
                        };
                        self.keep(key, hot);
                        Name::from(why)
                    }
                    None => Name::from("the run is gone"),
                },
                None => Name::from("nobody waits"),
            };
            self.queries.deadlines.remove(&(at, number));
            self.refuse_query(io, number, Code::QueryTimedOut, why);
        }
    }
}

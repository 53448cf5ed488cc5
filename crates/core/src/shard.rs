//! A shard: the one writer of its slice of the key space.
//!
//! Inputs come in one at a time through [`Shard::handle`]; what changed goes out as rows, what is to be done as effects. The
//! machines are in files of their own: [`runs`] (start, signal, cancel, look at), [`turns`] (a run moves on), [`history`],
//! [`hot`] (runs in memory), [`tags`] (the index), [`lists`], [`many`] and [`bulk`] (what is done to many runs, and to many jobs), [`rewind`] and [`cut`] (retry, fork), [`methods`] (calls of runs' methods), [`queries`], [`tasks`], [`timers`], [`egress`] (destinations and deliveries), [`jobs`], [`laning`], [`replays`], [`egress_lists`], [`mail`] (messages between shards), [`sweep`] (retention),
//! [`feed`] (the event feed), and [`schedules`] (runs by the clock).
//!
//! Two kinds of state live here. *Rows* survive: they are written when a batch is [sealed](Shard::seal) or as things happen.
//! *Indexes* (what is ready, what is due, who has a lease) are in memory only and rebuilt by [`Shard::open`].

mod belts;
mod breaking;
mod bulk;
mod children;
mod continues;
mod cut;
mod destination;
mod egress;
mod egress_lists;
mod feed;
mod history;
mod hot;
mod invariants;
mod job_ends;
mod jobs;
mod judging;
mod keeping;
mod kinship;
mod laning;
mod letting_go;
mod limiters;
mod lingering;
mod lists;
mod mail;
mod many;
mod methods;
mod objects;
mod offer;
mod permits;
mod post;
mod queries;
mod relatives;
mod replays;
mod rewind;
mod runs;
mod schedules;
mod starts;
mod sweep;
mod tags;
mod task_answers;
mod task_ends;
mod task_table;
mod tasks;
mod timers;
mod turns;
mod workflows;

use crate::egress::{LaneBy, NoLanes};
use crate::feed::FeedSettings;
use crate::ids::{CommandId, PeerId, RunKey, ShardId, Token};
use crate::input::{Input, Message};
use crate::io::Io;
use crate::mutant::{self, Mutant};
use crate::output::Output;
use crate::payload::Name;
use crate::peer::{Counters, FromPeer, Op, Reply};
use crate::row::{Keys, Rows};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use minicbor::{Decode, Encode};

pub use breaking::Tripped;
pub use bulk::BulkRow;
pub use children::ChildRow;
pub use destination::DestinationRow;
pub use invariants::INVARIANTS;
pub use kinship::{KINSHIP, check_kinship};
pub use limiters::{LimiterRow, LineRow};
pub use offer::Offer;
pub use permits::PermitsRow;
pub use task_table::TaskRow;

/// What a shard needs to know about the node it is on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many shards the node has.
    pub shards: u16,
    /// How long finished runs and settled jobs are kept, in milliseconds.
    pub retention_ms: u64,
    /// Runs that may stay in memory as typed values when nothing is going on in them.
    pub idle_runs_max: usize,
    /// How the event feed is kept.
    pub feed: FeedSettings,
    /// Who evaluates the expressions of lanes.
    pub lane_by: Arc<dyn LaneBy>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shards: 16,
            retention_ms: 24 * 3_600_000,
            idle_runs_max: 50_000,
            feed: FeedSettings::default(),
            lane_by: Arc::new(NoLanes),
        }
    }
}

/// A broken invariant: a bug in Trunkline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The invariant's name.
    pub invariant: &'static str,
    /// What was found.
    pub detail: String,
}

/// The shard's own row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ShardRow {
    /// How often the shard has been opened. The upper bits of its tokens.
    #[n(0)]
    pub epoch: u64,
}

/// A shard's state.
#[derive(Debug)]
pub struct Shard {
    id: ShardId,
    settings: Settings,
    keys: Keys,
    /// Tokens count up from the epoch's first, so that no token of an earlier life is ever given out again.
    last_token: u64,
    runs: hot::Runs,
    /// Runs ready for a turn, by workflow and version.
    turns: BTreeMap<(Name, u32), VecDeque<RunKey>>,
    tasks: task_table::Tasks,
    timers: timers::Timers,
    egress: egress::Egress,
    mail: mail::Mail,
    schedules: schedules::Schedules,
    /// Messages to this shard itself, to be taken before the input ends.
    posted: VecDeque<Message>,
    sweep: sweep::Sweep,
    bulks: bulk::Bulks,
    queries: queries::Queries,
    limiters: limiters::Limiters,
    feed: feed::Feed,
    workflows: BTreeMap<Name, u32>,
    /// Runs by status, in the order of `RunStatus::ALL`.
    runs_by_status: [u64; 7],
}

/// Bits of a token that count within an epoch: a million leases a second for half a year.
const TOKEN_BITS: u32 = 44;

impl Shard {
    /// Opens the shard on its rows: takes a new epoch, so that every older lease is void, and rebuilds what is kept in
    /// memory only. Messages that other shards have not acknowledged go out again.
    pub fn open(
        id: ShardId,
        settings: Settings,
        now: Timestamp,
        rows: &dyn Rows,
        out: &mut Output,
    ) -> Self {
        let mut io = Io::new(now, rows, out);
        let keys = Keys::new(id);
        let epoch = io.get::<ShardRow>(&keys.shard()).map_or(0, |row| row.epoch) + 1;
        io.put(&keys.shard(), &ShardRow { epoch });
        let mut shard = Self {
            id,
            settings,
            keys,
            last_token: if mutant::is(Mutant::TokenReused) {
                0
            } else {
                epoch << TOKEN_BITS
            },
            runs: hot::Runs::default(),
            turns: BTreeMap::new(),
            tasks: task_table::Tasks::default(),
            timers: timers::Timers::default(),
            egress: egress::Egress::default(),
            mail: mail::Mail::default(),
            schedules: schedules::Schedules::default(),
            posted: VecDeque::new(),
            sweep: sweep::Sweep::default(),
            bulks: bulk::Bulks::default(),
            queries: queries::Queries::default(),
            limiters: limiters::Limiters::default(),
            feed: feed::Feed::default(),
            workflows: BTreeMap::new(),
            runs_by_status: [0; 7],
        };
        shard.open_workflows(&io);
        shard.open_runs(&io);
        shard.open_tasks(&io);
        shard.open_timers(&io);
        shard.open_bulks(&io);
        shard.open_mail(&mut io);
        shard.open_limiters(&io);
        shard.open_egress(&mut io);
        shard.open_schedules(&io);
        shard.open_feed(&mut io);
        shard
    }

    /// Takes one input. Total: it never fails and never blocks; a refusal is a reply among the effects.
    ///
    /// `rows` are the rows as of the last [`Shard::seal`]; what `out` holds since then is read on top of them.
    pub fn handle(&mut self, now: Timestamp, input: Input, rows: &dyn Rows, out: &mut Output) {
        let io = &mut Io::new(now, rows, out);
        match input {
            Input::Request { peer, request, op } => self.request(io, (peer, request), op),
            Input::Report { peer, report } => self.report(io, peer, report),
            Input::PeerGone { peer } => self.peer_gone(io, peer),
            Input::WorkflowKnown { workflow, version } => {
                self.workflow_known(io, workflow, version);
            }
            Input::Message {
                from,
                sequence,
                message,
            } => {
                self.message(io, from, sequence, message);
            }
            Input::MessagesTaken { by, sequence } => self.messages_taken(io, by, sequence),
            Input::Delivered {
                destination,
                job,
                token,
                delivery,
            } => {
                self.delivered(io, &destination, job, token, &delivery);
            }
            Input::Tick => self.tick(io),
        }
        self.take_posted(io);
    }

    fn request(&mut self, io: &mut Io<'_>, asker: runs::Asker, op: Op) {
        let answer = match op {
            Op::Start(start) => return self.start(io, asker, start),
            Op::AwaitOutcome { run } => return self.await_outcome(io, asker, &run),
            Op::Query(query) => return self.ask_query(io, asker, query),
            Op::CallMethod(call) => return self.call_method(io, asker, call),
            Op::AwaitMethod { run, call, nonce } => {
                return self.await_method(io, asker, &run, call, nonce);
            }
            Op::CompleteTimers { run, which } => self.complete_timers(io, &run, which),
            Op::Signal {
                run,
                channel,
                payload,
                nonce,
            } => self.signal(io, &run, channel, payload, nonce),
            Op::DescribeRun { run } => self.describe_run(io, &run),
            Op::History { run, from } => self.history(io, &run, from),
            Op::Property { run, name } => self.property(io, &run, &name),
            Op::Relatives { run } => self.relatives(io, &run),
            Op::Waits { run } => self.waits(io, &run),
            Op::OpenTasks { run } => self.open_tasks_of(io, &run),
            Op::CompleteTask {
                task,
                outcome,
                nonce,
            } => self.complete_task(io, task, outcome, nonce),
            Op::HeartbeatTask { task, details } => self.heartbeat_task(io, task, details),
            Op::CancelTask { task } => self.cancel_task_asked(io, task),
            Op::Cancel { run, reason } => self.cancel(io, &run, reason),
            Op::Terminate { run, reason } => self.terminate(io, &run, &reason),
            Op::Pause { run } => self.pause(io, &run),
            Op::Resume { run } => self.resume(io, &run),
            Op::ListRuns(filter) => Ok(self.list_runs(io, &filter)),
            Op::RetryRun { run, at } => self.retry_run(io, &run, at),
            Op::Purge { run } => self.purge_run(io, &run),
            op @ (Op::Count(_)
            | Op::Tagged { .. }
            | Op::Fork { .. }
            | Op::StartForked { .. }
            | Op::BulkStart { .. }
            | Op::BulkShow { .. }
            | Op::BulkCancel { .. }
            | Op::BulkList) => self.request_about_many(io, op),
            Op::PutDestination { destination } => self.put_destination(io, *destination),
            Op::DescribeDestination { name } => self.describe_destination(io, &name),
            Op::ListDestinations => Ok(self.list_destinations(io)),
            Op::CreateJobs { jobs } => self.create_jobs_asked(io, jobs),
            op @ (Op::DescribeJob { .. }
            | Op::ListJobs { .. }
            | Op::ReplayJob { .. }
            | Op::CancelJob { .. }) => self.request_about_jobs(io, op),
            Op::Egress(op) => self.request_about_egress(io, op),
            Op::Jobs(op) => self.request_about_many_jobs(io, op),
            Op::PutSchedule { schedule, paused } => self.put_schedule(io, *schedule, paused),
            Op::DescribeSchedule { name, upcoming } => self.describe_schedule(&name, upcoming),
            Op::ListSchedules { after, limit } => Ok(self.list_schedules(after.as_ref(), limit)),
            Op::DeleteSchedule { name } => self.delete_schedule(io, &name),
            Op::TriggerSchedule {
                name,
                overlap,
                nonce,
            } => self.trigger_schedule(io, &name, overlap, nonce),
            Op::BackfillSchedule {
                name,
                from,
                to,
                overlap,
                nonce,
            } => self.backfill_schedule(io, &name, (from, to), overlap, nonce),
            Op::PauseSchedule { name, note } => self.pause_schedule(io, &name, note),
            Op::Counters => Ok(Reply::Counters(Box::new(self.counters()))),
            Op::ReadEvents(request) => self.read_events(io, &request),
            Op::Keep(keep) => Ok(self.keep_for_engine(io, &keep)),
        };
        io.reply(asker, answer);
    }

    fn report(&mut self, io: &mut Io<'_>, peer: PeerId, report: FromPeer) {
        match report {
            FromPeer::TurnDone(turn) => self.turn_done(io, peer, turn),
            FromPeer::TurnStuck { run, token, reason } => {
                self.turn_stuck(io, peer, run, token, reason);
            }
            FromPeer::TaskDone {
                run,
                command,
                token,
                outcome,
                then,
            } => {
                self.task_done(io, peer, (run, command), token, outcome, then);
            }
            FromPeer::StepDone {
                run,
                command,
                outcome,
                then,
            } => {
                self.step_done(io, peer, (run, command), outcome, then);
            }
            FromPeer::QueryDone {
                run,
                number,
                answer,
            } => self.query_done(io, peer, run, number, answer),
            FromPeer::Evicted { run } => self.evicted(io, peer, run),
            FromPeer::Heartbeat {
                run,
                command,
                token,
                details,
                meta,
            } => self.heartbeat(io, peer, (run, command), token, details, meta),
            FromPeer::TaskDelegated {
                run,
                command,
                token,
            } => self.task_delegated(io, peer, (run, command), token),
            // These are the engine's business: it answers requests through `Input::Request`, and knows its workers.
            FromPeer::Request(..) | FromPeer::Register(_) | FromPeer::Drain => {}
        }
    }

    fn peer_gone(&mut self, io: &mut Io<'_>, peer: PeerId) {
        self.release_turns(io, peer);
        self.tasks.release(peer);
        self.queries.release(peer);
    }

    fn tick(&mut self, io: &mut Io<'_>) {
        self.fire_timers(io);
        self.lapse_tasks(io);
        self.lapse_deliveries(io);
        self.grant_permits(io);
        self.fire_schedules(io);
        self.lapse_queries(io);
        self.sweep(io);
        self.work_bulks(io);
        self.sweep_feed(io);
    }

    /// Gives ready turns and tasks to workers, runs first to the worker that still holds their future.
    pub fn dispatch(
        &mut self,
        now: Timestamp,
        offers: &mut [Offer],
        rows: &dyn Rows,
        out: &mut Output,
    ) {
        let io = &mut Io::new(now, rows, out);
        if self.queries.are_waiting() {
            self.dispatch_queries(io, offers);
        }
        self.dispatch_turns(io, offers);
        self.dispatch_tasks(io, offers);
    }

    /// True if there is a turn or task that waits for a worker.
    #[must_use]
    pub fn has_ready_work(&self) -> bool {
        !self.turns.is_empty() || self.tasks.has_ready() || self.queries.are_waiting()
    }

    /// Ends a batch: writes the rows of what changed since the last seal. To be called before the output becomes a commit.
    pub fn seal(&mut self, now: Timestamp, rows: &dyn Rows, out: &mut Output) {
        let io = &mut Io::new(now, rows, out);
        self.seal_runs(io);
        self.seal_egress(io);
        self.seal_limiters(io);
        self.seal_schedules(io);
        self.seal_mail(io);
        self.seal_feed(io);
    }

    /// When the shard next wants `Input::Tick`, if nothing else happens.
    #[must_use]
    pub fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        [
            self.timers.next_deadline(),
            self.tasks.next_deadline(now),
            self.egress.next_deadline(now),
            self.limiters.next_deadline(now),
            self.schedules.next_deadline(),
            self.sweep.next_deadline(),
            self.bulks.next_deadline(self.settings.retention_ms),
            self.queries.next_deadline(),
            self.feed.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Counters, kept as things happen and not counted when asked for.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = Counters {
            runs: self.runs_by_status,
            turns_ready: self.turns.values().map(|ready| ready.len() as u64).sum(),
            turns_in_flight: self.runs.turns_in_flight() + self.queries.in_flight(),
            timers: self.timers.len() as u64,
            outbox: self.mail.waiting(),
            permits_waiting: self.limiters.waiting(),
            permits_used: self.limiters.used(),
            ..Counters::default()
        };
        self.tasks.count(&mut counters);
        self.egress.count(&mut counters);
        self.schedules.count(&mut counters);
        counters
    }

    /// A token that was never given out before.
    fn next_token(&mut self) -> Token {
        self.last_token += 1;
        Token(self.last_token)
    }
}

/// A task of a run: the run and the command that scheduled it.
pub(crate) type TaskKey = (RunKey, CommandId);

#[cfg(test)]
mod tests;

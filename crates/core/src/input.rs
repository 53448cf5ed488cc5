//! Inputs: everything that can happen to a shard.

use crate::egress::{Delivery, LimiterUse, NewJob};
use crate::entry::Outcome;
use crate::ids::{JobId, Nonce, PeerId, RequestId, RunId, RunKey, ShardId, Token};
use crate::payload::{Name, Payload};
use crate::peer::{FromPeer, Op, Rejection, Start};
use crate::run::{Origin, RunStatus};
use crate::time::Timestamp;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// Something that happened, for one shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A peer asks. Answered by exactly one reply to it.
    Request {
        /// Who asks.
        peer: PeerId,
        /// The number of the request.
        request: RequestId,
        /// What for.
        op: Op,
    },
    /// A worker reports: `TurnDone`, `TurnStuck`, `TaskDone`, `StepDone` or `Evicted`.
    Report {
        /// Which worker.
        peer: PeerId,
        /// What.
        report: FromPeer,
    },
    /// A peer's connection is gone: its leases are void, its questions moot.
    PeerGone {
        /// Which.
        peer: PeerId,
    },
    /// A worker registered a workflow. Remembered, so that starts of unknown workflows are refused.
    WorkflowKnown {
        /// The workflow.
        workflow: Name,
        /// Its version.
        version: u32,
    },
    /// Another shard sent a message. Repeats are possible; they are recognised by the sequence.
    Message {
        /// Which shard.
        from: ShardId,
        /// Its number among the messages from there to here: from 1, without gaps.
        sequence: u64,
        /// What it says.
        message: Message,
    },
    /// Another shard has durably taken all messages up to `sequence`.
    MessagesTaken {
        /// Which shard.
        by: ShardId,
        /// Up to where.
        sequence: u64,
    },
    /// A delivery has ended.
    Delivered {
        /// The destination.
        destination: Name,
        /// The job.
        job: JobId,
        /// The token of its lease.
        token: Token,
        /// How it ended.
        delivery: Delivery,
    },
    /// The shard's deadline has come.
    Tick,
}

/// A message from shard to shard.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Message {
    /// Accept jobs that a run has created.
    #[n(0)]
    CreateJobs {
        /// The jobs with their identities.
        #[n(0)]
        jobs: Vec<(JobId, NewJob)>,
        /// The run, as `workflow/id`.
        #[n(1)]
        source: Name,
    },
    /// Start a run for a run or a schedule, which is told when it ends.
    #[n(1)]
    StartRun {
        /// The run. Its nonce is not looked at: the origin is as good as one.
        #[n(0)]
        start: Start,
        /// Who wants it.
        #[n(1)]
        origin: Origin,
        /// True: `RunStarted` is wanted also if it is accepted.
        #[n(2)]
        announce: bool,
    },
    /// What became of `StartRun`.
    #[n(2)]
    RunStarted {
        /// Who wanted it.
        #[n(0)]
        origin: Origin,
        /// The run.
        #[n(1)]
        run: RunId,
        /// Why it was not started; absent: it was, or was there.
        #[n(2)]
        refused: Option<Rejection>,
    },
    /// A run has ended that the origin had started, or attached to.
    #[n(3)]
    RunEnded {
        /// Who is told.
        #[n(0)]
        origin: Origin,
        /// The run.
        #[n(1)]
        run: RunId,
        /// Its final status.
        #[n(2)]
        status: RunStatus,
        /// The value or the failure.
        #[n(3)]
        outcome: Outcome,
    },
    /// End a run.
    #[n(4)]
    EndRun {
        /// The run.
        #[n(0)]
        run: RunId,
        /// Whether its code is asked.
        #[n(1)]
        how: EndHow,
        /// Why, for a person.
        #[n(2)]
        reason: Name,
        /// Only if this is who started it: a later run under the same id is not meant.
        #[n(3)]
        only_of: Option<Origin>,
        /// Who wants to know whether that was possible.
        #[n(4)]
        answer_to: Option<Origin>,
    },
    /// A signal from a run.
    #[n(5)]
    Signal {
        /// The run that gets it.
        #[n(0)]
        run: RunId,
        /// The channel.
        #[n(1)]
        channel: Name,
        /// The value.
        #[n(2)]
        payload: Payload,
        /// A repeat with the same nonce is dropped.
        #[n(3)]
        nonce: Nonce,
        /// Who wants to know whether it was taken.
        #[n(4)]
        answer_to: Option<Origin>,
    },
    /// The answer to `EndRun`, `Signal` and their like.
    #[n(6)]
    Answered {
        /// Who wanted to know.
        #[n(0)]
        origin: Origin,
        /// Why it was not possible; absent: it is done.
        #[n(1)]
        refused: Option<Rejection>,
    },
    /// Call a method of a run for another, or for itself.
    #[n(7)]
    CallMethod {
        /// The run.
        #[n(0)]
        run: RunId,
        /// The method.
        #[n(1)]
        method: Name,
        /// Its argument.
        #[n(2)]
        input: Payload,
        /// Who calls, and is told how it ended.
        #[n(3)]
        origin: Origin,
    },
    /// A method that the origin had called has ended, or the call was refused.
    #[n(8)]
    MethodEnded {
        /// Who called.
        #[n(0)]
        origin: Origin,
        /// How it ended.
        #[n(1)]
        outcome: Outcome,
    },
    /// A signal from a run to all that have a tag, on its way through the shards.
    #[n(9)]
    SignalTagged(#[n(0)] Tagged),
    /// It has been everywhere: for the run that sent it.
    #[n(12)]
    TaggedDone(#[n(0)] Tagged),
    /// A destination wants permits of shared limiters.
    #[n(13)]
    WantPermits {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// For its jobs with this action; absent: for all that have no limiters of their own.
        #[n(1)]
        action: Option<Name>,
        /// What each of them needs. What was wanted before is wanted of these from now on.
        #[n(2)]
        uses: Vec<LimiterUse>,
        /// How many more.
        #[n(3)]
        count: u32,
    },
    /// Permits, each for one call.
    #[n(14)]
    Permits {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// For its jobs with this action.
        #[n(1)]
        action: Option<Name>,
        /// Which limiters have granted them.
        #[n(2)]
        uses: Vec<LimiterUse>,
        /// How many.
        #[n(3)]
        count: u32,
        /// What those wait for that are wanted and not among them.
        #[n(4)]
        wait: Option<PermitWait>,
    },
    /// What has become of permits.
    #[n(15)]
    PermitsDone {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// For its jobs with this action.
        #[n(1)]
        action: Option<Name>,
        /// What.
        #[n(2)]
        done: PermitsDone,
    },
}

/// A signal to all runs of a workflow with a tag. It goes from shard to shard and counts as it goes.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Tagged {
    /// The workflow.
    #[n(0)]
    pub workflow: Name,
    /// The tag.
    #[n(1)]
    pub tag: Name,
    /// The channel.
    #[n(2)]
    pub channel: Name,
    /// The value.
    #[n(3)]
    pub payload: Payload,
    /// A repeat with the same nonce is dropped by each run.
    #[n(4)]
    pub nonce: Nonce,
    /// Who wants to know how many there were.
    #[n(5)]
    pub answer_to: Origin,
    /// Runs that have it so far.
    #[n(6)]
    pub count: u64,
    /// In this shard, those up to here.
    #[n(7)]
    pub after: Option<RunKey>,
}

/// What has become of permits of shared limiters.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct PermitsDone {
    /// Used now.
    #[n(0)]
    pub used: u32,
    /// Given back.
    #[n(1)]
    pub unused: u32,
    /// Calls that have ended, which were used before.
    #[n(2)]
    pub ended: u32,
    /// When.
    #[n(3)]
    pub at: Timestamp,
    /// The destination asked for patience until then.
    #[n(4)]
    pub held_until: Option<Timestamp>,
    /// The limiters whose patience that is too.
    #[n(5)]
    pub held: Vec<Name>,
}

/// Why permits are not granted yet.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct PermitWait {
    /// Which limiter, and what of it, in words.
    #[n(0)]
    pub words: Name,
    /// Not before then; absent: that is not a matter of time.
    #[n(1)]
    pub until: Option<Timestamp>,
}

impl PermitsDone {
    /// True if there is anything to tell.
    #[must_use]
    pub fn is_news(&self) -> bool {
        self.used + self.unused + self.ended > 0 || self.held_until.is_some()
    }
}

/// How a run is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum EndHow {
    /// Its code is asked to come to an end, and cleans up.
    #[n(0)]
    Cancel,
    /// At once, without asking its code.
    #[n(1)]
    Terminate,
}

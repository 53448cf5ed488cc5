//! The vocabulary of egress: jobs, destinations and how a delivery ended.

use crate::ids::JobId;
use crate::payload::{Name, Payload};
use crate::peer::Rejection;
use crate::policy::RetryPolicy;
use crate::time::Timestamp;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

mod breaker;
mod coalesce;
mod connector;
mod lane;
mod limit;

pub use breaker::Breaker;
pub use coalesce::Coalesce;
pub use connector::{Connector, ErrorClass, ItemFailure, Resolve};
pub use lane::{LaneBy, NO_LANE, NoLanes};
pub use limit::{Limiter, LimiterUse, Quota};

/// A job as its creator describes it: to where, what, and in which order.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct NewJob {
    /// The destination's name.
    #[n(0)]
    pub destination: Name,
    /// The ordering key: jobs of one lane arrive in the order of their creation, one at a time. [`NO_LANE`] names none.
    #[n(1)]
    pub lane: Name,
    /// What kind of object it is about, such as `stock`.
    #[n(2)]
    pub object_type: Name,
    /// What happened to it: `create`, `update`, `delete`, or a word of the user's.
    #[n(3)]
    pub action: Name,
    /// Which objects.
    #[n(4)]
    pub object_ids: Vec<Name>,
    /// The body to deliver.
    #[n(5)]
    pub body: Payload,
    /// Not to be sent before this time.
    #[n(6)]
    pub not_before: Option<Timestamp>,
    /// Not to be sent any more from this time on.
    #[n(7)]
    pub expires_at: Option<Timestamp>,
    /// The batch that its stage is a part of.
    #[n(8)]
    pub batch: Option<Name>,
    /// It waits for the jobs of its batch with a lower stage that were accepted before it.
    #[n(9)]
    pub stage: Option<u32>,
    /// It waits for the jobs about these objects that were accepted before it.
    #[n(10)]
    pub depends_on: Option<Vec<ObjectRef>>,
    /// The key that its identity is made of.
    #[n(11)]
    pub dedupe_key: Option<Name>,
    /// True: its body comes from the destination's metadata API when it leaves.
    #[n(17)]
    pub resolve: Option<bool>,
}

impl Default for NewJob {
    fn default() -> Self {
        Self {
            destination: Name::from(""),
            lane: Name::from(NO_LANE),
            object_type: Name::from("object"),
            action: Name::from("update"),
            object_ids: Vec::new(),
            body: Payload::null(),
            not_before: None,
            expires_at: None,
            batch: None,
            stage: None,
            depends_on: None,
            dedupe_key: None,
            resolve: None,
        }
    }
}

/// An object that a job is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
pub struct ObjectRef {
    /// What kind of object.
    #[n(0)]
    pub object_type: Name,
    /// Which.
    #[n(1)]
    pub object_id: Name,
}

/// What became of one of the jobs that a client wanted accepted.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Taken {
    /// A job with this identity was there already: nothing was changed.
    #[n(0)]
    Known,
    /// Accepted, and an older job about the same object that had not left is superseded.
    #[n(1)]
    Superseding(#[n(0)] JobId),
    /// Accepted and settled at once: it and the creation of the same object, which had not left, cancel out.
    #[n(2)]
    CancelledOut(#[n(0)] JobId),
    /// Refused.
    #[n(3)]
    Refused(#[n(0)] Rejection),
}

/// A delivery that has failed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Attempt {
    /// Which one, from 1.
    #[n(0)]
    pub number: u32,
    /// When it ended.
    #[n(1)]
    pub at: Timestamp,
    /// The HTTP status; absent: there was no answer.
    #[n(2)]
    pub status: Option<u16>,
    /// What was answered, or why there was none, shortened.
    #[n(3)]
    pub error: Name,
}

/// A job as it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Job {
    /// Its identity, and idempotency key.
    #[n(0)]
    pub id: JobId,
    /// What its creator said.
    #[n(1)]
    pub new: NewJob,
    /// Its place in its lane, from 1, without gaps.
    #[n(2)]
    pub lane_sequence: u64,
    /// When it was accepted.
    #[n(3)]
    pub created_at: Timestamp,
    /// Attempts that got a real answer or a transport failure.
    #[n(4)]
    pub attempts: u32,
    /// The earliest time of the next attempt.
    #[n(5)]
    pub ready_at: Timestamp,
    /// Where it stands.
    #[n(6)]
    pub state: JobState,
    /// How the newest attempt failed, for a person.
    #[n(7)]
    pub last_error: Option<Name>,
    /// When it reached its final state.
    #[n(8)]
    pub settled_at: Option<Timestamp>,
    /// The run that created it, as `workflow/id`.
    #[n(9)]
    pub source: Option<Name>,
    /// Failed attempts, the oldest first: the last [`ATTEMPTS_KEPT_MAX`].
    #[n(10)]
    pub failed: Option<Vec<Attempt>>,
    /// The job that has taken its place.
    #[n(11)]
    pub superseded_by: Option<JobId>,
    /// The dead letter that it was first made of, with another body.
    #[n(12)]
    pub replay_of: Option<JobId>,
    /// Its number among the jobs of its destination, in the order of their acceptance. Rows of earlier builds have one only if
    /// they are of a batch.
    #[n(13)]
    pub number: Option<u64>,
    /// The jobs that it waits for, because they are about objects that it depends on.
    #[n(14)]
    pub waits_for: Option<Vec<JobId>>,
    /// An operator let it go without what it waits for.
    #[n(15)]
    pub released: Option<bool>,
    /// Since when its object waits: the age of the oldest job that it superseded.
    #[n(16)]
    pub object_since: Option<Timestamp>,
    /// When its first attempt failed, since it was accepted or replayed.
    #[n(17)]
    pub tried_since: Option<Timestamp>,
}

/// Failed attempts that a job remembers.
pub const ATTEMPTS_KEPT_MAX: usize = 20;

/// Where a job stands. In flight is not here: a lease is volatile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum JobState {
    /// To be delivered, or delivered again.
    #[n(0)]
    Pending,
    /// The destination accepted it.
    #[n(1)]
    Succeeded,
    /// Its attempts are used up, or the destination refused it for good.
    #[n(2)]
    Dead,
    /// An operator cancelled it.
    #[n(3)]
    Cancelled,
    /// A newer job about the same object has taken its place, or cancelled out with it.
    #[n(4)]
    Superseded,
    /// Its time was over before it was delivered.
    #[n(5)]
    Expired,
    /// It could not be delivered, and its lane stands still behind it until an operator decides.
    #[n(6)]
    Parked,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Succeeded,
        Self::Dead,
        Self::Cancelled,
        Self::Superseded,
        Self::Expired,
        Self::Parked,
    ];

    /// The state in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::Parked => "parked",
        }
    }

    /// True while it has a place in its lane.
    #[must_use]
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Pending | Self::Parked)
    }
}

/// A configured target of deliveries.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Destination {
    /// Its name.
    #[n(0)]
    pub name: Name,
    /// Where jobs are sent: an `http://` or `https://` URL. Each job is one `POST`.
    #[n(1)]
    pub url: Name,
    /// How often; absent: as fast as it answers.
    #[n(2)]
    pub rate: Option<Rate>,
    /// How many calls are under way at once.
    #[n(3)]
    pub concurrency: u32,
    /// How long a call may take, in milliseconds.
    #[n(4)]
    pub timeout_ms: u64,
    /// How failed deliveries are repeated.
    #[n(5)]
    pub retry: RetryPolicy,
    /// What the rest of a lane does while its first job is being retried.
    #[n(6)]
    pub head_of_line: HeadOfLine,
    /// True while an operator holds it back.
    #[n(7)]
    pub paused: bool,
    /// What answers mean, where the defaults do not say it: the first rule that holds decides.
    #[n(8)]
    #[cbor(default)]
    pub rules: Vec<Rule>,
    /// When calls stop because too many fail; absent: never.
    #[n(10)]
    pub breaker: Option<Breaker>,
    /// Whether a newer job about an object takes the place of an older one; absent: never.
    #[n(11)]
    pub coalesce: Option<Coalesce>,
    /// Which lane a job has that names none: an expression over `job`; absent: the lane `default`.
    #[n(14)]
    pub lane_by: Option<Name>,
    /// How many calls there may be in spans of time.
    #[n(12)]
    pub quotas: Option<Vec<Quota>>,
    /// The limiters that it shares with others.
    #[n(13)]
    pub limiters: Option<Vec<LimiterUse>>,
    /// What authenticates the calls; absent: nothing does. The engine opens it at the last moment.
    #[n(26)]
    #[cbor(default)]
    pub credential: Option<Name>,
    /// How it is called if it is a connector; absent: each job is a webhook of its own.
    #[n(31)]
    pub connector: Option<Connector>,
    /// Where bodies come from that jobs do not carry.
    #[n(32)]
    pub resolve: Option<Resolve>,
}

/// A rule that judges deliveries.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Rule {
    /// When it holds: an expression over `status`, `headers`, `body`, `error`, `attempt` and `job`. The core carries it; the
    /// engine evaluates it.
    #[n(0)]
    pub when: Name,
    /// What follows.
    #[n(1)]
    pub then: Verdict,
}

/// What a delivery means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Verdict {
    /// The destination has it.
    #[n(0)]
    Succeed,
    /// It is tried again.
    #[n(1)]
    Retry {
        /// After so many milliseconds; absent: as the destination's retry policy says.
        #[n(0)]
        after_ms: Option<u64>,
    },
    /// The destination refused it for good: a dead letter.
    #[n(2)]
    Fail,
    /// The destination is not to be called any more until an operator says so. The job waits, and the call costs no attempt.
    #[n(3)]
    Pause,
    /// It is tried again after so many milliseconds, in which the destination is not called at all, and costs no attempt: it never
    /// left, because what it needs was not there.
    #[n(20)]
    Wait {
        /// For so long.
        #[n(0)]
        after_ms: u64,
    },
    /// What authenticates the calls is renewed once, and it is tried again; if that does not help, it has failed. The engine does
    /// it, and gives the core another verdict.
    #[n(21)]
    RefreshCredential,
}

/// A rate limit: `per_second` in the long run, and at most `burst` at once (GCRA, ITU-T I.371).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Rate {
    /// Calls a second. At least 1.
    #[n(0)]
    pub per_second: u32,
    /// Calls that may leave at once after a pause. At least 1.
    #[n(1)]
    pub burst: u32,
}

/// What the rest of a lane does while its first job waits for a retry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum HeadOfLine {
    /// It waits, so that the order holds. Once the job is dead the lane goes on.
    #[default]
    #[n(0)]
    Block,
    /// The first failure makes the job a dead letter, and the lane goes on.
    #[n(1)]
    Skip,
    /// It waits; and once the job has failed for good the lane stands still until an operator decides.
    #[n(2)]
    Park,
}

/// How one delivery ended, as the engine saw it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Delivery {
    /// There was an answer.
    #[n(0)]
    Answered {
        /// The HTTP status.
        #[n(0)]
        status: u16,
        /// The destination asked for this much patience, in milliseconds.
        #[n(1)]
        retry_after_ms: Option<u64>,
        /// The beginning of the answer's body, for a person.
        #[n(2)]
        excerpt: Name,
        /// What a rule of the destination says it means; absent: none held.
        #[n(3)]
        verdict: Option<Verdict>,
    },
    /// There was no answer: refused, broken off or too late. Whether the destination acted on it is unknown.
    #[n(1)]
    Unanswered {
        /// Why, for a person.
        #[n(0)]
        reason: Name,
        /// What a rule of the destination says it means; absent: none held.
        #[n(1)]
        verdict: Option<Verdict>,
    },
    /// A connector answered, and this is what it said of the job.
    #[n(5)]
    Item {
        /// Why it did not carry the job out; absent: it did.
        #[n(0)]
        failure: Option<ItemFailure>,
        /// What a rule of the destination says it means; absent: none held.
        #[n(1)]
        verdict: Option<Verdict>,
    },
}

impl Default for Destination {
    fn default() -> Self {
        Self {
            name: Name::from(""),
            url: Name::from(""),
            rate: None,
            concurrency: 16,
            timeout_ms: 30_000,
            retry: RetryPolicy {
                elapsed_ms: None,
                initial_ms: 500,
                factor_percent: 200,
                max_ms: 60_000,
                attempts: 20,
                jitter_percent: 20,
                non_retryable: Vec::new(),
            },
            head_of_line: HeadOfLine::Block,
            paused: false,
            rules: Vec::new(),
            breaker: None,
            coalesce: None,
            lane_by: None,
            quotas: None,
            limiters: None,
            credential: None,
            connector: None,
            resolve: None,
        }
    }
}

//! What happens and is in no history: the feed is the only place that tells of it.

use crate::failure::Failure;
use crate::ids::{CommandId, JobId, RunId};
use crate::payload::Name;
use crate::peer::Rejection;
use crate::run::RunStatus;
use crate::schedule::{Cause, FireEnd};
use crate::time::Timestamp;
use minicbor::{Decode, Encode};

/// Something that happened and that no history holds. It is in the feed's row.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum Mark {
    /// An attempt of a task is with a worker. The same attempt may begin again if its worker is lost.
    #[n(0)]
    AttemptStarted {
        /// The task.
        #[n(0)]
        command: CommandId,
        /// Which attempt, from 1.
        #[n(1)]
        attempt: u32,
    },
    /// An attempt of a task has failed, and there will be another.
    #[n(1)]
    AttemptFailed {
        /// The task.
        #[n(0)]
        command: CommandId,
        /// Which attempt, from 1.
        #[n(1)]
        attempt: u32,
        /// When the next may begin.
        #[n(2)]
        retry_at: Timestamp,
        /// Why, shortened.
        #[n(3)]
        failure: Failure,
    },
    /// The run is held back.
    #[n(2)]
    Paused {
        /// Why.
        #[n(0)]
        reason: Name,
    },
    /// The run goes on.
    #[n(3)]
    Resumed,
    /// The run has ended otherwise than by returning a value.
    #[n(4)]
    Ended {
        /// How.
        #[n(0)]
        status: RunStatus,
        /// Why, shortened.
        #[n(1)]
        failure: Option<Failure>,
    },
    /// From here on chunks of the run's history are gone or others. What they held before is kept for the feed. No event.
    #[n(5)]
    Parted,
    /// Somebody has removed the run.
    #[n(6)]
    Purged,
    /// Where the command lies that an entry of this item answers, if that is far away. No event.
    #[n(7)]
    Found {
        /// The command.
        #[n(0)]
        command: CommandId,
        /// The chunk that holds it.
        #[n(1)]
        chunk: u32,
    },
    /// The attempt has ended without a result: that comes from outside.
    #[n(8)]
    TaskDelegated {
        /// The task.
        #[n(0)]
        command: CommandId,
        /// Which attempt, from 1.
        #[n(1)]
        attempt: u32,
    },
    /// The run goes on from an earlier place of its history, or of another run's.
    #[n(9)]
    Rewound {
        /// Turns and commands that were dropped.
        #[n(0)]
        dropped: u32,
        /// The run whose history this was, if it is a fork.
        #[n(1)]
        source: Option<RunId>,
    },
    /// The schedule is new.
    #[n(40)]
    ScheduleCreated,
    /// The schedule is another.
    #[n(41)]
    ScheduleUpdated,
    /// The schedule is gone.
    #[n(42)]
    ScheduleDeleted,
    /// The schedule's clock is held back.
    #[n(43)]
    SchedulePaused {
        /// Why.
        #[n(0)]
        reason: Name,
    },
    /// The schedule's clock goes on.
    #[n(44)]
    ScheduleResumed,
    /// The schedule has fired.
    #[n(45)]
    ScheduleFired {
        /// The instant that it stands for.
        #[n(0)]
        at: Timestamp,
        /// Why it fired.
        #[n(1)]
        cause: Cause,
        /// What has come of it so far.
        #[n(2)]
        end: FireEnd,
        /// The id of the run that is being started.
        #[n(3)]
        run: Option<Name>,
    },
    /// The run of a fire could not be started.
    #[n(46)]
    ScheduleRefused {
        /// The run's id.
        #[n(0)]
        run: Name,
        /// Why.
        #[n(1)]
        rejection: Rejection,
    },
    /// The job is accepted.
    #[n(20)]
    JobAccepted {
        /// Its place in its lane.
        #[n(0)]
        sequence: u64,
    },
    /// A delivery has failed, and there will be another.
    #[n(21)]
    JobAttemptFailed {
        /// Which attempt, from 1.
        #[n(0)]
        attempt: u32,
        /// When the next may begin.
        #[n(1)]
        retry_at: Timestamp,
        /// Why, shortened.
        #[n(2)]
        reason: Name,
    },
    /// The destination accepted the job.
    #[n(22)]
    JobDelivered {
        /// With which attempt, from 1.
        #[n(0)]
        attempt: u32,
    },
    /// The job is a dead letter.
    #[n(23)]
    JobDead {
        /// With which attempt, from 1.
        #[n(0)]
        attempt: u32,
        /// Why, shortened.
        #[n(1)]
        reason: Name,
    },
    /// Somebody put the dead letter back to the end of its lane.
    #[n(24)]
    JobReplayed {
        /// Its place there.
        #[n(0)]
        sequence: u64,
    },
    /// Somebody cancelled the job.
    #[n(25)]
    JobCancelled,
    /// A newer job about the same object has taken the job's place, or cancelled out with it.
    #[n(26)]
    JobSuperseded {
        /// The other one.
        #[n(0)]
        by: JobId,
    },
    /// The job's time was over.
    #[n(27)]
    JobExpired,
    /// The job could not be delivered, and its lane stands still behind it.
    #[n(28)]
    LaneBlocked {
        /// With which attempt, from 1.
        #[n(0)]
        attempt: u32,
        /// Why, shortened.
        #[n(1)]
        reason: Name,
    },
    /// Somebody lets the lane of the job go on.
    #[n(29)]
    LaneReleased,
    /// What the job waits for has failed for good.
    #[n(30)]
    JobBlocked {
        /// Why.
        #[n(0)]
        reason: Name,
    },
    /// Somebody lets the job go without what it waits for.
    #[n(31)]
    JobReleased,
    /// The breaker of the destination has opened.
    #[n(32)]
    DestinationFailing {
        /// When one call is tried.
        #[n(0)]
        until: Timestamp,
        /// How often it has opened since the last success.
        #[n(1)]
        trips: u32,
    },
    /// The breaker of the destination has closed.
    #[n(33)]
    DestinationRecovered,
    /// The destination is not called any more until an operator says so.
    #[n(34)]
    DestinationDisabled {
        /// Why.
        #[n(0)]
        reason: Name,
    },
    /// No access token is to be had for the credential, or none that helps.
    #[n(50)]
    CredentialRefreshFailed {
        /// Which version of it.
        #[n(0)]
        version: u32,
        /// Why, shortened and without a secret.
        #[n(1)]
        reason: Name,
    },
    /// There is an access token again.
    #[n(51)]
    CredentialRefreshRecovered {
        /// With which version of the credential.
        #[n(0)]
        version: u32,
    },
}

//! The types of events, and which of them a thing that happened is.
//!
//! [`EventType::of_entry`] and [`EventType::of_mark`] match without a wildcard: whoever adds an entry to histories, or a mark, has
//! to say here which event it is, or that it is none.

use super::{Mark, What};
use crate::entry::{Command, Entry, Notification, Outcome};
use crate::failure::FailureKind;
use crate::run::RunStatus;
use minicbor::{Decode, Encode};

macro_rules! event_types {
    ($( $number:literal $kind:ident $name:literal $meaning:literal, )*) => {
        /// The type of an event. The numbers are never used again for something else.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
        #[cbor(index_only)]
        pub enum EventType {
            $( #[doc = $meaning] #[n($number)] $kind, )*
        }

        impl EventType {
            /// Every type.
            pub const ALL: &'static [Self] = &[$( Self::$kind, )*];

            /// Its name: the `type` of the CloudEvent.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$kind => concat!("io.trunkline.", $name), )* }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $( Self::$kind => $meaning, )* }
            }
        }
    };
}

event_types! {
    1  RunStarted "run.started" "A run was accepted.",
    2  RunPaused "run.paused" "A run is held back: by an operator, or because its code no longer matches its history.",
    3  RunResumed "run.resumed" "A paused run goes on.",
    4  RunCancelRequested "run.cancel_requested" "Somebody asked a run to cancel.",
    5  RunCompleted "run.completed" "A run returned a value.",
    6  RunFailed "run.failed" "A run returned an error.",
    7  RunCancelled "run.cancelled" "A run ended after a request to cancel.",
    8  RunTerminated "run.terminated" "A run was ended without asking its code.",
    9  RunPurged "run.purged" "A run was removed before its retention was over.",
    10 RunTimedOut "run.timed_out" "A run did not end within its time-out.",
    11 RunRewound "run.rewound" "A run goes on from an earlier place: it was retried, or forked from another.",
    12 RunContinued "run.continued" "A run goes on as new, with an empty history.",
    20 TaskScheduled "task.scheduled" "A run asked for a task.",
    21 TaskAttemptStarted "task.attempt_started" "An attempt of a task is with a worker.",
    22 TaskAttemptFailed "task.attempt_failed" "An attempt of a task failed, and there will be another.",
    23 TaskCompleted "task.completed" "A task succeeded.",
    24 TaskFailed "task.failed" "A task failed for good.",
    25 TaskCancelled "task.cancelled" "A task was cancelled.",
    26 TaskCancelRequested "task.cancel_requested" "A run no longer wants a task that it asked for.",
    27 TaskDelegated "task.delegated" "An attempt of a task ended without a result: that comes from outside.",
    30 TimerSet "timer.set" "A run set a timer.",
    31 TimerFired "timer.fired" "A timer came due.",
    32 TimerCancelled "timer.cancelled" "A run no longer waits for a timer.",
    40 SignalReceived "signal.received" "A signal arrived at a run.",
    50 StepBegun "step.begun" "An inline step began.",
    51 StepCompleted "step.completed" "An inline step succeeded.",
    52 StepFailed "step.failed" "An inline step failed.",
    60 PropertySet "property.set" "A run set a property.",
    61 TagsAdded "tags.added" "A run added tags to itself.",
    62 TagsRemoved "tags.removed" "A run removed tags from itself.",
    70 MethodCalled "method.called" "A method of a run was called.",
    71 MethodCompleted "method.completed" "A method of a run returned a value.",
    72 MethodFailed "method.failed" "A method of a run returned an error.",
    73 CallSent "call.sent" "A run called a method of another run.",
    74 CallCompleted "call.completed" "A method that a run had called returned a value.",
    75 CallFailed "call.failed" "A method that a run had called returned an error, or could not be called.",
    80 ChildRequested "child.requested" "A run asked for a child.",
    81 ChildStarted "child.started" "The child of a run was accepted.",
    82 ChildCompleted "child.completed" "The child of a run returned a value.",
    83 ChildFailed "child.failed" "The child of a run ended otherwise, or could not be started.",
    84 ChildCancelRequested "child.cancel_requested" "A run that was asked to cancel asks its child.",
    85 SignalSent "signal.sent" "A run sent a signal to another, or to every run with a tag.",
    86 CancelSent "cancel.sent" "A run asked another to cancel.",
    87 AskAnswered "ask.answered" "What a run asked of another was done there.",
    88 AskRefused "ask.refused" "What a run asked of another was refused there.",
    90 JobCreated "job.created" "A run asked for a delivery.",
    91 JobAccepted "job.accepted" "A job was accepted at the end of its lane.",
    92 JobAttemptFailed "job.attempt_failed" "A delivery failed, and there will be another.",
    93 JobDelivered "job.delivered" "The destination accepted a job.",
    94 JobDead "job.dead" "A job used up its attempts, or was refused for good.",
    95 JobReplayed "job.replayed" "A dead letter was put back to the end of its lane.",
    96 JobCancelled "job.cancelled" "A job was cancelled.",
    100 ScheduleCreated "schedule.created" "A schedule was made.",
    101 ScheduleUpdated "schedule.updated" "A schedule was changed.",
    102 ScheduleDeleted "schedule.deleted" "A schedule was deleted.",
    103 SchedulePaused "schedule.paused" "The clock of a schedule is held back.",
    104 ScheduleResumed "schedule.resumed" "The clock of a schedule goes on.",
    105 ScheduleFired "schedule.fired" "A schedule fired: it starts a run, waits for one to end, or skips.",
    106 ScheduleRefused "schedule.refused" "The run of a schedule could not be started.",
    107 JobSuperseded "job.superseded" "A newer job about the same object took the place of a job, or cancelled out with it.",
    108 JobExpired "job.expired" "The time of a job was over before it was delivered.",
    109 JobBlocked "job.blocked" "What a job waits for failed for good.",
    110 JobReleased "job.released" "A job goes without what it waited for.",
    111 LaneBlocked "lane.blocked" "A job could not be delivered, and its lane stands still behind it.",
    112 LaneReleased "lane.released" "A lane that stood still goes on.",
    113 DestinationFailing "destination.failing" "The breaker of a destination opened: too many calls failed.",
    114 DestinationRecovered "destination.recovered" "The breaker of a destination closed.",
    115 DestinationDisabled "destination.disabled" "A destination is not called any more until an operator says so.",
    116 CredentialRefreshFailed "credential.refresh_failed" "The token endpoint of a credential gave no access token, or a destination refused a renewed one.",
    117 CredentialRefreshRecovered "credential.refresh_recovered" "There are access tokens again for a credential, after a refresh that failed.",
}

impl EventType {
    /// The type with this name, with or without `io.trunkline.`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let short = |kind: Self| kind.as_str().strip_prefix("io.trunkline.");
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == name || short(*kind) == Some(name))
    }

    /// Which event an entry of a history is; nothing if it is none. `Entry::Turn` is how a run moves on, and nothing that
    /// happens to it; and a run that ended with an error has a [`Mark::Ended`] that says how.
    #[must_use]
    pub fn of_entry(entry: &Entry) -> Option<Self> {
        match entry {
            Entry::Notification(_, notification) => Self::of_notification(notification),
            Entry::Turn { .. } => None,
            Entry::Command(command) => Self::of_command(command),
        }
    }

    fn of_notification(notification: &Notification) -> Option<Self> {
        Some(match notification {
            // A mark says it: the entries before it were told when they happened.
            Notification::Rewound { .. } => return None,
            Notification::Started { .. } => Self::RunStarted,
            Notification::TaskCompleted { .. } => Self::TaskCompleted,
            Notification::TaskFailed { failure, .. } => match failure.kind {
                FailureKind::Cancelled => Self::TaskCancelled,
                FailureKind::Application
                | FailureKind::TimedOut
                | FailureKind::Panicked
                | FailureKind::Terminated => Self::TaskFailed,
            },
            Notification::TimerFired { .. } => Self::TimerFired,
            Notification::Signal { .. } => Self::SignalReceived,
            Notification::StepDone {
                outcome: Outcome::Completed(_),
                ..
            } => Self::StepCompleted,
            Notification::StepDone {
                outcome: Outcome::Failed(_),
                ..
            } => Self::StepFailed,
            Notification::CancelRequested { .. } => Self::RunCancelRequested,
            Notification::MethodCalled { .. } => Self::MethodCalled,
            Notification::MethodEnded {
                outcome: Outcome::Completed(_),
                ..
            } => Self::CallCompleted,
            Notification::MethodEnded {
                outcome: Outcome::Failed(_),
                ..
            } => Self::CallFailed,
            Notification::ChildStarted { .. } => Self::ChildStarted,
            Notification::ChildEnded {
                outcome: Outcome::Completed(_),
                ..
            } => Self::ChildCompleted,
            Notification::ChildEnded {
                outcome: Outcome::Failed(_),
                ..
            } => Self::ChildFailed,
            Notification::Answered {
                outcome: Outcome::Completed(_),
                ..
            } => Self::AskAnswered,
            Notification::Answered {
                outcome: Outcome::Failed(_),
                ..
            } => Self::AskRefused,
        })
    }

    fn of_command(command: &Command) -> Option<Self> {
        Some(match command {
            Command::ScheduleTask { .. } => Self::TaskScheduled,
            Command::CancelTask { .. } => Self::TaskCancelRequested,
            Command::StartTimer { .. } => Self::TimerSet,
            Command::CancelTimer { .. } => Self::TimerCancelled,
            Command::SetProperty { .. } => Self::PropertySet,
            Command::AddTags { .. } => Self::TagsAdded,
            Command::RemoveTags { .. } => Self::TagsRemoved,
            Command::BeginStep { .. } => Self::StepBegun,
            Command::CreateJob { .. } => Self::JobCreated,
            Command::MethodReturned {
                outcome: Outcome::Completed(_),
                ..
            } => Self::MethodCompleted,
            Command::MethodReturned {
                outcome: Outcome::Failed(_),
                ..
            } => Self::MethodFailed,
            Command::CallMethod { .. } => Self::CallSent,
            Command::StartChild { .. } => Self::ChildRequested,
            Command::CancelChild { .. } => Self::ChildCancelRequested,
            Command::SignalRun { .. } | Command::SignalTagged { .. } => Self::SignalSent,
            Command::CancelRun { .. } => Self::CancelSent,
            Command::ContinueAsNew { .. } => Self::RunContinued,
            // Which way code went is between it and its replays.
            Command::Patch { .. } => return None,
            Command::Finish {
                outcome: Outcome::Completed(_),
            } => Self::RunCompleted,
            Command::Finish {
                outcome: Outcome::Failed(_),
            } => return None,
        })
    }

    /// Which event a mark is; nothing if it is only for the reader of the feed.
    #[must_use]
    pub fn of_mark(mark: &Mark) -> Option<Self> {
        Some(match mark {
            Mark::AttemptStarted { .. } => Self::TaskAttemptStarted,
            Mark::AttemptFailed { .. } => Self::TaskAttemptFailed,
            Mark::Paused { .. } => Self::RunPaused,
            Mark::Resumed => Self::RunResumed,
            Mark::Ended { status, .. } => match status {
                RunStatus::Completed => Self::RunCompleted,
                RunStatus::Failed => Self::RunFailed,
                RunStatus::Cancelled => Self::RunCancelled,
                RunStatus::Terminated => Self::RunTerminated,
                RunStatus::TimedOut => Self::RunTimedOut,
                RunStatus::Running | RunStatus::Paused => return None,
            },
            Mark::Parted | Mark::Found { .. } => return None,
            Mark::Purged => Self::RunPurged,
            Mark::Rewound { .. } => Self::RunRewound,
            Mark::TaskDelegated { .. } => Self::TaskDelegated,
            Mark::ScheduleCreated => Self::ScheduleCreated,
            Mark::ScheduleUpdated => Self::ScheduleUpdated,
            Mark::ScheduleDeleted => Self::ScheduleDeleted,
            Mark::SchedulePaused { .. } => Self::SchedulePaused,
            Mark::ScheduleResumed => Self::ScheduleResumed,
            Mark::ScheduleFired { .. } => Self::ScheduleFired,
            Mark::ScheduleRefused { .. } => Self::ScheduleRefused,
            Mark::JobAccepted { .. } => Self::JobAccepted,
            Mark::JobAttemptFailed { .. } => Self::JobAttemptFailed,
            Mark::JobDelivered { .. } => Self::JobDelivered,
            Mark::JobDead { .. } => Self::JobDead,
            Mark::JobReplayed { .. } => Self::JobReplayed,
            Mark::JobCancelled => Self::JobCancelled,
            Mark::JobSuperseded { .. } => Self::JobSuperseded,
            Mark::JobExpired => Self::JobExpired,
            Mark::JobBlocked { .. } => Self::JobBlocked,
            Mark::JobReleased => Self::JobReleased,
            Mark::LaneBlocked { .. } => Self::LaneBlocked,
            Mark::LaneReleased => Self::LaneReleased,
            Mark::DestinationFailing { .. } => Self::DestinationFailing,
            Mark::DestinationRecovered => Self::DestinationRecovered,
            Mark::DestinationDisabled { .. } => Self::DestinationDisabled,
            Mark::CredentialRefreshFailed { .. } => Self::CredentialRefreshFailed,
            Mark::CredentialRefreshRecovered { .. } => Self::CredentialRefreshRecovered,
        })
    }

    /// Which event this is.
    #[must_use]
    pub fn of(what: &What) -> Option<Self> {
        match what {
            What::Entry { entry, .. } => Self::of_entry(entry),
            What::Mark { mark, .. } => Self::of_mark(mark),
        }
    }
}

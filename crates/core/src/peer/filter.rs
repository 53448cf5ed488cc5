//! Which runs are meant: a filter over what a run's row says, and the actions that can be done to many runs at once.

use crate::ids::{Nonce, RunKey};
use crate::payload::{Name, Payload};
use crate::run::{Phase, Run, RunStatus};
use crate::time::Timestamp;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// Which runs are meant. What is absent is not looked at; all that is given must match.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct RunFilter {
    /// Only of this workflow.
    #[n(0)]
    pub workflow: Option<Name>,
    /// Only in this status.
    #[n(1)]
    pub status: Option<RunStatus>,
    /// Only with this tag.
    #[n(2)]
    pub tag: Option<Name>,
    /// Only with this id.
    #[n(3)]
    pub id: Option<Name>,
    /// Go on after this run.
    #[n(4)]
    pub after: Option<RunKey>,
    /// At most so many.
    #[n(5)]
    pub limit: u32,
    /// Only with all of these tags too.
    #[n(6)]
    #[cbor(default)]
    pub tags: Vec<Name>,
    /// Only running runs that are scheduled, or suspended.
    #[n(7)]
    pub phase: Option<Phase>,
    /// Only with an id that begins so.
    #[n(8)]
    pub id_prefix: Option<Name>,
    /// Only if accepted at this time or later.
    #[n(9)]
    pub started_after: Option<Timestamp>,
    /// Only if accepted before this time.
    #[n(10)]
    pub started_before: Option<Timestamp>,
    /// Only if ended at this time or later.
    #[n(11)]
    pub finished_after: Option<Timestamp>,
    /// Only if ended before this time.
    #[n(12)]
    pub finished_before: Option<Timestamp>,
    /// Only with properties of exactly these values.
    #[n(13)]
    #[cbor(default)]
    pub properties: Vec<(Name, Payload)>,
    /// Only those to which this can be done.
    #[n(14)]
    pub fit_for: Option<Fitness>,
}

impl RunFilter {
    /// True if everything fits that the run's row says. The values of properties are in rows of their own: of them only the
    /// names are compared.
    #[must_use]
    pub fn matches(&self, run: &Run) -> bool {
        let has_tag = |tag: &Name| run.tags.binary_search(tag).is_ok();
        let ended = |fits: &dyn Fn(Timestamp) -> bool| run.finished_at.is_some_and(fits);
        self.workflow
            .as_ref()
            .is_none_or(|workflow| *workflow == run.id.workflow)
            && self.status.is_none_or(|status| status == run.status)
            && self.id.as_ref().is_none_or(|id| *id == run.id.id)
            && self.tag.as_ref().is_none_or(has_tag)
            && self.tags.iter().all(has_tag)
            && self
                .id_prefix
                .as_ref()
                .is_none_or(|prefix| run.id.id.starts_with(prefix.as_str()))
            && self.started_after.is_none_or(|at| run.started_at >= at)
            && self.started_before.is_none_or(|at| run.started_at < at)
            && self
                .finished_after
                .is_none_or(|at| ended(&|finished| finished >= at))
            && self
                .finished_before
                .is_none_or(|at| ended(&|finished| finished < at))
            && self.phase.is_none_or(|phase| run.phase() == Some(phase))
            && self.fit_for.is_none_or(|fitness| fitness.has(run))
            && self
                .properties
                .iter()
                .all(|(name, _)| run.properties.binary_search(name).is_ok())
    }

    /// The tag whose index finds the runs, if one is asked for.
    #[must_use]
    pub fn indexed_tag(&self) -> Option<&Name> {
        self.tag.as_ref().or_else(|| self.tags.first())
    }

    /// True if nothing is asked for but a status, so that the counters have the answer.
    #[must_use]
    pub fn is_only_status(&self) -> bool {
        *self
            == Self {
                status: self.status,
                limit: self.limit,
                ..Self::default()
            }
    }
}

/// What must be true of a run so that an action makes sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Fitness {
    /// It has not ended.
    #[n(0)]
    Live,
    /// It is paused.
    #[n(1)]
    Paused,
    /// It has failed, or is paused.
    #[n(2)]
    Retryable,
    /// It has ended.
    #[n(3)]
    Ended,
    /// It runs, and is not paused.
    #[n(4)]
    Running,
}

impl Fitness {
    /// True if the run is like that.
    #[must_use]
    pub fn has(self, run: &Run) -> bool {
        match self {
            Self::Live => !run.status.is_final(),
            Self::Paused => run.status == RunStatus::Paused,
            Self::Retryable => matches!(run.status, RunStatus::Failed | RunStatus::Paused),
            Self::Ended => run.status.is_final(),
            Self::Running => run.status == RunStatus::Running,
        }
    }
}

/// What is done to a run, by tag or in bulk.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Action {
    /// Send it a signal.
    #[n(0)]
    Signal {
        /// The channel.
        #[n(0)]
        channel: Name,
        /// The value.
        #[n(1)]
        payload: Payload,
        /// A repeat with the same nonce is dropped, by each run.
        #[n(2)]
        nonce: Nonce,
    },
    /// Ask it to cancel.
    #[n(1)]
    Cancel {
        /// Why.
        #[n(0)]
        reason: Name,
    },
    /// End it without asking its code.
    #[n(2)]
    Terminate {
        /// Why.
        #[n(0)]
        reason: Name,
    },
    /// Hold it back.
    #[n(3)]
    Pause,
    /// Let it go on if it is paused.
    #[n(4)]
    Resume,
    /// Retry what failed.
    #[n(5)]
    Retry,
    /// Forget it, if it has ended.
    #[n(6)]
    Purge,
    /// Fire its timers now.
    #[n(7)]
    CompleteTimers,
}

impl Action {
    /// The runs to which it can be done.
    #[must_use]
    pub fn fitness(&self) -> Fitness {
        match self {
            Self::Signal { .. }
            | Self::Cancel { .. }
            | Self::Terminate { .. }
            | Self::CompleteTimers => Fitness::Live,
            Self::Pause => Fitness::Running,
            Self::Resume => Fitness::Paused,
            Self::Retry => Fitness::Retryable,
            Self::Purge => Fitness::Ended,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Signal { .. } => "signal",
            Self::Cancel { .. } => "cancel",
            Self::Terminate { .. } => "terminate",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Purge => "purge",
            Self::CompleteTimers => "complete_timers",
        }
    }
}

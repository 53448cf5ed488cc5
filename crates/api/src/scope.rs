//! Scopes: what a token may do. Few and plain.
//!
//! Each route says in the [table](crate::route) what it [needs]; each [`Op`] that comes over a connection of a client or worker has
//! its scope [here](Scope::of). Both are complete by construction: one without does not compile.
//!
//! [needs]: Needs

use crate::core::peer::{EgressOp, JobsOp, Op};
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

#[cfg(test)]
mod tests;

macro_rules! scopes {
    ($( $(#[$doc:meta])* $bit:literal $name:ident $text:literal, )*) => {
        /// What a token may do.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Scope {
            $( $(#[$doc])* $name, )*
        }

        impl Scope {
            /// Every scope.
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];

            /// As it is written.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }

            /// Its bit in what is kept of a token: never used for another.
            fn bit(self) -> u32 {
                match self { $( Self::$name => 1 << $bit, )* }
            }
        }
    };
}

scopes! {
    /// Look at runs, jobs, destinations, schedules, events and metrics; ask queries.
    0 Read "read",
    /// Start runs, signal them, call their methods, answer their tasks.
    1 Run "run",
    /// Steer what is there: cancel, terminate, pause, retry, fork, purge, bulk operations, schedules, dead letters, breakers.
    2 Operate "operate",
    /// Create and cancel jobs.
    3 Egress "egress",
    /// Put destinations, limiters and credentials.
    4 EgressAdmin "egress:admin",
    /// Be a worker.
    5 Work "work",
    /// Look at tokens, tenants and the figures of all tenants.
    6 AdminRead "admin:read",
    /// Make and revoke tokens, make and remove tenants, rotate keys.
    7 Admin "admin",
}

/// What an address asks of whoever comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Nothing: it is there for those who only look whether the process lives.
    Nothing,
    /// A token, whatever its scopes.
    Token,
    /// A token with this scope.
    Scope(Scope),
}

impl Needs {
    /// The scope, if it is one.
    #[must_use]
    pub fn scope(self) -> Option<Scope> {
        match self {
            Self::Scope(scope) => Some(scope),
            Self::Nothing | Self::Token => None,
        }
    }
}

impl Scope {
    /// The scope that is written so.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.as_str() == text)
    }

    /// What a client or worker needs to ask for `op`.
    #[must_use]
    pub fn of(op: &Op) -> Self {
        match op {
            Op::AwaitOutcome { .. }
            | Op::DescribeRun { .. }
            | Op::ListRuns(_)
            | Op::Count(_)
            | Op::History { .. }
            | Op::Property { .. }
            | Op::DescribeDestination { .. }
            | Op::ListDestinations
            | Op::DescribeJob { .. }
            | Op::ListJobs { .. }
            | Op::Counters
            | Op::Relatives { .. }
            | Op::Waits { .. }
            | Op::Query(_)
            | Op::AwaitMethod { .. }
            | Op::OpenTasks { .. }
            | Op::ReadEvents(_)
            | Op::Jobs(
                JobsOp::Count { .. }
                | JobsOp::OfObject { .. }
                | JobsOp::Lanes { .. }
                | JobsOp::Figures { .. },
            )
            | Op::Egress(EgressOp::ListLimiters | EgressOp::DescribeLimiter { .. })
            | Op::DescribeSchedule { .. }
            | Op::ListSchedules { .. }
            | Op::BulkShow { .. }
            | Op::BulkList => Self::Read,
            Op::Start(_)
            | Op::Signal { .. }
            | Op::CallMethod(_)
            | Op::CompleteTask { .. }
            | Op::HeartbeatTask { .. } => Self::Run,
            Op::Cancel { .. }
            | Op::Terminate { .. }
            | Op::Pause { .. }
            | Op::Resume { .. }
            | Op::ReplayJob { .. }
            | Op::Egress(
                EgressOp::ReleaseLane { .. }
                | EgressOp::ReleaseJobs { .. }
                | EgressOp::SetBreaker { .. },
            )
            | Op::Jobs(JobsOp::Correct { .. } | JobsOp::Enable { .. })
            | Op::CompleteTimers { .. }
            | Op::CancelTask { .. }
            | Op::RetryRun { .. }
            | Op::Fork { .. }
            | Op::Purge { .. }
            | Op::PutSchedule { .. }
            | Op::DeleteSchedule { .. }
            | Op::TriggerSchedule { .. }
            | Op::BackfillSchedule { .. }
            | Op::PauseSchedule { .. }
            | Op::BulkStart { .. }
            | Op::BulkCancel { .. }
            | Op::Tagged { .. } => Self::Operate,
            Op::CreateJobs { .. } | Op::CancelJob { .. } => Self::Egress,
            Op::PutDestination { .. }
            | Op::Egress(EgressOp::PutLimiter { .. } | EgressOp::DeleteLimiter { .. }) => {
                Self::EgressAdmin
            }
            // The door lets neither in from outside.
            Op::StartForked { .. } | Op::Keep(_) => Self::Admin,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let all: Vec<_> = Self::ALL.iter().map(|scope| scope.as_str()).collect();
        let expected = format!("one of {}", all.join(", "));
        Self::named(&text)
            .ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &expected.as_str()))
    }
}

/// Scopes together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scopes(u32);

impl Scopes {
    /// All there are.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.iter().copied().collect()
    }

    /// As they were kept. Bits that this version does not know give nothing.
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        Self(bits & Self::all().0)
    }

    /// As they are kept.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// True if `scope` is among them. Whoever may change tokens and tenants may look at them.
    #[must_use]
    pub fn has(self, scope: Scope) -> bool {
        let also = match scope {
            Scope::AdminRead => Scope::Admin.bit(),
            _ => 0,
        };
        self.0 & (scope.bit() | also) != 0
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        let is_there = move |scope: &Scope| self.0 & scope.bit() != 0;
        Scope::ALL.iter().copied().filter(is_there)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, one| bits | one.bit()))
    }
}

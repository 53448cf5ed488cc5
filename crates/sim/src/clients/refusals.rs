//! Refusals: which requests may be refused, and why.

use crate::model::{Checked, broken};
use trunkline_core::code::Code;
use trunkline_core::peer::{EgressOp, JobsOp, Op, Rejection};

/// A refusal is of the kind that the request can get.
pub(super) fn check_refusal(op: &Op, rejection: &Rejection) -> Checked {
    let fits = match op {
        Op::Start(_) => matches!(rejection.code, Code::RunExists | Code::Overloaded),
        Op::Signal { .. } => matches!(
            rejection.code,
            Code::RunNotFound | Code::RunFinished | Code::HistoryFull
        ),
        Op::Cancel { .. } | Op::Terminate { .. } | Op::Pause { .. } => {
            matches!(rejection.code, Code::RunNotFound | Code::RunFinished)
        }
        Op::Resume { .. } => matches!(
            rejection.code,
            Code::RunNotFound | Code::RunFinished | Code::RunNotPaused
        ),
        Op::CallMethod(_) => matches!(
            rejection.code,
            Code::RunNotFound
                | Code::RunFinished
                | Code::CallNotFound
                | Code::TooManyMethods
                | Code::HistoryFull
        ),
        Op::Query(_) => matches!(
            rejection.code,
            Code::RunNotFound | Code::QueryTimedOut | Code::QueryFailed
        ),
        Op::CompleteTask { .. } | Op::CancelTask { .. } | Op::HeartbeatTask { .. } => matches!(
            rejection.code,
            Code::RunNotFound
                | Code::RunFinished
                | Code::TaskNotFound
                | Code::TaskEnded
                | Code::HistoryFull
        ),
        Op::PutSchedule { .. } => false,
        Op::PauseSchedule { .. }
        | Op::DeleteSchedule { .. }
        | Op::TriggerSchedule { .. }
        | Op::BackfillSchedule { .. } => matches!(
            rejection.code,
            Code::ScheduleNotFound | Code::ScheduleInvalid
        ),
        Op::CompleteTimers { .. } => {
            matches!(rejection.code, Code::RunNotFound | Code::RunFinished)
        }
        Op::RetryRun { .. } => matches!(
            rejection.code,
            Code::RunNotFound | Code::RetryNotPossible | Code::CutInvalid
        ),
        Op::Purge { .. } => matches!(rejection.code, Code::RunNotFound | Code::RunNotEnded),
        Op::StartForked { .. } => matches!(rejection.code, Code::RunExists | Code::CutInvalid),
        Op::BulkStart { .. } => matches!(rejection.code, Code::BulkExists),
        Op::BulkCancel { .. } => matches!(rejection.code, Code::BulkNotFound),
        Op::Property { .. } => {
            matches!(rejection.code, Code::RunNotFound | Code::PropertyNotFound)
        }
        Op::CreateJobs { .. } => matches!(rejection.code, Code::DestinationNotFound),
        Op::ReplayJob { .. } | Op::Jobs(JobsOp::Correct { .. }) => matches!(
            rejection.code,
            Code::DestinationNotFound | Code::JobNotFound | Code::JobNotDead
        ),
        Op::CancelJob { .. } => matches!(
            rejection.code,
            Code::DestinationNotFound | Code::JobNotFound | Code::JobSettled
        ),
        Op::Egress(EgressOp::ReleaseLane { .. }) => matches!(
            rejection.code,
            Code::DestinationNotFound | Code::LaneNotParked
        ),
        Op::Egress(EgressOp::ReleaseJobs { .. }) => matches!(
            rejection.code,
            Code::DestinationNotFound | Code::JobNotFound | Code::JobSettled
        ),
        Op::Egress(EgressOp::SetBreaker { open, .. }) => {
            let closed = !open && rejection.code == Code::BreakerClosed;
            closed || rejection.code == Code::DestinationNotFound
        }
        Op::Jobs(JobsOp::Enable { .. }) => matches!(
            rejection.code,
            Code::DestinationNotFound | Code::NotPaused | Code::BulkExists
        ),
        Op::PutDestination { .. } | Op::ListRuns(_) | Op::ListDestinations | Op::Counters => false,
        _ => matches!(rejection.code, Code::RunNotFound | Code::Overloaded),
    };
    if fits {
        return Ok(());
    }
    broken("API-KIND", format!("{op:?} is refused: {rejection:?}"))
}

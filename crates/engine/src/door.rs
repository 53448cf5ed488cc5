//! The door: what is not well-formed, not wanted now or not answerable is refused here, with a code, before any shard sees it.
//!
//! Names and payloads are checked here and nowhere else, so the core may rely on them. A request that passes is addressed
//! to its shard. What a worker reports cannot be refused that way, because its run would wait for ever: a turn with an
//! unusable command pauses its run with the reason, a result that is too large becomes a failure of its task.

mod egress;
mod jobs;
mod many;
mod schedules;
mod tasks;

mod commands;

use crate::node::Node;
use egress::{check_destination, check_job, check_jobs};
use trunkline_core::code::Code;
use trunkline_core::entry::Outcome;
use trunkline_core::failure::{Failure, FailureKind};
use trunkline_core::ids::{RunId, ShardId, destination_shard, schedule_shard};
use trunkline_core::limits::{
    NAME_BYTES_MAX, PAGE_MAX, PAYLOAD_BYTES_MAX, TAGS_MAX, TURN_COMMANDS_MAX,
};
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{FromPeer, JobsOp, Op, QueryAnswer, Rejection, TurnDone};

/// A request that was let in.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// For one shard.
    One(ShardId, Op),
    /// For all of them, one after the other.
    All(Op),
}

type Checked = Result<(), Rejection>;

/// Bytes of one turn. What it writes, which may be three times as much (into the history, as properties, as messages), is
/// one frame of the journal.
const TURN_BYTES_MAX: usize = 16 << 20;
/// Longest URL, and longest reason that an operator gives.
const TEXT_BYTES_MAX: usize = 2_048;

/// Lets a request in, or refuses it.
pub(crate) fn admit(node: &Node, mut op: Op) -> Result<Admitted, Rejection> {
    check_state(node, &op)?;
    check(&op)?;
    if let Op::Start(start) = &mut op
        && start.version.is_none()
    {
        let newest = node.workflows.newest(&start.run.workflow);
        let unknown = || {
            let detail = format!("no worker has ever registered `{}`", start.run.workflow);
            Rejection::new(Code::UnknownWorkflow, detail)
        };
        start.version = Some(newest.ok_or_else(unknown)?);
    }
    if let Op::ListRuns(filter) = &mut op {
        filter.limit = filter.limit.clamp(1, PAGE_MAX);
    }
    if let Op::PutSchedule { schedule, .. } = &op {
        schedules::check_is_known(node, schedule)?;
    }
    let Some(shard) = shard_of(&op, node.shards) else {
        return Ok(Admitted::All(op));
    };
    let bounds = node.bounds;
    if node.inboxes[node.thread_of(shard)].is_overloaded(bounds.inbox_inputs, bounds.inbox_bytes) {
        let detail = "more is waiting than can be kept in memory";
        return Err(Rejection::new(Code::Overloaded, detail));
    }
    Ok(Admitted::One(shard, op))
}

/// Refuses what the engine cannot do in the state that it is in.
fn check_state(node: &Node, op: &Op) -> Checked {
    if node.vitals.is_failed() {
        let detail = "a write failed, so nothing is acknowledged any more";
        return Err(Rejection::new(Code::JournalPoisoned, detail));
    }
    let is_new_work = matches!(
        op,
        Op::Start(_)
            | Op::Signal { .. }
            | Op::CallMethod(_)
            | Op::RetryRun { .. }
            | Op::Fork { .. }
            | Op::Tagged { .. }
            | Op::BulkStart { .. }
            | Op::CreateJobs { .. }
            | Op::ReplayJob { .. }
            | Op::PutDestination { .. }
            | Op::Jobs(JobsOp::Correct { .. } | JobsOp::Enable { .. })
            | Op::PutSchedule { .. }
            | Op::TriggerSchedule { .. }
            | Op::BackfillSchedule { .. }
    );
    if node.has_ended() || is_new_work && node.vitals.is_stopping() {
        return Err(Rejection::new(Code::ShuttingDown, "the engine is stopping"));
    }
    if is_new_work && node.vitals.is_full() {
        let detail = "what runs goes on; new work is taken again when there is space";
        return Err(Rejection::new(Code::DiskFull, detail));
    }
    Ok(())
}

/// The shard that a request is for; nothing if it is for all.
fn shard_of(op: &Op, shards: u16) -> Option<ShardId> {
    let run = |run: &RunId| Some(run.key().shard(shards));
    let destination = |name: &Name| Some(destination_shard(name, shards));
    match op {
        Op::Start(start) => run(&start.run),
        Op::CallMethod(call) => run(&call.run),
        Op::Query(query) => run(&query.run),
        Op::Signal { run: id, .. }
        | Op::AwaitOutcome { run: id }
        | Op::AwaitMethod { run: id, .. }
        | Op::CompleteTimers { run: id, .. }
        | Op::DescribeRun { run: id }
        | Op::History { run: id, .. }
        | Op::Property { run: id, .. }
        | Op::Cancel { run: id, .. }
        | Op::Terminate { run: id, .. }
        | Op::Pause { run: id }
        | Op::Resume { run: id }
        | Op::OpenTasks { run: id }
        | Op::RetryRun { run: id, .. }
        | Op::Purge { run: id }
        | Op::Relatives { run: id }
        | Op::Waits { run: id } => run(id),
        Op::CompleteTask { task, .. }
        | Op::HeartbeatTask { task, .. }
        | Op::CancelTask { task } => Some(task.run.shard(shards)),
        // It is looked at together with the credentials.
        Op::PutDestination { destination: to } if to.credential.is_some() => None,
        Op::PutDestination { destination: to } => destination(&to.name),
        Op::DescribeDestination { name } => destination(name),
        Op::CreateJobs { jobs } => jobs
            .first()
            .and_then(|(_, job)| destination(&job.destination)),
        Op::DescribeJob {
            destination: to, ..
        }
        | Op::ListJobs {
            destination: to, ..
        }
        | Op::ReplayJob {
            destination: to, ..
        }
        | Op::CancelJob {
            destination: to, ..
        } => destination(to),
        Op::Egress(op) => egress::shard_of(op, shards),
        Op::Jobs(op) => jobs::shard_of(op, shards),
        Op::PutSchedule { schedule, .. } => Some(schedule_shard(&schedule.name, shards)),
        Op::DescribeSchedule { name, .. }
        | Op::DeleteSchedule { name }
        | Op::TriggerSchedule { name, .. }
        | Op::BackfillSchedule { name, .. }
        | Op::PauseSchedule { name, .. } => Some(schedule_shard(name, shards)),
        Op::StartForked { start, .. } => run(&start.run),
        Op::Keep(_) => Some(ShardId(0)),
        Op::ListRuns(_)
        | Op::Count(_)
        | Op::Tagged { .. }
        | Op::Fork { .. }
        | Op::BulkStart { .. }
        | Op::BulkShow { .. }
        | Op::BulkCancel { .. }
        | Op::BulkList
        | Op::ListDestinations
        | Op::ListSchedules { .. }
        | Op::Counters
        | Op::ReadEvents(_) => None,
    }
}

fn check(op: &Op) -> Checked {
    match op {
        Op::Start(start) => {
            check_run(&start.run)?;
            check_payload("the input", &start.input)?;
            check_tags(&start.tags)
        }
        Op::Signal {
            run,
            channel,
            payload,
            ..
        } => {
            check_run(run)?;
            check_name("the channel", channel)?;
            check_payload("the signal", payload)
        }
        Op::Query(query) => {
            check_run(&query.run)?;
            check_name("the query", &query.query)?;
            check_payload("the argument", &query.input)
        }
        Op::CallMethod(call) => {
            check_run(&call.run)?;
            check_name("the method", &call.method)?;
            check_payload("the argument", &call.input)
        }
        Op::Property { run, name } => {
            check_run(run)?;
            check_name("the property", name)
        }
        Op::Cancel { run, reason } | Op::Terminate { run, reason } => {
            check_run(run)?;
            check_text("the reason", reason)
        }
        Op::AwaitOutcome { run }
        | Op::AwaitMethod { run, .. }
        | Op::CompleteTimers { run, .. }
        | Op::DescribeRun { run }
        | Op::History { run, .. }
        | Op::Pause { run }
        | Op::Resume { run }
        | Op::OpenTasks { run }
        | Op::RetryRun { run, .. }
        | Op::Purge { run }
        | Op::Relatives { run }
        | Op::Waits { run } => check_run(run),
        Op::CompleteTask { outcome, .. } => check_outcome("the answer", outcome),
        Op::HeartbeatTask { details, .. } => tasks::check_details(details.as_ref()),
        Op::CancelTask { .. } => Ok(()),
        Op::PutDestination { destination } => check_destination(destination),
        Op::CreateJobs { jobs } => check_jobs(jobs.iter().map(|(_, job)| job)),
        Op::DescribeDestination { name } => check_name("the destination", name),
        Op::DescribeJob { destination, .. }
        | Op::ListJobs { destination, .. }
        | Op::ReplayJob { destination, .. }
        | Op::CancelJob { destination, .. } => check_name("the destination", destination),
        Op::Egress(op) => egress::check_op(op),
        Op::Jobs(op) => jobs::check(op),
        Op::ListRuns(filter) | Op::Count(filter) => many::check_filter(filter),
        Op::PutSchedule { schedule, .. } => schedules::check(schedule),
        Op::DescribeSchedule { name, .. }
        | Op::DeleteSchedule { name }
        | Op::TriggerSchedule { name, .. }
        | Op::BackfillSchedule { name, .. } => check_name("the schedule", name),
        Op::PauseSchedule { name, note } => {
            check_name("the schedule", name)?;
            note.as_ref()
                .map_or(Ok(()), |note| check_text("the note", note))
        }
        Op::Tagged { .. }
        | Op::Fork { .. }
        | Op::StartForked { .. }
        | Op::BulkStart { .. }
        | Op::BulkShow { .. }
        | Op::BulkCancel { .. } => many::check(op),
        Op::Keep(_) => {
            let detail = "what the engine keeps for itself is not a peer's to change";
            Err(Rejection::new(Code::ProtocolError, detail))
        }
        Op::ListDestinations
        | Op::ListSchedules { .. }
        | Op::Counters
        | Op::BulkList
        | Op::ReadEvents(_) => Ok(()),
    }
}

fn check_run(run: &RunId) -> Checked {
    check_name("the workflow", &run.workflow)?;
    if run.workflow.contains('/') {
        let detail = "the workflow has a `/`, which parts it from the id";
        return Err(Rejection::new(Code::NameInvalid, detail));
    }
    check_name("the run's id", &run.id)
}

fn check_tags(tags: &[Name]) -> Checked {
    if tags.len() > TAGS_MAX {
        let detail = format!("{} tags, the limit is {TAGS_MAX}", tags.len());
        return Err(Rejection::new(Code::TooManyTags, detail));
    }
    tags.iter().try_for_each(|tag| check_name("a tag", tag))
}

/// Names are 1 to 256 bytes without control characters.
pub(crate) fn check_name(what: &str, name: &str) -> Checked {
    let reason = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > NAME_BYTES_MAX {
        format!("has {} bytes, the limit is {NAME_BYTES_MAX}", name.len())
    } else if name.chars().any(char::is_control) {
        "has a control character".to_owned()
    } else {
        return Ok(());
    };
    Err(Rejection::new(
        Code::NameInvalid,
        format!("{what} {reason}"),
    ))
}

fn check_text(what: &str, text: &str) -> Checked {
    if text.len() > TEXT_BYTES_MAX {
        let detail = format!(
            "{what} has {} bytes, the limit is {TEXT_BYTES_MAX}",
            text.len()
        );
        return Err(Rejection::new(Code::NameInvalid, detail));
    }
    Ok(())
}

fn check_payload(what: &str, payload: &Payload) -> Checked {
    if payload.len() > PAYLOAD_BYTES_MAX {
        let detail = format!(
            "{what} has {} bytes, the limit is {PAYLOAD_BYTES_MAX}",
            payload.len()
        );
        return Err(Rejection::new(Code::PayloadTooLarge, detail));
    }
    Ok(())
}

/// Makes a report one that the core can take.
pub(crate) fn mend(report: FromPeer) -> FromPeer {
    match report {
        FromPeer::TurnDone(turn) => match check_turn(&turn) {
            Ok(()) => FromPeer::TurnDone(turn),
            Err(rejection) => FromPeer::TurnStuck {
                run: turn.run,
                token: turn.token,
                reason: Name::from(format!("{}: {}", rejection.code, rejection.detail)),
            },
        },
        FromPeer::TurnStuck { run, token, reason } => FromPeer::TurnStuck {
            run,
            token,
            reason: shorten(reason, 16 * TEXT_BYTES_MAX),
        },
        FromPeer::TaskDone {
            run,
            command,
            token,
            outcome,
            then,
        } => {
            let (outcome, then) = mend_outcome(outcome, then);
            FromPeer::TaskDone {
                run,
                command,
                token,
                outcome,
                then,
            }
        }
        FromPeer::StepDone {
            run,
            command,
            outcome,
            then,
        } => {
            let (outcome, then) = mend_outcome(outcome, then);
            FromPeer::StepDone {
                run,
                command,
                outcome,
                then,
            }
        }
        FromPeer::Heartbeat {
            run,
            command,
            token,
            details,
            meta,
        } => FromPeer::Heartbeat {
            run,
            command,
            token,
            details: details.filter(|details| tasks::check_details(Some(details)).is_ok()),
            meta: meta.filter(|meta| tasks::check_meta(Some(meta)).is_ok()),
        },
        FromPeer::QueryDone {
            run,
            number,
            answer,
        } => FromPeer::QueryDone {
            run,
            number,
            answer: match answer {
                QueryAnswer::Value(value) => match check_payload("the answer", &value) {
                    Ok(()) => QueryAnswer::Value(value),
                    Err(rejection) => QueryAnswer::Failed(rejection.detail),
                },
                QueryAnswer::Unknown(why) => QueryAnswer::Unknown(shorten(why, TEXT_BYTES_MAX)),
                QueryAnswer::Failed(why) => QueryAnswer::Failed(shorten(why, TEXT_BYTES_MAX)),
                QueryAnswer::NotHeld => QueryAnswer::NotHeld,
            },
        },
        other => other,
    }
}

/// A turn that follows is left out if it is unusable, or has seen a result that is: the run gets another one.
fn mend_outcome(outcome: Outcome, then: Option<TurnDone>) -> (Outcome, Option<TurnDone>) {
    match check_outcome("the result", &outcome) {
        Ok(()) => (outcome, then.filter(|turn| check_turn(turn).is_ok())),
        Err(rejection) => {
            let name = Name::from(rejection.code.to_string());
            let mut failure = Failure::new(FailureKind::Application, name, rejection.detail);
            failure.non_retryable = true;
            (Outcome::Failed(failure), None)
        }
    }
}

fn check_outcome(what: &str, outcome: &Outcome) -> Checked {
    match outcome {
        Outcome::Completed(result) => check_payload(what, result),
        Outcome::Failed(failure) => {
            let mut bytes = 0;
            let mut next = Some(failure);
            while let Some(failure) = next {
                bytes += failure.name.len() + failure.message.len();
                bytes += failure.detail.as_ref().map_or(0, |detail| detail.len());
                next = failure.cause.as_deref();
            }
            if bytes > PAYLOAD_BYTES_MAX {
                let detail =
                    format!("the failure has {bytes} bytes, the limit is {PAYLOAD_BYTES_MAX}");
                return Err(Rejection::new(Code::PayloadTooLarge, detail));
            }
            Ok(())
        }
    }
}

fn check_turn(turn: &TurnDone) -> Checked {
    if turn.commands.len() > TURN_COMMANDS_MAX {
        let detail = format!(
            "the turn has {} commands, the limit is {TURN_COMMANDS_MAX}",
            turn.commands.len()
        );
        return Err(Rejection::new(Code::TooManyItems, detail));
    }
    let bytes = crate::weight::of_turn(turn);
    if bytes > TURN_BYTES_MAX {
        let detail = format!("the turn has {bytes} bytes, the limit is {TURN_BYTES_MAX}");
        return Err(Rejection::new(Code::PayloadTooLarge, detail));
    }
    turn.commands.iter().try_for_each(commands::check)
}

fn shorten(text: Name, bytes_max: usize) -> Name {
    if text.len() <= bytes_max {
        return text;
    }
    Name::from(&text[..text.floor_char_boundary(bytes_max)])
}

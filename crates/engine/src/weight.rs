//! About how many bytes a message keeps in memory: what queues are bounded by. Estimates, cheap and never far too low.

use trunkline_core::egress::{Delivery, NewJob};
use trunkline_core::entry::{Command, Outcome};
use trunkline_core::input::{Input, Message};
use trunkline_core::peer::{FromPeer, JobsOp, Op, QueryAnswer, Reply, Start, ToPeer, TurnDone};

/// What any message takes, beside its payloads.
const BASE_BYTES: usize = 256;

pub(crate) fn of_input(input: &Input) -> usize {
    BASE_BYTES
        + match input {
            Input::Request { op, .. } => of_op(op),
            Input::Report { report, .. } => of_report(report),
            Input::Message { message, .. } => of_message(message),
            Input::Delivered {
                delivery: Delivery::Answered { excerpt, .. },
                ..
            } => excerpt.len(),
            Input::Delivered {
                delivery:
                    Delivery::Item {
                        failure: Some(failure),
                        ..
                    },
                ..
            } => failure.message.len(),
            _ => 0,
        }
}

fn of_message(message: &Message) -> usize {
    match message {
        Message::CreateJobs { jobs, .. } => jobs.iter().map(|(_, job)| of_job(job)).sum(),
        Message::StartRun { start, .. } => of_start(start),
        Message::RunEnded { outcome, .. } => of_outcome(outcome),
        Message::SignalTagged(tagged) | Message::TaggedDone(tagged) => tagged.payload.len(),
        Message::Signal { payload, .. } => payload.len(),
        Message::CallMethod { input, .. } => input.len(),
        Message::MethodEnded { outcome, .. } => of_outcome(outcome),
        Message::RunStarted { .. }
        | Message::EndRun { .. }
        | Message::Answered { .. }
        | Message::WantPermits { .. }
        | Message::Permits { .. }
        | Message::PermitsDone { .. } => 0,
    }
}

fn of_start(start: &Start) -> usize {
    start.input.len() + 32 * start.tags.len()
}

fn of_op(op: &Op) -> usize {
    match op {
        Op::Start(start) => of_start(start),
        Op::Signal { payload, .. } => payload.len(),
        Op::CallMethod(call) => call.input.len(),
        Op::CompleteTask { outcome, .. } => of_outcome(outcome),
        Op::HeartbeatTask {
            details: Some(details),
            ..
        } => details.len(),
        Op::PutSchedule { schedule, .. } => schedule.action.input.len(),
        Op::StartForked { chunks, .. } => chunks.iter().map(|chunk| chunk.len()).sum(),
        Op::Query(query) => query.input.len(),
        Op::CreateJobs { jobs } => jobs.iter().map(|(_, job)| of_job(job)).sum(),
        Op::Jobs(JobsOp::Correct { body, .. }) => body.len(),
        _ => 0,
    }
}

fn of_report(report: &FromPeer) -> usize {
    match report {
        FromPeer::TurnDone(turn) => of_turn(turn),
        FromPeer::QueryDone {
            answer: QueryAnswer::Value(value),
            ..
        } => value.len(),
        FromPeer::TaskDone { outcome, then, .. } | FromPeer::StepDone { outcome, then, .. } => {
            of_outcome(outcome) + then.as_ref().map_or(0, of_turn)
        }
        FromPeer::Heartbeat { details, meta, .. } => {
            let meta = meta.iter().flatten().map(|(_, value)| 32 + value.len());
            details.as_ref().map_or(0, |details| details.len()) + meta.sum::<usize>()
        }
        _ => 0,
    }
}

pub(crate) fn of_turn(turn: &TurnDone) -> usize {
    let of_command = |command: &Command| {
        64 + match command {
            Command::ScheduleTask { input, .. } => input.len(),
            Command::SetProperty { value, .. } => value.len(),
            Command::StartChild { input, .. } | Command::ContinueAsNew { input, .. } => input.len(),
            Command::SignalRun { payload, .. } | Command::SignalTagged { payload, .. } => {
                payload.len()
            }
            Command::CreateJob { job, .. } => of_job(job),
            Command::Finish { outcome } | Command::MethodReturned { outcome, .. } => {
                of_outcome(outcome)
            }
            Command::CallMethod { input, .. } => input.len(),
            _ => 0,
        }
    };
    turn.commands.iter().map(of_command).sum()
}

fn of_outcome(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Completed(payload) => payload.len(),
        Outcome::Failed(failure) => {
            failure.message.len() + failure.detail.as_ref().map_or(0, |detail| detail.len())
        }
    }
}

fn of_job(job: &NewJob) -> usize {
    BASE_BYTES + job.body.len() + 32 * job.object_ids.len()
}

/// The same of what is told to a peer.
pub(crate) fn of_told(message: &ToPeer) -> usize {
    BASE_BYTES
        + match message {
            ToPeer::Turn(turn) => turn.chunks.iter().map(|chunk| chunk.len()).sum(),
            ToPeer::Task(task) => {
                task.input.len() + task.heartbeat_details.as_ref().map_or(0, |it| it.len())
            }
            ToPeer::Query(query) => {
                let chunks = query.chunks.iter().flatten().map(|chunk| chunk.len());
                query.input.len() + chunks.sum::<usize>()
            }
            ToPeer::Reply(_, Ok(reply)) => of_reply(reply),
            _ => 0,
        }
}

fn of_reply(reply: &Reply) -> usize {
    match reply {
        Reply::Outcome { outcome, .. } | Reply::MethodEnded { outcome, .. } => of_outcome(outcome),
        Reply::History { chunks, .. } => chunks.iter().map(|chunk| chunk.len()).sum(),
        Reply::Property(value) | Reply::Answer(value) => value.len(),
        Reply::Runs { runs, .. } => 512 * runs.len(),
        Reply::Tasks(tasks) => 1_024 * tasks.len(),
        Reply::Events { events, .. } => events.iter().map(|event| event.what.bytes()).sum(),
        Reply::Destinations(all) => 512 * all.len(),
        Reply::Job { job, .. } => of_job(&job.new),
        Reply::JobList { jobs, .. } | Reply::ObjectJobs { jobs, .. } => {
            jobs.iter().map(|job| of_job(&job.new)).sum()
        }
        _ => 0,
    }
}

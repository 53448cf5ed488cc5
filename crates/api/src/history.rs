//! A run's history as users see it: one flat object for each entry.
//!
//! Which fields an entry has depends on its `type`. It is one struct and not an enum, because a user's JSON must pass
//! through untouched, and a tagged enum would take it apart.

use crate::core::entry::{Command, Entry, Meta, Notification, OnParentEnd, Outcome, TaskOptions};
use crate::core::ids::{CommandId, RunId};
use crate::core::payload::Payload;
use crate::egress::RetryBody;
use crate::failure::FailureBody;
use crate::json::json_of;
use crate::timestamp::Time;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// `GET …/history`: part of a run's history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistoryPage {
    /// The entries, in order.
    pub entries: Vec<EntryBody>,
    /// What to give as `from` to go on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

macro_rules! entry_body {
    ($( $(#[$doc:meta])* $field:ident: $type:ty, )*) => {
        /// One entry of a run's history.
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        pub struct EntryBody {
            /// Its place, from 0.
            pub index: u32,
            /// What kind of entry it is.
            #[serde(rename = "type")]
            pub kind: String,
            $( $(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$type>, )*
        }
    };
}

entry_body! {
    /// When it was noted; commands have the time of the notifications before them.
    at: Time,
    /// The command's number, or the number of the command that it answers.
    command: u32,
    /// `turn`: one past the last notification that the turn consumed.
    upto: u32,
    /// `task_scheduled`: the service.
    service: String,
    /// `task_scheduled`: the task.
    task: String,
    /// `started`, `task_scheduled`, `method_called`, `method_call_sent`: the argument.
    input: Box<RawValue>,
    /// `task_completed`, `step_completed`, `method_returned`, `method_completed`, `finished`: what it returned.
    result: Box<RawValue>,
    /// `task_failed`, `step_failed`, `method_returned`, `method_failed`, `finished`: why.
    failure: FailureBody,
    /// `signal`: the channel.
    channel: String,
    /// `signal`, `property_set`: the value.
    value: Box<RawValue>,
    /// `property_set`, `step_begun`, `patched`: the name.
    name: String,
    /// `timer_set`: when it is due.
    due_at: Time,
    /// `tags_added`, `tags_removed`, `task_scheduled`: the tags.
    tags: Vec<String>,
    /// `cancel_requested`: why.
    reason: String,
    /// `job_created`: the destination.
    destination: String,
    /// `job_created`: the lane.
    lane: String,
    /// `job_created`: the kind of object.
    object_type: String,
    /// `job_created`: what happened to it.
    action: String,
    /// `rewound`: turns and commands that were dropped; `command` is the number that the next command claims.
    dropped: u32,
    /// `task_scheduled`: how failed attempts are repeated, if the code said so.
    retry: RetryBody,
    /// `task_scheduled`: no attempt begins later than this after the task was scheduled, in milliseconds.
    retry_elapsed_ms: u64,
    /// `task_scheduled`: how long an attempt may take, in milliseconds.
    attempt_timeout_ms: u64,
    /// `task_scheduled`: how long all attempts may take, in milliseconds.
    total_timeout_ms: u64,
    /// `method_called`, `method_call_sent`: the method.
    method: String,
    /// `method_returned`: the index of the call's entry; `timer_set`: the same of the method that set it.
    call: u32,
    /// `method_call_sent`: the run, as `workflow/id`.
    run: String,
    /// `task_scheduled`: how long an attempt may be silent, in milliseconds.
    heartbeat_timeout_ms: u64,
    /// `task_scheduled`: how long an attempt that was asked to end may go on, in milliseconds.
    grace_ms: u64,
    /// `task_scheduled`: what the attempts know from the beginning.
    meta: BTreeMap<String, Box<RawValue>>,
    /// `child_scheduled`, `signal_sent`, `cancel_sent`: the other run's workflow.
    workflow: String,
    /// `child_scheduled`, `signal_sent`, `cancel_sent`: the other run's id.
    id: String,
    /// `child_scheduled`: what becomes of it when its parent ends.
    on_parent_end: OnParentEndBody,
}

/// What becomes of a child whose parent ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnParentEndBody {
    /// It is asked to cancel.
    Cancel,
    /// It goes on by itself.
    Abandon,
    /// It is ended without asking its code.
    Terminate,
}

impl From<OnParentEnd> for OnParentEndBody {
    fn from(policy: OnParentEnd) -> Self {
        match policy {
            OnParentEnd::Cancel => Self::Cancel,
            OnParentEnd::Abandon => Self::Abandon,
            OnParentEnd::Terminate => Self::Terminate,
        }
    }
}

impl EntryBody {
    /// The entry at `index`.
    #[must_use]
    pub fn of(index: u32, entry: &Entry) -> Self {
        let mut body = match entry {
            Entry::Notification(at, notification) => Self {
                at: Some(Time(*at)),
                ..Self::of_notification(notification)
            },
            Entry::Turn { upto } => Self {
                upto: Some(*upto),
                ..Self::of_kind("turn")
            },
            Entry::Command(command) => Self::of_command(command),
        };
        body.index = index;
        body
    }

    fn of_kind(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            ..Self::default()
        }
    }

    fn of_outcome(kinds: [&str; 2], outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Completed(result) => Self {
                result: Some(json_of(result)),
                ..Self::of_kind(kinds[0])
            },
            Outcome::Failed(failure) => Self {
                failure: Some(failure.into()),
                ..Self::of_kind(kinds[1])
            },
        }
    }

    fn of_notification(notification: &Notification) -> Self {
        match notification {
            Notification::Started { input, .. } => Self {
                input: Some(json_of(input)),
                ..Self::of_kind("started")
            },
            Notification::TaskCompleted { command, result } => Self {
                command: Some(command.0),
                result: Some(json_of(result)),
                ..Self::of_kind("task_completed")
            },
            Notification::TaskFailed { command, failure } => Self {
                command: Some(command.0),
                failure: Some(failure.into()),
                ..Self::of_kind("task_failed")
            },
            Notification::TimerFired { command } => Self {
                command: Some(command.0),
                ..Self::of_kind("timer_fired")
            },
            Notification::Signal {
                channel, payload, ..
            } => Self {
                channel: Some(channel.to_string()),
                value: Some(json_of(payload)),
                ..Self::of_kind("signal")
            },
            Notification::StepDone { command, outcome } => Self {
                command: Some(command.0),
                ..Self::of_outcome(["step_completed", "step_failed"], outcome)
            },
            Notification::CancelRequested { reason } => Self {
                reason: Some(reason.to_string()),
                ..Self::of_kind("cancel_requested")
            },
            Notification::MethodCalled { method, input, .. } => Self {
                method: Some(method.to_string()),
                input: Some(json_of(input)),
                ..Self::of_kind("method_called")
            },
            Notification::MethodEnded { command, outcome } => Self {
                command: Some(command.0),
                ..Self::of_outcome(["method_completed", "method_failed"], outcome)
            },
            Notification::Rewound {
                next,
                dropped,
                source,
            } => Self {
                command: Some(next.0),
                dropped: Some(*dropped),
                run: source.as_ref().map(ToString::to_string),
                ..Self::of_kind("rewound")
            },
            Notification::ChildStarted { command } => Self {
                command: Some(command.0),
                ..Self::of_kind("child_started")
            },
            Notification::ChildEnded { command, outcome } => Self {
                command: Some(command.0),
                ..Self::of_outcome(["child_completed", "child_failed"], outcome)
            },
            Notification::Answered { command, outcome } => Self {
                command: Some(command.0),
                ..Self::of_outcome(["answered", "refused"], outcome)
            },
        }
    }

    fn of_command(command: &Command) -> Self {
        match command {
            Command::ScheduleTask {
                command,
                service,
                task,
                input,
                options,
            } => Self {
                command: Some(command.0),
                service: Some(service.to_string()),
                task: Some(task.to_string()),
                ..Self::of_task(input, options)
            },
            Command::StartTimer { command, at, call } => Self {
                command: Some(command.0),
                call: *call,
                due_at: Some(Time(*at)),
                ..Self::of_kind("timer_set")
            },
            Command::CancelTimer { target } => Self {
                command: Some(target.0),
                ..Self::of_kind("timer_cancelled")
            },
            Command::SetProperty { name, value } => Self {
                name: Some(name.to_string()),
                value: Some(json_of(value)),
                ..Self::of_kind("property_set")
            },
            Command::AddTags { tags } => Self {
                tags: Some(tags.iter().map(ToString::to_string).collect()),
                ..Self::of_kind("tags_added")
            },
            Command::RemoveTags { tags } => Self {
                tags: Some(tags.iter().map(ToString::to_string).collect()),
                ..Self::of_kind("tags_removed")
            },
            Command::BeginStep { command, name } => Self {
                command: Some(command.0),
                name: Some(name.to_string()),
                ..Self::of_kind("step_begun")
            },
            Command::CreateJob { command, job } => Self {
                command: Some(command.0),
                destination: Some(job.destination.to_string()),
                lane: Some(job.lane.to_string()),
                object_type: Some(job.object_type.to_string()),
                action: Some(job.action.to_string()),
                ..Self::of_kind("job_created")
            },
            Command::CancelTask { target } => Self {
                command: Some(target.0),
                ..Self::of_kind("task_cancel_requested")
            },
            Command::StartChild {
                command,
                run,
                input,
                options,
                ..
            } => Self {
                input: Some(json_of(input)),
                tags: (!options.tags.is_empty())
                    .then(|| options.tags.iter().map(ToString::to_string).collect()),
                on_parent_end: Some(OnParentEndBody::from(options.on_parent_end)),
                ..Self::of_other("child_scheduled", *command, run)
            },
            Command::CancelChild { target } => Self {
                command: Some(target.0),
                ..Self::of_kind("child_cancelled")
            },
            Command::SignalRun {
                command,
                run,
                channel,
                payload,
            } => Self {
                channel: Some(channel.to_string()),
                value: Some(json_of(payload)),
                ..Self::of_other("signal_sent", *command, run)
            },
            Command::SignalTagged {
                command,
                workflow,
                tag,
                channel,
                payload,
            } => Self {
                command: Some(command.0),
                workflow: Some(workflow.to_string()),
                tags: Some(vec![tag.to_string()]),
                channel: Some(channel.to_string()),
                value: Some(json_of(payload)),
                ..Self::of_kind("signal_sent_by_tag")
            },
            Command::CancelRun {
                command,
                run,
                reason,
            } => Self {
                reason: Some(reason.to_string()),
                ..Self::of_other("cancel_sent", *command, run)
            },
            Command::ContinueAsNew { input, .. } => Self {
                input: Some(json_of(input)),
                ..Self::of_kind("continued_as_new")
            },
            Command::Finish { outcome } => Self::of_outcome(["finished", "finished"], outcome),
            Command::Patch { name } => Self {
                name: Some(name.to_string()),
                ..Self::of_kind("patched")
            },
            Command::MethodReturned { call, outcome } => Self {
                call: Some(*call),
                ..Self::of_outcome(["method_returned", "method_returned"], outcome)
            },
            Command::CallMethod {
                command,
                run,
                method,
                input,
            } => Self {
                command: Some(command.0),
                run: Some(run.to_string()),
                method: Some(method.to_string()),
                input: Some(json_of(input)),
                ..Self::of_kind("method_call_sent")
            },
        }
    }

    /// Something that is asked of another run.
    fn of_other(kind: &str, command: CommandId, run: &RunId) -> Self {
        Self {
            command: Some(command.0),
            workflow: Some(run.workflow.to_string()),
            id: Some(run.id.to_string()),
            ..Self::of_kind(kind)
        }
    }

    fn of_task(input: &Payload, options: &TaskOptions) -> Self {
        Self {
            input: Some(json_of(input)),
            retry: options.retry.as_ref().map(RetryBody::from),
            retry_elapsed_ms: options.retry.as_ref().and_then(|retry| retry.elapsed_ms),
            attempt_timeout_ms: options.attempt_timeout_ms,
            total_timeout_ms: options.total_timeout_ms,
            heartbeat_timeout_ms: options.heartbeat_timeout_ms,
            grace_ms: options.grace_ms,
            tags: options
                .tags
                .as_ref()
                .map(|tags| tags.iter().map(ToString::to_string).collect()),
            meta: options.meta.as_ref().map(meta_of),
            ..Self::of_kind("task_scheduled")
        }
    }
}

/// A task's meta as JSON.
#[must_use]
pub fn meta_of(meta: &Meta) -> BTreeMap<String, Box<RawValue>> {
    meta.iter()
        .map(|(name, value)| (name.to_string(), json_of(value)))
        .collect()
}

/// The entries of one chunk of a history.
///
/// # Errors
/// If it is not an array of entries.
pub fn decode_chunk(chunk: &Payload) -> Result<Vec<Entry>, minicbor::decode::Error> {
    minicbor::decode(chunk)
}

/// The entries in `chunks`, the first of which has the index `first`; those below `from` are left out.
///
/// # Errors
/// If a chunk is not an array of entries.
pub fn entries_in(
    first: u32,
    chunks: &[Payload],
    from: u32,
) -> Result<Vec<EntryBody>, minicbor::decode::Error> {
    let mut bodies = Vec::new();
    let mut index = first;
    for chunk in chunks {
        for entry in decode_chunk(chunk)? {
            if index >= from {
                bodies.push(EntryBody::of(index, &entry));
            }
            index += 1;
        }
    }
    Ok(bodies)
}

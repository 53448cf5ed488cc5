//! Comparing what the code asks for with what the history says it asked for.
//!
//! Times are not compared: the due time of a timer follows the clock of the turn that set it. Options of tasks are not
//! either: a deployment may change a time-out.

use super::Stuck;
use std::fmt::Write;
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::{Command, Outcome};
use trunkline_api::core::ids::{CommandId, RunId};

/// How much of a command must be the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Strictness {
    /// Its kind, number, names and target.
    #[default]
    Shape,
    /// The arguments too.
    Arguments,
}

/// A field of a command: its name, its value for a person, and whether only strict comparison looks at it.
type Field = (&'static str, String, bool);

/// Compares the commands of one recorded turn with those asked for now.
pub(crate) fn compare(
    upto: u32,
    recorded: &[Command],
    asked: &[Command],
    strictness: Strictness,
) -> Result<(), Stuck> {
    if recorded == asked {
        return Ok(());
    }
    // Marks of patches bind nobody: a call of `patched` may be removed when no run is left that says no.
    let is_asking = |command: &&Command| !matches!(command, Command::Patch { .. });
    let recorded: Vec<&Command> = recorded.iter().filter(is_asking).collect();
    let asked: Vec<&Command> = asked.iter().filter(is_asking).collect();
    for position in 0..recorded.len().max(asked.len()) {
        let difference = match (recorded.get(position), asked.get(position)) {
            (Some(old), Some(new)) => difference(old, new, strictness),
            (Some(old), None) => Some(format!(
                "the history has {}, and the code does not ask for it",
                describe(old)
            )),
            (None, Some(new)) => Some(format!(
                "the code asks for {}, and the history does not have it",
                describe(new)
            )),
            (None, None) => None,
        };
        if let Some(difference) = difference {
            return Err(Stuck::new(
                Code::HistoryMismatch,
                format!(
                    "the code no longer matches the run's history, at command {} of the turn that consumed {upto} entries: \
                     {difference}",
                    position + 1
                ),
            ));
        }
    }
    Ok(())
}

fn difference(old: &Command, new: &Command, strictness: Strictness) -> Option<String> {
    let (old_kind, old_fields) = parts(old);
    let (new_kind, new_fields) = parts(new);
    if old_kind != new_kind {
        return Some(format!(
            "the history has {}, the code asks for {}",
            describe(old),
            describe(new)
        ));
    }
    let mut text = String::new();
    for ((name, was, strict_only), (_, is, _)) in old_fields.iter().zip(&new_fields) {
        if was != is && (!strict_only || strictness == Strictness::Arguments) {
            let separator = if text.is_empty() { "" } else { "; " };
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "{separator}{old_kind}.{name} was {was} and is now {is}"
            );
        }
    }
    (!text.is_empty()).then_some(text)
}

/// A command in a few words.
fn describe(command: &Command) -> String {
    let (kind, fields) = parts(command);
    let fields: Vec<String> = fields
        .iter()
        .filter(|(_, _, strict_only)| !strict_only)
        .map(|(name, value, _)| format!("{name} {value}"))
        .collect();
    format!("{kind} ({})", fields.join(", "))
}

/// A command that is about another run.
fn of_other(kind: &'static str, command: CommandId, run: &RunId) -> (&'static str, Vec<Field>) {
    let fields = vec![
        ("command", command.0.to_string(), false),
        ("run", format!("{:?}", run.to_string()), false),
    ];
    (kind, fields)
}

fn parts(command: &Command) -> (&'static str, Vec<Field>) {
    let named = |name: &str| format!("{name:?}");
    match command {
        Command::ScheduleTask {
            command,
            service,
            task,
            input,
            ..
        } => (
            "ScheduleTask",
            vec![
                ("command", command.0.to_string(), false),
                ("service", named(service), false),
                ("task", named(task), false),
                ("input", format!("{input:?}"), true),
            ],
        ),
        Command::StartTimer { command, call, .. } => {
            let mut fields = vec![("command", command.0.to_string(), false)];
            fields.extend(call.map(|call| ("call", call.to_string(), false)));
            ("StartTimer", fields)
        }
        Command::Patch { name } => ("Patch", vec![("name", named(name), false)]),
        Command::MethodReturned { call, outcome } => {
            let (how, value) = returned(outcome);
            (
                "MethodReturned",
                vec![
                    ("call", call.to_string(), false),
                    ("outcome", how, false),
                    ("value", value, true),
                ],
            )
        }
        Command::CallMethod {
            command,
            run,
            method,
            input,
        } => (
            "CallMethod",
            vec![
                ("command", command.0.to_string(), false),
                ("run", named(&run.to_string()), false),
                ("method", named(method), false),
                ("input", format!("{input:?}"), true),
            ],
        ),
        Command::CancelTask { target } => {
            ("CancelTask", vec![("target", target.0.to_string(), false)])
        }
        Command::CancelTimer { target } => {
            ("CancelTimer", vec![("target", target.0.to_string(), false)])
        }
        Command::SetProperty { name, value } => (
            "SetProperty",
            vec![
                ("name", named(name), false),
                ("value", format!("{value:?}"), true),
            ],
        ),
        Command::AddTags { tags } => ("AddTags", vec![("tags", format!("{tags:?}"), true)]),
        Command::RemoveTags { tags } => ("RemoveTags", vec![("tags", format!("{tags:?}"), true)]),
        Command::BeginStep { command, name } => (
            "BeginStep",
            vec![
                ("command", command.0.to_string(), false),
                ("name", named(name), false),
            ],
        ),
        Command::CreateJob { command, job } => (
            "CreateJob",
            vec![
                ("command", command.0.to_string(), false),
                ("destination", named(&job.destination), false),
                ("lane", named(&job.lane), true),
                ("object_type", named(&job.object_type), false),
                ("action", named(&job.action), false),
                ("object_ids", format!("{:?}", job.object_ids), true),
                ("body", format!("{:?}", job.body), true),
            ],
        ),
        Command::StartChild {
            command,
            run,
            input,
            ..
        } => {
            let (kind, mut fields) = of_other("StartChild", *command, run);
            fields.push(("input", format!("{input:?}"), true));
            (kind, fields)
        }
        Command::CancelChild { target } => {
            ("CancelChild", vec![("target", target.0.to_string(), false)])
        }
        Command::SignalRun {
            command,
            run,
            channel,
            payload,
        } => {
            let (kind, mut fields) = of_other("SignalRun", *command, run);
            fields.push(("channel", named(channel), false));
            fields.push(("payload", format!("{payload:?}"), true));
            (kind, fields)
        }
        Command::SignalTagged {
            command,
            workflow,
            tag,
            channel,
            payload,
        } => (
            "SignalTagged",
            vec![
                ("command", command.0.to_string(), false),
                ("workflow", named(workflow), false),
                ("tag", named(tag), false),
                ("channel", named(channel), false),
                ("payload", format!("{payload:?}"), true),
            ],
        ),
        Command::CancelRun { command, run, .. } => of_other("CancelRun", *command, run),
        Command::ContinueAsNew { input, .. } => {
            ("ContinueAsNew", vec![("input", format!("{input:?}"), true)])
        }
        Command::Finish { outcome } => {
            let (how, value) = returned(outcome);
            (
                "Finish",
                vec![("outcome", how, false), ("value", value, true)],
            )
        }
    }
}

fn returned(outcome: &Outcome) -> (String, String) {
    match outcome {
        Outcome::Completed(value) => ("completed".into(), format!("{value:?}")),
        Outcome::Failed(failure) => ("failed".into(), failure.message.to_string()),
    }
}

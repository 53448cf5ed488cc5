//! Checks of what a worker's turn asks for: names, sizes and numbers.

use super::{
    Checked, check_job, check_name, check_outcome, check_payload, check_run, check_tags,
    check_text, tasks,
};
use trunkline_core::entry::Command;

pub(super) fn check(command: &Command) -> Checked {
    match command {
        Command::ScheduleTask {
            service,
            task,
            input,
            options,
            ..
        } => {
            check_name("the service", service)?;
            check_name("the task", task)?;
            tasks::check_options(options)?;
            check_payload("the task's input", input)
        }
        Command::SetProperty { name, value } => {
            check_name("the property", name)?;
            check_payload("the property", value)
        }
        Command::AddTags { tags } | Command::RemoveTags { tags } => check_tags(tags),
        Command::BeginStep { name, .. } => check_name("the step", name),
        Command::CreateJob { job, .. } => check_job(job),
        Command::Finish { outcome } => check_outcome("the run's result", outcome),
        Command::MethodReturned { outcome, .. } => check_outcome("the method's result", outcome),
        Command::CallMethod {
            run, method, input, ..
        } => {
            check_run(run)?;
            check_name("the method", method)?;
            check_payload("the argument", input)
        }
        Command::Patch { name } => check_name("the patch", name),
        Command::StartChild {
            run,
            input,
            options,
            ..
        } => {
            check_run(run)?;
            check_payload("the child's input", input)?;
            check_tags(&options.tags)
        }
        Command::SignalRun {
            run,
            channel,
            payload,
            ..
        } => {
            check_run(run)?;
            check_name("the channel", channel)?;
            check_payload("the signal", payload)
        }
        Command::SignalTagged {
            workflow,
            tag,
            channel,
            payload,
            ..
        } => {
            check_name("the workflow", workflow)?;
            check_name("the tag", tag)?;
            check_name("the channel", channel)?;
            check_payload("the signal", payload)
        }
        Command::CancelRun { run, reason, .. } => {
            check_run(run)?;
            check_text("the reason", reason)
        }
        Command::ContinueAsNew { input, .. } => check_payload("the next input", input),
        Command::StartTimer { .. }
        | Command::CancelTimer { .. }
        | Command::CancelTask { .. }
        | Command::CancelChild { .. } => Ok(()),
    }
}

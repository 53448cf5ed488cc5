//! Schedules at the door: names, payload, and whether there is anything to start. The rules and the settings are the core's.

use super::{Checked, check_name, check_payload, check_run, check_tags, check_text};
use crate::node::Node;
use trunkline_core::code::Code;
use trunkline_core::ids::RunId;
use trunkline_core::peer::Rejection;
use trunkline_core::schedule::{Schedule, When};

/// Refuses a schedule whose names or payload are none.
pub(super) fn check(schedule: &Schedule) -> Checked {
    check_name("the schedule", &schedule.name)?;
    check_text("the time zone", &schedule.zone)?;
    let action = &schedule.action;
    // The id is a template, and it must be a name before and after its parts are filled in.
    check_run(&RunId::new(action.workflow.clone(), action.id.clone()))?;
    check_payload("the input", &action.input)?;
    check_tags(&action.tags)?;
    for when in &schedule.when {
        if let When::Cron(text) = when {
            check_text("the cron expression", text)?;
        } else if let When::Calendar(fields) = when {
            let fields = [
                &fields.second,
                &fields.minute,
                &fields.hour,
                &fields.day,
                &fields.month,
                &fields.weekday,
                &fields.year,
            ];
            for text in fields.into_iter().flatten() {
                check_text("a field of the calendar", text)?;
            }
        }
    }
    Ok(())
}

/// Refuses a schedule of a workflow that no worker has ever registered, unless it names the version.
pub(super) fn check_is_known(node: &Node, schedule: &Schedule) -> Checked {
    let action = &schedule.action;
    if action.version.is_some() || node.workflows.newest(&action.workflow).is_some() {
        return Ok(());
    }
    let detail = format!("no worker has ever registered `{}`", action.workflow);
    Err(Rejection::new(Code::UnknownWorkflow, detail))
}

//! The door for requests that concern many runs.

use super::{Checked, check_name, check_payload, check_run, check_tags, check_text};
use trunkline_core::code::Code;
use trunkline_core::peer::{Action, Bulk, Op, Rejection, RunFilter, Work};

/// Properties that one filter compares at most.
const FILTER_PROPERTIES_MAX: usize = 16;

pub(super) fn check(op: &Op) -> Checked {
    match op {
        Op::Tagged {
            workflow,
            tag,
            action,
            ..
        } => {
            check_name("the workflow", workflow)?;
            check_name("the tag", tag)?;
            check_action(action)
        }
        Op::Fork { run, new_id, .. } => {
            check_run(run)?;
            check_name("the new run's id", new_id)
        }
        Op::BulkStart { bulk, .. } => check_bulk(bulk),
        Op::BulkShow { id } | Op::BulkCancel { id } => check_name("the bulk operation", id),
        _ => {
            let detail = "only the engine itself asks for that";
            Err(Rejection::new(Code::ProtocolError, detail))
        }
    }
}

pub(super) fn check_filter(filter: &RunFilter) -> Checked {
    let names = [
        ("the workflow", &filter.workflow),
        ("the tag", &filter.tag),
        ("the run's id", &filter.id),
        ("the prefix of the id", &filter.id_prefix),
    ];
    for (what, name) in names {
        name.as_ref()
            .map_or(Ok(()), |name| check_name(what, name))?;
    }
    check_tags(&filter.tags)?;
    if filter.properties.len() > FILTER_PROPERTIES_MAX {
        let detail = format!("a filter compares at most {FILTER_PROPERTIES_MAX} properties");
        return Err(Rejection::new(Code::TooManyItems, detail));
    }
    filter.properties.iter().try_for_each(|(name, value)| {
        check_name("the property", name)?;
        check_payload("the property's value", value)
    })
}

fn check_bulk(bulk: &Bulk) -> Checked {
    check_name("the bulk operation", &bulk.id)?;
    if bulk.per_second == Some(0) {
        let detail = "a rate is at least 1 a second; leave it out to go as fast as it goes";
        return Err(Rejection::new(Code::WrongType, detail));
    }
    match &bulk.work {
        Work::Runs { filter, action } => {
            check_filter(filter)?;
            check_action(action)
        }
        // A destination is enabled by a request of its own.
        Work::Jobs(work) if work.enables => {
            let detail = "only the engine itself asks for that";
            Err(Rejection::new(Code::ProtocolError, detail))
        }
        Work::Jobs(work) => super::jobs::check_filter(&work.filter),
    }
}

fn check_action(action: &Action) -> Checked {
    match action {
        Action::Signal {
            channel, payload, ..
        } => {
            check_name("the channel", channel)?;
            check_payload("the signal", payload)
        }
        Action::Cancel { reason } | Action::Terminate { reason } => {
            check_text("the reason", reason)
        }
        Action::Pause | Action::Resume | Action::Retry | Action::Purge | Action::CompleteTimers => {
            Ok(())
        }
    }
}

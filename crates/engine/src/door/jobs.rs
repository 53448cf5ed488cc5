//! The door for requests about many jobs, lanes and objects.

use super::{Checked, check_name, check_payload, check_text};
use trunkline_core::ids::{ShardId, destination_shard};
use trunkline_core::payload::Name;
use trunkline_core::peer::{JobFilter, JobsOp};

/// The shard that a request is for; nothing if it is for all.
pub(super) fn shard_of(op: &JobsOp, shards: u16) -> Option<ShardId> {
    match op {
        JobsOp::Correct { destination, .. }
        | JobsOp::Enable { destination, .. }
        | JobsOp::Lanes { destination, .. } => Some(destination_shard(destination, shards)),
        JobsOp::Count { .. } | JobsOp::OfObject { .. } | JobsOp::Figures { .. } => None,
    }
}

pub(super) fn check(op: &JobsOp) -> Checked {
    let name = |what: &str, name: Option<&Name>| name.map_or(Ok(()), |name| check_name(what, name));
    match op {
        JobsOp::Correct {
            destination, body, ..
        } => {
            check_name("the destination", destination)?;
            check_payload("the body", body)
        }
        JobsOp::Enable {
            destination, bulk, ..
        } => {
            check_name("the destination", destination)?;
            check_name("the bulk operation", bulk)
        }
        JobsOp::Count { filter, .. } => check_filter(filter),
        JobsOp::OfObject {
            object,
            destination,
            ..
        } => {
            check_name("the object type", &object.object_type)?;
            check_name("the object id", &object.object_id)?;
            name("the destination", destination.as_ref())
        }
        JobsOp::Lanes {
            destination, after, ..
        } => {
            check_name("the destination", destination)?;
            name("the lane", after.as_ref())
        }
        JobsOp::Figures { .. } => Ok(()),
    }
}

pub(super) fn check_filter(filter: &JobFilter) -> Checked {
    let names = [
        ("the destination", &filter.destination),
        ("the lane", &filter.lane),
        ("the object type", &filter.object_type),
        ("the object id", &filter.object_id),
        ("the action", &filter.action),
        ("the batch", &filter.batch),
    ];
    for (what, name) in names {
        name.as_ref()
            .map_or(Ok(()), |name| check_name(what, name))?;
    }
    let error = filter.error.as_ref();
    error.map_or(Ok(()), |error| check_text("the error", error))
}

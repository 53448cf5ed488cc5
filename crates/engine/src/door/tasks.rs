//! What is said of tasks besides their results: options, heartbeats, meta.

use super::{Checked, check_name, check_payload, check_tags};
use trunkline_core::code::Code;
use trunkline_core::entry::{Meta, TaskOptions};
use trunkline_core::limits::TAGS_MAX;
use trunkline_core::payload::Payload;
use trunkline_core::peer::Rejection;

/// Bytes of the values in one task's meta.
const META_BYTES_MAX: usize = 64 << 10;

pub(super) fn check_details(details: Option<&Payload>) -> Checked {
    details.map_or(Ok(()), |details| {
        check_payload("the heartbeat's details", details)
    })
}

pub(super) fn check_options(options: &TaskOptions) -> Checked {
    check_tags(options.tags.as_deref().unwrap_or_default())?;
    check_meta(options.meta.as_ref())
}

/// A task's meta is written with each of its heartbeats that says something.
pub(super) fn check_meta(meta: Option<&Meta>) -> Checked {
    let meta = meta.map(Vec::as_slice).unwrap_or_default();
    let bytes: usize = meta.iter().map(|(_, value)| value.len()).sum();
    if meta.len() > TAGS_MAX || bytes > META_BYTES_MAX {
        let detail = format!(
            "the task's meta has {} values of {bytes} bytes, the limits are {TAGS_MAX} and {META_BYTES_MAX}",
            meta.len()
        );
        return Err(Rejection::new(Code::PayloadTooLarge, detail));
    }
    meta.iter()
        .try_for_each(|(name, _)| check_name("a name in the task's meta", name))
}

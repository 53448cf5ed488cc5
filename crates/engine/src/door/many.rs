//! The door for requests that concern many runs.

use super::{Checked, check_name, check_payload, check_tags};
use trunkline_core::code::Code;
use trunkline_core::peer::{Rejection, RunFilter};

/// Properties that one filter compares at most.
const FILTER_PROPERTIES_MAX: usize = 16;

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

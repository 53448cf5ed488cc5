//! The tags of a run, as its code knows them: those it was started with, and what the code has made of them since.

use super::Ledger;
use std::collections::BTreeSet;
use trunkline_api::core::entry::Command;
use trunkline_api::core::payload::Name;

impl Ledger {
    /// The run begins with these.
    pub(crate) fn begin_tags(&self, tags: Vec<Name>) {
        self.inner.borrow_mut().tags = BTreeSet::from_iter(tags);
    }

    /// The tags, sorted.
    pub(crate) fn tags(&self) -> Vec<Name> {
        self.inner.borrow().tags.iter().cloned().collect()
    }

    pub(crate) fn add_tags(&self, tags: Vec<Name>) {
        self.inner.borrow_mut().tags.extend(tags.iter().cloned());
        self.record(Command::AddTags { tags });
    }

    pub(crate) fn remove_tags(&self, tags: Vec<Name>) {
        self.inner
            .borrow_mut()
            .tags
            .retain(|tag| !tags.contains(tag));
        self.record(Command::RemoveTags { tags });
    }
}

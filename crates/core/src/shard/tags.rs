//! The tag index: which runs have a tag.
//!
//! A run with tags has one row for each, written in the commit that gives it the tag. Behind the kind and the shard stands a
//! hash of the tag, so that the runs with one tag lie together, in the order of their keys, as runs do. Runs without tags
//! cost nothing.

use super::Shard;
use super::hot::Hot;
use crate::ids::RunKey;
use crate::io::Io;
use crate::payload::Name;
use crate::row::{Kind, run_of_tag_key};
use crate::run::Run;
use alloc::vec::Vec;

/// The tags that the code of a run is told when it begins. Of a run without tags nothing is said.
pub(super) fn tags_at_start(run: &Run) -> Option<Vec<Name>> {
    (!run.tags.is_empty()).then(|| run.tags.clone())
}

impl Shard {
    /// Indexes the tags of a new run.
    pub(super) fn index_tags(&self, io: &mut Io<'_>, key: RunKey, run: &Run) {
        for tag in &run.tags {
            io.create(&self.keys.tag(tag, key), &run.id.workflow);
        }
    }

    /// Forgets the tags of a run whose rows go.
    pub(super) fn forget_tags(&self, io: &mut Io<'_>, key: RunKey, run: &Run) {
        for tag in &run.tags {
            io.delete(&self.keys.tag(tag, key));
        }
    }

    /// Gives a run tags.
    pub(super) fn add_tags(&self, io: &mut Io<'_>, key: RunKey, hot: &mut Hot, tags: Vec<Name>) {
        for tag in tags {
            if let Err(place) = hot.run.tags.binary_search(&tag) {
                io.create(&self.keys.tag(&tag, key), &hot.run.id.workflow);
                hot.run.tags.insert(place, tag);
                hot.changed = true;
            }
        }
    }

    /// Takes tags from a run.
    pub(super) fn remove_tags(&self, io: &mut Io<'_>, key: RunKey, hot: &mut Hot, tags: &[Name]) {
        for tag in tags {
            if let Ok(place) = hot.run.tags.binary_search(tag) {
                io.delete(&self.keys.tag(tag, key));
                hot.run.tags.remove(place);
                hot.changed = true;
            }
        }
    }

    /// The runs with `tag`, behind `after`, at most `limit` of them; only of `workflow` if one is given. True if that is not
    /// the end.
    pub(super) fn tagged(
        &self,
        io: &Io<'_>,
        tag: &Name,
        workflow: Option<&Name>,
        after: Option<RunKey>,
        limit: usize,
    ) -> (Vec<RunKey>, bool) {
        let (mut from, to) = self.keys.tagged(tag);
        if let Some(after) = after {
            from = self.keys.tag(tag, after);
            from.push(0);
        }
        let (mut runs, mut more) = (Vec::new(), false);
        io.scan((&from, &to), &mut |key, value| {
            if runs.len() == limit {
                more = true;
                return false;
            }
            if workflow.is_none_or(|workflow| *workflow == crate::io::decode::<Name>(value)) {
                runs.push(run_of_tag_key(key).expect("a tag's key"));
            }
            true
        });
        (runs, more)
    }

    /// The rows of the index, for the invariants.
    pub(super) fn tag_rows(&self, io: &Io<'_>) -> Vec<(Vec<u8>, Name)> {
        let (from, to) = self.keys.all(Kind::Tag);
        let mut rows = Vec::new();
        io.scan((&from, &to), &mut |key, value| {
            rows.push((key.to_vec(), crate::io::decode(value)));
            true
        });
        rows
    }
}

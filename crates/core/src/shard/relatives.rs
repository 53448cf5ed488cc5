//! Who belongs to whom: who started a run, and its children that have not ended.

use super::Shard;
use crate::ids::RunId;
use crate::io::Io;
use crate::peer::{Rejection, Reply};

/// Children that one answer tells of.
const CHILDREN_TOLD_MAX: usize = 1_000;

impl Shard {
    pub(super) fn relatives(&mut self, io: &mut Io<'_>, run: &RunId) -> Result<Reply, Rejection> {
        let (key, hot) = self.find(io, run)?;
        let mut children = self.children_of(io, key);
        let more = children.len() > CHILDREN_TOLD_MAX;
        children.truncate(CHILDREN_TOLD_MAX);
        let origin = hot.run.origin.clone();
        self.keep(key, hot);
        let children = children.into_iter().map(|(_, row)| row.run).collect();
        Ok(Reply::Relatives {
            origin,
            children,
            more,
        })
    }
}

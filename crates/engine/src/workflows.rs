//! The workflows that workers have ever registered, each with its newest version.

use hashbrown::HashMap;
use std::sync::{PoisonError, RwLock};
use trunkline_core::ids::ShardId;
use trunkline_core::payload::Name;

/// The shard that remembers them.
pub(crate) const HOME: ShardId = ShardId(0);

/// The registry of workflows.
#[derive(Debug, Default)]
pub(crate) struct Workflows {
    newest: RwLock<HashMap<Name, u32>>,
}

impl Workflows {
    /// The newest version of a workflow, if it is known.
    pub(crate) fn newest(&self, workflow: &str) -> Option<u32> {
        self.newest
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(workflow)
            .copied()
    }

    /// Takes note of a version; true if that was news.
    pub(crate) fn learn(&self, workflow: &Name, version: u32) -> bool {
        if self
            .newest(workflow)
            .is_some_and(|newest| newest >= version)
        {
            return false;
        }
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        let known = newest.entry(workflow.clone()).or_insert(version);
        *known = version.max(*known);
        true
    }
}

//! The workflows that workers have ever registered, each with its newest version.

use hashbrown::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};
use trunkline_core::payload::Name;

/// The registry of workflows.
#[derive(Debug, Default)]
pub(crate) struct Workflows {
    newest: RwLock<HashMap<Name, u32>>,
    /// What the shards have been told since the engine was opened. Schedules, on any shard, start the newest version.
    told: Mutex<HashMap<Name, u32>>,
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

    /// Takes note of a version that a worker registers. Returns the newest if the shards have to be told.
    pub(crate) fn register(&self, workflow: &Name, version: u32) -> Option<u32> {
        self.learn(workflow, version);
        let version = self.newest(workflow)?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.get(workflow).is_none_or(|told| *told < version);
        is_news.then(|| {
            told.insert(workflow.clone(), version);
            version
        })
    }

    /// Takes note of a version.
    pub(crate) fn learn(&self, workflow: &Name, version: u32) {
        if self
            .newest(workflow)
            .is_some_and(|newest| newest >= version)
        {
            return;
        }
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        let known = newest.entry(workflow.clone()).or_insert(version);
        *known = version.max(*known);
    }
}

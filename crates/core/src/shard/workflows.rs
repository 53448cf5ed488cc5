//! The workflows that workers have registered, each with its newest version.

use super::Shard;
use crate::io::Io;
use crate::payload::Name;
use crate::row::Kind;
use alloc::vec::Vec;

impl Shard {
    pub(super) fn open_workflows(&mut self, io: &Io<'_>) {
        let (from, to) = self.keys.all(Kind::Workflow);
        io.scan((&from, &to), &mut |key, value| {
            let name = core::str::from_utf8(&key[4..]).expect("names are text");
            self.workflows
                .insert(Name::from(name), crate::io::decode(value));
            true
        });
    }

    pub(super) fn workflow_known(&mut self, io: &mut Io<'_>, workflow: Name, version: u32) {
        let known = self.workflows.get(&workflow).copied();
        if known.is_none_or(|known| known < version) {
            io.put(&self.keys.workflow(&workflow), &version);
            self.workflows.insert(workflow, version);
        }
    }

    /// The newest registered version of each workflow that the shard knows: filled by `Input::WorkflowKnown`.
    #[must_use]
    pub fn workflows(&self) -> Vec<(Name, u32)> {
        self.workflows
            .iter()
            .map(|(name, version)| (name.clone(), *version))
            .collect()
    }
}

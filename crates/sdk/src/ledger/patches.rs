//! Patches: whether a run takes the new way through changed code.
//!
//! The first time that the code asks, the answer is yes if nothing is recorded beyond that point, and a mark in the history
//! keeps it; when a turn is replayed that has no mark, the run went the old way there and goes on doing so. Either way a
//! run decides once for each patch.

use super::Ledger;
use std::collections::BTreeMap;
use trunkline_api::core::entry::Command;
use trunkline_api::core::payload::Name;

#[derive(Default)]
pub(super) struct Patches {
    decided: BTreeMap<Name, bool>,
    /// The marks of the turn that is being replayed; nothing while the turn is a new one.
    recorded: Option<Vec<Name>>,
}

impl Ledger {
    /// True if the run takes the new way at the patch `name`.
    pub(crate) fn is_patched(&self, name: Name) -> bool {
        let mut inner = self.inner.borrow_mut();
        if let Some(decided) = inner.patches.decided.get(&name) {
            return *decided;
        }
        let recorded = inner.patches.recorded.as_ref();
        let patched = recorded.is_none_or(|recorded| recorded.contains(&name));
        inner.patches.decided.insert(name.clone(), patched);
        if patched && !inner.closed {
            inner.commands.push(Command::Patch { name });
        }
        patched
    }

    /// From now on a recorded turn with these marks is played again, or, without any, a new one.
    pub(crate) fn begin_turn(&self, recorded: Option<Vec<Name>>) {
        self.inner.borrow_mut().patches.recorded = recorded;
    }
}

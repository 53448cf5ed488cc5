//! Methods and queries: a call counts once and has one answer; a query says what the run was at some place of its history.

use super::{Checked, Model, Reading, broken};
use crate::program::Machine;
use std::collections::BTreeSet;
use trunkline_core::entry::{Entry, Notification};
use trunkline_core::ids::{Nonce, RunId};
use trunkline_core::run::Run;

impl Model {
    /// The calls that a run's row says are open are those that its program has not answered, and no call is there twice.
    pub(super) fn check_calls(&mut self, run: &Run, reading: &Reading) -> Checked {
        let mut nonces = BTreeSet::new();
        for (call, nonce) in &reading.calls {
            if *nonce != Nonce(0) && !nonces.insert(*nonce) {
                let detail = format!("{} has call {call} twice: {nonce}", run.id);
                return broken("METHOD-ONCE", detail);
            }
        }
        self.marks
            .set_if(!reading.calls.is_empty(), "a method was called");
        if run.status.is_final() {
            return Ok(());
        }
        let unseen = reading.unplayed_calls();
        let expected: Vec<u32> = reading.machine.methods.keys().copied().collect();
        let expected: BTreeSet<u32> = expected.into_iter().chain(unseen).collect();
        let open: BTreeSet<u32> = run.open_methods.iter().map(|open| open.call).collect();
        if open == expected {
            return Ok(());
        }
        let detail = format!("{}: {open:?} are open, not {expected:?}", run.id);
        broken("METHOD-KEPT", detail)
    }

    /// A query was answered: that is what the run's program had heard at some place of its history.
    ///
    /// # Errors
    /// If it never was.
    pub fn check_answer(&mut self, id: &RunId, answer: &[u8]) -> Checked {
        self.marks.set("a query was answered");
        let Some(run) = self.run(id.key()) else {
            return Ok(());
        };
        let book = &self.book;
        if run.generation.is_some()
            || self.retention_ms < 3_600_000
            || book.may_be_purged(id)
            || book.may_be_retried(id)
        {
            return Ok(());
        }
        let entries = self.history(id.key());
        let Some(mut machine) = Machine::of(&entries) else {
            return Ok(());
        };
        let mut consumed = 0;
        let mut known = vec![machine.heard()];
        for entry in &entries {
            let Entry::Turn { upto } = entry else {
                continue;
            };
            for index in consumed..*upto {
                if let Entry::Notification(_, notification) = &entries[index as usize] {
                    machine.play(index, notification);
                }
            }
            machine.end_turn();
            consumed = *upto;
            known.push(machine.heard());
        }
        let fits = |heard: &u64| heard.to_string().as_bytes() == answer;
        if known.iter().any(fits) {
            return Ok(());
        }
        let detail = format!("{id} answers {answer:?}, and knew {known:?}");
        broken("QUERY-STATE", detail)
    }

    /// The nonce of a call, as the history of its run has it.
    #[must_use]
    pub fn call_at(&self, run: &RunId, call: u32) -> Option<Nonce> {
        let entries = self.history(run.key());
        match entries.get(call as usize) {
            Some(Entry::Notification(_, Notification::MethodCalled { nonce, .. })) => Some(*nonce),
            _ => None,
        }
    }
}

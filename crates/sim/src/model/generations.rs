//! Continuing as new: the next history begins with its start and with all that came from outside and was not received.

use super::{Checked, Model, Reading, broken};
use std::collections::BTreeSet;
use trunkline_core::entry::{Command, Entry, Notification};
use trunkline_core::ids::{Nonce, RunKey};
use trunkline_core::peer::FromPeer;
use trunkline_core::run::Run;

impl Model {
    /// A worker says something: what its runs ask for is known from now on.
    pub fn note_report(&mut self, report: &FromPeer) {
        let turn = match report {
            FromPeer::TurnDone(turn) => Some(turn),
            FromPeer::TaskDone { then, .. } | FromPeer::StepDone { then, .. } => then.as_ref(),
            _ => None,
        };
        let Some((turn, run)) = turn.and_then(|turn| Some((turn, self.run(turn.run)?))) else {
            return;
        };
        for command in &turn.commands {
            self.book.wanted(&run, command);
        }
    }

    /// A run has continued as new: `before` is the history that it had, `entries` is the one that it has.
    pub(super) fn check_generation(
        &mut self,
        key: RunKey,
        run: &Run,
        before: &[Entry],
        entries: &[Entry],
    ) -> Checked {
        let wrong = |what: &str| {
            let detail = format!("{}: {what}: {before:?} became {entries:?}", run.id);
            broken("RUN-CONTINUED", detail)
        };
        let number = run
            .generation
            .as_ref()
            .map_or(0, |generation| generation.number);
        if number == 0 {
            return Ok(());
        }
        let Some(Entry::Command(Command::ContinueAsNew { input, carry, .. })) = before
            .iter()
            .rfind(|entry| matches!(entry, Entry::Command(Command::ContinueAsNew { .. })))
        else {
            // It was retried, or forked, or has done so twice, within one batch.
            return Ok(());
        };
        self.marks.set("a run continued as new");
        Reading::of(run, before, &self.book)?;
        let upto = before.iter().rev().find_map(|entry| match entry {
            Entry::Turn { upto } => Some(*upto),
            _ => None,
        });
        let upto = upto.unwrap_or(0);
        let mut expected = Vec::new();
        for (index, entry) in (0..).zip(before) {
            let Entry::Notification(_, notification) = entry else {
                continue;
            };
            let outside = matches!(
                notification,
                Notification::Signal { .. } | Notification::CancelRequested { .. }
            );
            if outside && (index >= upto || carry.contains(&index)) {
                expected.push(notification);
            }
        }
        self.marks.set_if(
            !expected.is_empty(),
            "a signal came along into a new generation",
        );
        let mut notifications = entries.iter().filter_map(|entry| match entry {
            Entry::Notification(_, notification) => Some(notification),
            _ => None,
        });
        let begins = matches!(notifications.next(), Some(Notification::Started { input: begun, .. }) if begun == input);
        let found: Vec<&Notification> = notifications.take(expected.len()).collect();
        if !begins || found != expected {
            return wrong("what came from outside is not in the new history");
        }
        let carried = expected
            .iter()
            .filter_map(|notification| match notification {
                Notification::Signal { nonce, .. } => Some(*nonce),
                _ => None,
            })
            .collect();
        self.carried.insert(key, (run.began_at(), carried));
        Ok(())
    }

    /// A signal that an earlier history of the run has had does not count again.
    pub(super) fn check_repeats(&self, key: RunKey, run: &Run, signals: &[Nonce]) -> Checked {
        let nothing = BTreeSet::new();
        let carried = match self.carried.get(&key) {
            Some((began_at, carried)) if *began_at == run.began_at() => carried,
            _ => &nothing,
        };
        let Some(generation) = run
            .generation
            .as_ref()
            .filter(|generation| generation.number > 0)
        else {
            return Ok(());
        };
        let known = self.carried.contains_key(&key);
        let again = signals
            .iter()
            .find(|nonce| generation.nonces.contains(nonce) && !carried.contains(nonce));
        match again.filter(|_| known) {
            Some(nonce) => broken("SIGNAL-ONCE", format!("{} has {nonce} again", run.id)),
            None => Ok(()),
        }
    }
}

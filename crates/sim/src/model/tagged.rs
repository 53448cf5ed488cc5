//! Signals by tag: when the sender hears that it has been everywhere, it has.

use super::bulks::has_signal;
use super::{Checked, Model, broken};
use trunkline_core::entry::{Command, Entry, Notification};
use trunkline_core::ids::{JobId, Nonce, RunKey};
use trunkline_core::run::Run;

impl Model {
    /// Every run that had the tag all the time, and is still there, has had the signal.
    pub(super) fn check_tagged(
        &mut self,
        (key, sender): (RunKey, &Run),
        entries: &[Entry],
        notification: &Notification,
    ) -> Checked {
        let Notification::Answered { command, .. } = notification else {
            return Ok(());
        };
        let sent = entries.iter().find_map(|entry| match entry {
            Entry::Command(Command::SignalTagged {
                command: number,
                workflow,
                tag,
                ..
            }) if number == command => Some((workflow, tag)),
            _ => None,
        });
        let Some((workflow, tag)) = sent else {
            return Ok(());
        };
        self.marks.set("a signal by tag has been everywhere");
        let nonce = Nonce(JobId::of_command(key, sender.began_at().0, *command).0);
        for (meant, run) in self.runs() {
            let was_there = run.id.workflow == *workflow
                && run.tags.contains(tag)
                && self.order.was_there_for_signal(meant, (key, *command))
                && !run.status.is_final()
                && run.generation.is_none();
            if !was_there || self.book.may_be_retried(&run.id) {
                continue;
            }
            let entries = self.history(meant);
            if !has_signal(&entries, nonce) {
                let detail = format!("the signal of {} to `{tag}` missed {run:?}", sender.id);
                return broken("TAG-ALL", detail);
            }
        }
        Ok(())
    }
}

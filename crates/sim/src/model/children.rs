//! Children: each is heard of once, with what came of it, and treated as was said when its parent ends.

use super::{Checked, Model, broken, decode};
use std::collections::BTreeMap;
use trunkline_core::entry::{Command, Entry, Notification, OnParentEnd, Outcome};
use trunkline_core::ids::{CommandId, RunId, RunKey, ShardId};
use trunkline_core::row::{Keys, Kind, command_of_key};
use trunkline_core::run::{Origin, Run, RunStatus};
use trunkline_core::shard::ChildRow;

impl Model {
    /// The children that a run waits for have rows, and no others.
    pub(super) fn check_children(
        &mut self,
        shard: ShardId,
        key: RunKey,
        run: &Run,
        expected: &BTreeMap<CommandId, RunId>,
    ) -> Checked {
        let (from, to) = Keys::new(shard).children(key);
        let children: BTreeMap<CommandId, RunId> = self
            .live
            .range(from..to)
            .map(|(key, row)| {
                let command = command_of_key(key).expect("a child's key");
                (command, decode::<ChildRow>(row).run)
            })
            .collect();
        if children != *expected || run.open_children.unwrap_or(0) as usize != children.len() {
            let detail = format!(
                "{} waits for children {expected:?}, the rows are {children:?}",
                run.id
            );
            return broken("CHILD-KEPT", detail);
        }
        Ok(())
    }

    /// What a run is told of a child is what came of it, if that is still known.
    pub(super) fn check_child_end(
        &mut self,
        parent: &Run,
        started: &BTreeMap<CommandId, RunId>,
        notification: &Notification,
    ) -> Checked {
        let Notification::ChildEnded { command, outcome } = notification else {
            return Ok(());
        };
        self.marks.set("a run heard of the end of its child");
        let refused = matches!(outcome, Outcome::Failed(failure) if &*failure.name == "TL0013" || failure.cause.is_none());
        self.marks.set_if(refused, "a child was refused");
        let Some(id) = started.get(command).filter(|_| !refused) else {
            return Ok(());
        };
        let book = &self.book;
        let is_fleeting = self.retention_ms < 3_600_000
            || book.may_be_purged(id)
            || book.may_be_retried(id)
            || book.may_be_retried(&parent.id);
        let Some(child) = self.run(id.key()).filter(|_| !is_fleeting) else {
            return Ok(());
        };
        let same = match (outcome, &child.outcome) {
            (Outcome::Completed(told), Some(Outcome::Completed(value))) => told == value,
            (Outcome::Failed(told), Some(Outcome::Failed(failure))) => {
                told.cause.as_deref() == Some(failure)
            }
            _ => false,
        };
        if same {
            return Ok(());
        }
        let detail = format!("{} is told {outcome:?} of {child:?}", parent.id);
        broken("CHILD-RESULT", detail)
    }

    /// When nothing is under way between shards, children of runs that have ended are as was said.
    ///
    /// # Errors
    /// The first child that was left behind.
    pub fn check_left_children(&mut self) -> Checked {
        let under_way = (0..self.shards).map(ShardId).any(|shard| {
            let (from, to) = Keys::new(shard).all(Kind::Outbox);
            let mut rows = self.live.range(from..to);
            rows.any(|(key, _)| key[6..] != [0; 8])
        });
        if under_way {
            return Ok(());
        }
        let mut runs = self.runs();
        runs.retain(|(_, run)| !run.status.is_final());
        for (_, child) in runs {
            let Some(Origin::Run {
                run: parent,
                began_at,
                command,
            }) = &child.origin
            else {
                continue;
            };
            let Some(ended) = self.run(parent.key()).filter(|run| {
                run.id == *parent && run.began_at() == *began_at && run.status.is_final()
            }) else {
                continue;
            };
            let Some(fate) = self.fate(parent, *command) else {
                continue;
            };
            let as_said = match fate {
                OnParentEnd::Abandon => true,
                OnParentEnd::Cancel => child.cancelling,
                OnParentEnd::Terminate => false,
            };
            let mark = match fate {
                OnParentEnd::Abandon => "a child outlived its parent",
                _ => "a child was asked to end with its parent",
            };
            self.marks.set_if(as_said, mark);
            // A parent that was retried once heard of its children anew.
            let retried = self.book.may_be_retried(parent) || self.book.may_be_retried(&child.id);
            if !as_said && !retried {
                let detail = format!("{child:?} goes on behind {ended:?}");
                return broken("CHILD-END", detail);
            }
        }
        Ok(())
    }

    /// What is to become of a child that its parent did not see the end of.
    fn fate(&self, parent: &RunId, wanted: CommandId) -> Option<OnParentEnd> {
        let entries = self.history(parent.key());
        let heard = |entry: &Entry| matches!(entry, Entry::Notification(_, Notification::ChildEnded { command, .. }) if *command == wanted);
        if entries.iter().any(heard) {
            return None;
        }
        entries.iter().find_map(|entry| match entry {
            Entry::Command(Command::StartChild {
                command, options, ..
            }) if *command == wanted => Some(options.on_parent_end),
            _ => None,
        })
    }

    /// Marks what is seen of the ends of children.
    pub(super) fn note_child(&mut self, run: &Run) {
        let of_run = matches!(run.origin, Some(Origin::Run { .. }));
        let cancelled = of_run && run.status == RunStatus::Cancelled;
        self.marks.set_if(cancelled, "a child was cancelled");
    }
}

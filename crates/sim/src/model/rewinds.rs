//! Retries and forks: what must be left of a history, computed anew from the history before and where it was cut.

use super::{Checked, Model, broken};
use std::collections::BTreeSet;
use trunkline_core::entry::{Command, Entry, Notification, Outcome};
use trunkline_core::failure::{Failure, FailureKind};
use trunkline_core::ids::{CommandId, JobId, RunId, RunKey};
use trunkline_core::run::Run;
use trunkline_core::time::Timestamp;

/// The number that a command claims.
pub(super) fn number(command: &Command) -> Option<CommandId> {
    match command {
        Command::ScheduleTask { command, .. }
        | Command::StartTimer { command, .. }
        | Command::BeginStep { command, .. }
        | Command::CreateJob { command, .. }
        | Command::StartChild { command, .. }
        | Command::CallMethod { command, .. }
        | Command::SignalRun { command, .. }
        | Command::SignalTagged { command, .. }
        | Command::CancelRun { command, .. } => Some(*command),
        _ => None,
    }
}

/// The command that a notification is about.
pub(super) fn about(notification: &Notification) -> Option<CommandId> {
    match notification {
        Notification::TaskCompleted { command, .. }
        | Notification::TaskFailed { command, .. }
        | Notification::TimerFired { command }
        | Notification::StepDone { command, .. }
        | Notification::ChildStarted { command }
        | Notification::ChildEnded { command, .. }
        | Notification::MethodEnded { command, .. }
        | Notification::Answered { command, .. } => Some(*command),
        _ => None,
    }
}

fn is_real(failure: &Failure) -> bool {
    failure.kind != FailureKind::Cancelled
}

fn says_failure(entry: &Entry) -> bool {
    let Entry::Notification(_, notification) = entry else {
        return false;
    };
    match notification {
        Notification::TaskFailed { failure, .. } => is_real(failure),
        Notification::StepDone { outcome, .. } | Notification::ChildEnded { outcome, .. } => {
            matches!(outcome, Outcome::Failed(failure) if is_real(failure))
        }
        _ => false,
    }
}

/// What is left of `entries` if it is cut before the turn that asked for `at`, or, without one, before the turn that took
/// notice of the last failure. Nothing if there is no such turn.
fn remainder(entries: &[Entry], at: Option<CommandId>) -> Option<Vec<Entry>> {
    let turns: Vec<(usize, u32)> = entries
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| match entry {
            Entry::Turn { upto } => Some((index, *upto)),
            _ => None,
        })
        .collect();
    let asked = |entry: &Entry| match entry {
        Entry::Command(command) => number(command),
        _ => None,
    };
    let (cut, _) = match at {
        Some(at) => {
            let place = entries.iter().position(|entry| asked(entry) == Some(at))?;
            *turns.iter().rfind(|(turn, _)| *turn < place)?
        }
        None => {
            let failure = entries.iter().rposition(says_failure);
            let noticed =
                failure.and_then(|place| turns.iter().find(|(_, upto)| *upto as usize > place));
            *noticed.or(turns.last())?
        }
    };
    let consumed = turns.iter().rfind(|(turn, _)| *turn < cut);
    let consumed = consumed.map_or(0, |(_, upto)| *upto as usize);
    let undone: BTreeSet<CommandId> = entries[cut..].iter().filter_map(asked).collect();
    let stays = |(index, entry): &(usize, &Entry)| match entry {
        _ if *index < consumed => true,
        Entry::Notification(_, notification) => {
            let answers_undone = about(notification).is_some_and(|id| undone.contains(&id));
            let older = *index >= cut && matches!(notification, Notification::Rewound { .. });
            let reopened = at.is_none() && says_failure(entry);
            !answers_undone && !older && !reopened
        }
        _ => *index < cut,
    };
    let left = entries.iter().enumerate().filter(stays);
    Some(left.map(|(_, entry)| entry.clone()).collect())
}

/// Every place from which a run has gone on again.
pub(super) fn all_rewound(entries: &[Entry]) -> Vec<Entry> {
    let rewound =
        |entry: &&Entry| matches!(entry, Entry::Notification(_, Notification::Rewound { .. }));
    entries.iter().filter(rewound).cloned().collect()
}

/// The newest of the places from which a run has gone on again: one that is not among those `before`, or the `newest` of them.
pub(super) fn newest_rewound(
    marks: &[Entry],
    before: &[Entry],
    newest: Option<&Entry>,
) -> Option<Entry> {
    let next = |entry: &&Entry| match entry {
        // Numbers grow, and times may not. A fork within the millisecond of a retry has the marks of both; its own is newer.
        Entry::Notification(at, Notification::Rewound { next, source, .. }) => {
            (*next, *at, source.is_some())
        }
        _ => unreachable!("only these are looked at"),
    };
    let fresh = marks.iter().filter(|mark| !before.contains(mark));
    let known = newest.filter(|newest| marks.contains(newest));
    fresh
        .max_by_key(next)
        .or(known)
        .or_else(|| marks.iter().max_by_key(next))
        .cloned()
}

impl Model {
    /// A history that goes on from an earlier place has, of what was before the cut and of what came in since, all.
    pub(super) fn check_rewound(
        &mut self,
        key: RunKey,
        run: &Run,
        entries: &[Entry],
        newest: &Entry,
    ) -> Checked {
        let Entry::Notification(_, Notification::Rewound { next, source, .. }) = newest else {
            return Ok(());
        };
        self.leases.retain(|(run, _), _| *run != key);
        let wrong = |what: String| broken("RUN-REWOUND", format!("{}: {what}", run.id));
        let before: Vec<(Vec<Entry>, Option<CommandId>)> = match source {
            Some(source) => {
                self.marks.set("a run was forked");
                let forks = self.book.forks.get(&run.id).into_iter().flatten();
                let forks = forks.filter(|fork| fork.source == *source);
                forks
                    .map(|fork| (fork.entries.clone(), Some(fork.at)))
                    .collect()
            }
            None => {
                self.marks.set("a failed run was retried");
                if !self.book.may_be_retried(&run.id) {
                    return wrong("nobody has asked for a retry".into());
                }
                let Some((started_at, before)) = self.failed.remove(&key) else {
                    // It has failed and was retried within one batch.
                    return Ok(());
                };
                if started_at != run.started_at {
                    return Ok(());
                }
                let at = self.book.retries.get(&run.id).cloned().unwrap_or_default();
                let at = at.into_iter().chain([None]);
                at.map(|at| (before.clone(), at)).collect()
            }
        };
        for (before, at) in &before {
            let used = before.iter().filter_map(|entry| match entry {
                Entry::Command(command) => number(command).map(|id| id.0 + 1),
                Entry::Notification(_, Notification::Rewound { next, .. }) => Some(next.0),
                _ => None,
            });
            if let Some(left) = remainder(before, *at)
                && begins_with(entries, newest, &left)
                && used.max().unwrap_or(0) <= next.0
            {
                return Ok(());
            }
        }
        wrong(format!(
            "{entries:?} is not what is left of any of {before:?}"
        ))
    }

    /// Remembers what retries start from, and which jobs may outlive what asked for them.
    pub(super) fn note_rewindable(&mut self, key: RunKey, run: &Run, entries: &[Entry]) {
        if run.status == trunkline_core::run::RunStatus::Failed {
            let entries = entries.to_vec();
            self.failed.insert(key, (run.started_at, entries));
        } else {
            self.failed.remove(&key);
        }
        self.note_jobs(key, run.began_at(), entries);
    }

    /// Remembers which jobs a history asks for.
    pub(super) fn note_jobs(&mut self, key: RunKey, began_at: Timestamp, entries: &[Entry]) {
        for entry in entries {
            if let Entry::Command(Command::CreateJob { command, .. }) = entry {
                let job = JobId::of_command(key, began_at.0, *command);
                self.ever_asked.insert(job);
            }
        }
    }

    /// True if what a run has asked for may be there without the run, or without what asked in its history.
    #[must_use]
    pub fn may_have_asked(&self, job: JobId, source: &str) -> bool {
        let Some((workflow, id)) = source.split_once('/') else {
            return false;
        };
        let run = RunId::new(workflow, id);
        let changed = self.book.may_be_retried(&run)
            || self.book.may_be_purged(&run)
            || self.book.again.contains(&run);
        changed && self.ever_asked.contains(&job)
    }
}

/// True if `entries`, but for the newest place that says it was rewound, begins with `left`.
fn begins_with(entries: &[Entry], newest: &Entry, left: &[Entry]) -> bool {
    let place = entries.iter().position(|entry| entry == newest);
    let rest = entries.iter().enumerate();
    let mut rest = rest
        .filter(|(index, _)| Some(*index) != place)
        .map(|(_, entry)| entry);
    left.iter().all(|entry| rest.next() == Some(entry))
}

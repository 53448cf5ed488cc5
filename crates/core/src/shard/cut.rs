//! Cutting a history: what is left of it when a run goes on from an earlier point, in place (retry) or as another run (fork).
//!
//! The cut is before a turn. What that turn and later ones asked for is dropped, and so is what answered it. Everything
//! before stays as it is; what came later and answers nothing that was dropped, signals above all, stays behind the cut, to
//! be consumed by the turns to come. Where the new turns begin, a [`Notification::Rewound`] says from which number on they
//! claim their commands: a number that a dropped command had is never given to another, because the ids of tasks and jobs
//! are made of it.
//!
//! Pure: entries in, entries out.

use crate::entry::{Command, Entry, Notification, Outcome};
use crate::failure::FailureKind;
use crate::ids::{CommandId, RunId};
use crate::mutant::{self, Mutant};
use crate::payload::{Name, Payload};
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Where a history is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Point {
    /// Before the turn that consumed the last failure of a task or step, which is opened again; if nothing failed, before
    /// the last turn.
    LastFailure,
    /// Before the turn that asked for this command.
    Command(CommandId),
}

/// What is left of a history.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) entries: Vec<Entry>,
    /// Notifications below this index have been consumed.
    pub(super) consumed: u32,
    /// Commands that nothing has answered, by number: what they ask for is to be done again.
    pub(super) open: BTreeSet<CommandId>,
    pub(super) properties: BTreeMap<Name, Payload>,
    /// Tags that the run had then and has no longer, and the other way round.
    pub(super) tags_back: Vec<Name>,
    pub(super) tags_gone: Vec<Name>,
}

impl Cut {
    pub(super) fn count(&self, wanted: impl Fn(&Notification) -> bool) -> u32 {
        let found = self.entries.iter().filter(
            |entry| matches!(entry, Entry::Notification(_, notification) if wanted(notification)),
        );
        found.count() as u32
    }

    /// The calls of methods that have not returned, by their indexes.
    pub(super) fn open_calls(&self) -> Vec<u32> {
        let mut open = BTreeSet::new();
        for (index, entry) in self.entries.iter().enumerate() {
            match entry {
                Entry::Notification(_, Notification::MethodCalled { .. }) => {
                    open.insert(index as u32);
                }
                Entry::Command(Command::MethodReturned { call, .. }) => {
                    open.remove(call);
                }
                _ => {}
            }
        }
        open.into_iter().collect()
    }

    /// Notifications that no turn has consumed.
    pub(super) fn unconsumed(&self) -> u32 {
        let fresh = self.entries.iter().skip(self.consumed as usize);
        fresh
            .filter(|entry| matches!(entry, Entry::Notification(..)))
            .count() as u32
    }
}

/// Cuts a history; nothing if it has no such point.
pub(super) fn cut(
    mut entries: Vec<Entry>,
    point: Point,
    source: Option<&RunId>,
    now: Timestamp,
) -> Option<Cut> {
    let reopen = point == Point::LastFailure;
    let turn = place(&entries, point)?;
    let next = entries.iter().map(above).max().unwrap_or(0);
    let dropped = entries.split_off(turn);
    let dropped_ids: BTreeSet<CommandId> = dropped.iter().filter_map(number).collect();
    let consumed = entries
        .iter()
        .rev()
        .find_map(|entry| match entry {
            Entry::Turn { upto } => Some(*upto),
            _ => None,
        })
        .unwrap_or(0);
    let (tags_back, tags_gone) = tags(&entries, &dropped);
    let lost = dropped
        .iter()
        .filter(|entry| !matches!(entry, Entry::Notification(..)))
        .count();
    let rewound = Notification::Rewound {
        next: CommandId(if mutant::is(Mutant::NumbersUsedAgain) {
            0
        } else {
            next
        }),
        dropped: lost as u32,
        source: source.cloned(),
    };
    let mut rewound = Some(Entry::Notification(now, rewound));
    let mut kept = Vec::with_capacity(entries.len() + dropped.len());
    for (index, entry) in entries.into_iter().chain(dropped).enumerate() {
        if index < consumed as usize {
            kept.push(entry);
            continue;
        }
        let behind = index >= turn;
        match &entry {
            Entry::Notification(_, notification) => {
                // Nothing comes before the start. Who plays it looks one entry ahead.
                if index > 0 {
                    kept.extend(rewound.take());
                }
                let answered = answered(notification);
                let is_moot = answered.is_some_and(|command| dropped_ids.contains(&command))
                    || behind && matches!(notification, Notification::Rewound { .. });
                let is_reopened = reopen && is_failure(notification)
                    || behind && mutant::is(Mutant::RewindLosesSignals);
                if !is_moot && !is_reopened {
                    kept.push(entry);
                }
            }
            _ if !behind => kept.push(entry),
            _ => {}
        }
    }
    kept.extend(rewound);
    let answers: BTreeSet<CommandId> = kept.iter().filter_map(closed).collect();
    let open = kept.iter().filter_map(awaiting);
    Some(Cut {
        consumed,
        open: open.filter(|command| !answers.contains(command)).collect(),
        properties: properties(&kept),
        tags_back,
        tags_gone,
        entries: kept,
    })
}

/// The index of the turn before which to cut.
fn place(entries: &[Entry], point: Point) -> Option<usize> {
    let is_turn = |index: &usize| matches!(entries[*index], Entry::Turn { .. });
    match point {
        Point::LastFailure => {
            let failure = entries.iter().rposition(
                |entry| matches!(entry, Entry::Notification(_, notification) if is_failure(notification)),
            );
            let consumer = failure.and_then(|failure| {
                entries.iter().position(
                    |entry| matches!(entry, Entry::Turn { upto } if *upto as usize > failure),
                )
            });
            consumer.or_else(|| (0..entries.len()).rev().find(is_turn))
        }
        Point::Command(command) => {
            let at = entries
                .iter()
                .position(|entry| number(entry) == Some(command))?;
            (0..at).rev().find(is_turn)
        }
    }
}

/// A task, step or child that failed. One that was cancelled did not: its code wanted it so.
fn is_failure(notification: &Notification) -> bool {
    let (Notification::TaskFailed { failure, .. }
    | Notification::StepDone {
        outcome: Outcome::Failed(failure),
        ..
    }
    | Notification::ChildEnded {
        outcome: Outcome::Failed(failure),
        ..
    }) = notification
    else {
        return false;
    };
    failure.kind != FailureKind::Cancelled
}

/// The number of a command.
fn number(entry: &Entry) -> Option<CommandId> {
    match entry {
        Entry::Command(command) => match command {
            Command::ScheduleTask { command, .. }
            | Command::StartTimer { command, .. }
            | Command::BeginStep { command, .. }
            | Command::CallMethod { command, .. }
            | Command::StartChild { command, .. }
            | Command::SignalRun { command, .. }
            | Command::SignalTagged { command, .. }
            | Command::CancelRun { command, .. }
            | Command::CreateJob { command, .. } => Some(*command),
            Command::CancelTimer { .. }
            | Command::CancelTask { .. }
            | Command::SetProperty { .. }
            | Command::AddTags { .. }
            | Command::RemoveTags { .. }
            | Command::Patch { .. }
            | Command::MethodReturned { .. }
            | Command::CancelChild { .. }
            | Command::ContinueAsNew { .. }
            | Command::Finish { .. } => None,
        },
        _ => None,
    }
}

/// The number of a command that waits for an answer.
pub(super) fn awaiting(entry: &Entry) -> Option<CommandId> {
    match entry {
        Entry::Command(Command::CreateJob { .. }) => None,
        other => number(other),
    }
}

/// The command that an entry answers, or no longer waits for.
pub(super) fn closed(entry: &Entry) -> Option<CommandId> {
    match entry {
        // That a child has begun is about its command, and does not end it.
        Entry::Notification(_, Notification::ChildStarted { .. }) => None,
        Entry::Notification(_, notification) => answered(notification),
        Entry::Command(Command::CancelTimer { target }) => Some(*target),
        _ => None,
    }
}

/// The command that a notification answers.
fn answered(notification: &Notification) -> Option<CommandId> {
    match notification {
        Notification::TaskCompleted { command, .. }
        | Notification::TaskFailed { command, .. }
        | Notification::TimerFired { command }
        | Notification::MethodEnded { command, .. }
        | Notification::ChildStarted { command }
        | Notification::ChildEnded { command, .. }
        | Notification::Answered { command, .. }
        | Notification::StepDone { command, .. } => Some(*command),
        Notification::Started { .. }
        | Notification::MethodCalled { .. }
        | Notification::Signal { .. }
        | Notification::CancelRequested { .. }
        | Notification::Rewound { .. } => None,
    }
}

/// One above the highest command number that an entry has used up.
fn above(entry: &Entry) -> u32 {
    match entry {
        Entry::Notification(_, Notification::Rewound { next, .. }) => next.0,
        other => number(other).map_or(0, |command| command.0 + 1),
    }
}

fn properties(entries: &[Entry]) -> BTreeMap<Name, Payload> {
    let mut properties = BTreeMap::new();
    for entry in entries {
        if let Entry::Command(Command::SetProperty { name, value }) = entry {
            properties.insert(name.clone(), value.clone());
        }
    }
    properties
}

/// Which tags come back and which go when `dropped` is undone. What the last command before says of a tag holds; a tag of
/// which none spoke is as it was before the first dropped one did.
fn tags(kept: &[Entry], dropped: &[Entry]) -> (Vec<Name>, Vec<Name>) {
    let mut before: BTreeMap<&Name, bool> = BTreeMap::new();
    for entry in kept {
        each_tag(entry, |tag, added| {
            before.insert(tag, added);
        });
    }
    let mut undone: BTreeMap<&Name, bool> = BTreeMap::new();
    for entry in dropped {
        each_tag(entry, |tag, added| {
            undone
                .entry(tag)
                .or_insert_with(|| before.get(tag).copied().unwrap_or(!added));
        });
    }
    let with = |had: bool| {
        let tags = undone.iter().filter(move |(_, has)| **has == had);
        tags.map(|(tag, _)| (*tag).clone()).collect()
    };
    (with(true), with(false))
}

fn each_tag<'e>(entry: &'e Entry, mut see: impl FnMut(&'e Name, bool)) {
    match entry {
        Entry::Command(Command::AddTags { tags }) => tags.iter().for_each(|tag| see(tag, true)),
        Entry::Command(Command::RemoveTags { tags }) => {
            tags.iter().for_each(|tag| see(tag, false));
        }
        _ => {}
    }
}

//! What was said to the engine, whatever became of it.

use super::decode;
use std::collections::{BTreeMap, BTreeSet};
use trunkline_core::entry::{Command, Entry, Notification, OnParentEnd};
use trunkline_core::ids::{CommandId, JobId, RunId, RunKey};
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{Action, Bulk, RunFilter};
use trunkline_core::run::Run;

/// What was said to the engine, whatever became of it.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Inputs with which each run was started.
    pub starts: BTreeMap<RunId, BTreeSet<Vec<u8>>>,
    /// Signals by run and nonce. Code whose turn was refused may ask for another one in its place.
    pub signals: BTreeMap<(RunId, u128), BTreeSet<Vec<u8>>>,
    /// Runs that somebody asked to end.
    pub terminated: BTreeSet<RunId>,
    /// Results that workers have reported, by run and command: each names the token of its attempt.
    pub results: BTreeMap<(RunKey, CommandId), BTreeSet<u64>>,
    /// From where each run was to be retried.
    pub retries: BTreeMap<RunId, BTreeSet<Option<CommandId>>>,
    /// Runs whose timers somebody wanted to fire at once.
    pub hurried: BTreeSet<RunId>,
    /// Runs that somebody asked to forget.
    pub purges: BTreeSet<RunId>,
    /// Bulk operations by their ids.
    pub bulks: BTreeMap<Name, Vec<Bulk>>,
    /// What becomes of each child, for everybody who has asked for one of that name.
    pub children: BTreeMap<RunId, BTreeSet<Fate>>,
    /// Signals that runs have sent to all with a tag, by nonce: workflow and value.
    pub tagged: BTreeMap<u128, BTreeSet<(Name, Vec<u8>)>>,
    /// Calls of methods by clients: nonce and method.
    pub calls: BTreeSet<(u128, Name)>,
    /// Inputs of the runs that schedules start.
    pub scheduled: BTreeSet<Vec<u8>>,
    /// Schedules whose runs may overlap.
    pub overlapping: BTreeSet<String>,
    /// Schedules whose clock somebody wanted held back.
    pub held_back: BTreeSet<String>,
    /// Runs that have asked to continue as new.
    pub again: BTreeSet<RunId>,
    /// What each forked run was to be made of.
    pub forks: BTreeMap<RunId, Vec<Fork>>,
}

/// The ids of runs that schedules start begin so.
const BY_SCHEDULE: &str = "by-";

/// A run that was to be forked: what was known of it, and where it was to be cut.
#[derive(Clone, Debug)]
pub struct Fork {
    /// The run.
    pub source: RunId,
    /// The command before whose turn it is cut.
    pub at: CommandId,
    /// Its history.
    pub entries: Vec<Entry>,
}

/// What becomes of a child when its parent ends, in an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fate {
    /// It is asked to cancel.
    Cancel,
    /// It goes on.
    Abandon,
    /// It is ended.
    Terminate,
}

impl From<OnParentEnd> for Fate {
    fn from(on_parent_end: OnParentEnd) -> Self {
        match on_parent_end {
            OnParentEnd::Cancel => Self::Cancel,
            OnParentEnd::Abandon => Self::Abandon,
            OnParentEnd::Terminate => Self::Terminate,
        }
    }
}

impl Book {
    /// A worker says that the code of a run asks for this.
    pub fn wanted(&mut self, run: &Run, command: &Command) {
        let key = run.id.key();
        let nonce = |command| JobId::of_command(key, run.began_at().0, command).0;
        match command {
            Command::SignalRun {
                command,
                run,
                payload,
                ..
            } => {
                self.signalled(run, nonce(*command), payload);
            }
            Command::SignalTagged {
                command,
                workflow,
                payload,
                ..
            } => {
                let signals = self.tagged.entry(nonce(*command)).or_default();
                signals.insert((workflow.clone(), payload.to_vec()));
            }
            Command::StartChild {
                run,
                input,
                options,
                ..
            } => {
                let inputs = self.starts.entry(run.clone()).or_default();
                inputs.insert(input.to_vec());
                let fates = self.children.entry(run.clone()).or_default();
                fates.insert(options.on_parent_end.into());
            }
            Command::ContinueAsNew { input, .. } => {
                let inputs = self.starts.entry(run.id.clone()).or_default();
                inputs.insert(input.to_vec());
                self.again.insert(run.id.clone());
            }
            _ => {}
        }
    }

    /// Somebody sends a signal.
    pub fn signalled(&mut self, run: &RunId, nonce: u128, payload: &Payload) {
        let signals = self.signals.entry((run.clone(), nonce)).or_default();
        signals.insert(payload.to_vec());
    }

    /// Somebody asks for a fork.
    pub fn forked(&mut self, run: &RunId, source: &RunId, at: CommandId, chunks: &[Payload]) {
        let entries: Vec<Entry> = chunks
            .iter()
            .flat_map(|chunk| decode::<Vec<Entry>>(chunk))
            .collect();
        if let Some(Entry::Notification(_, Notification::Started { input, .. })) = entries.first() {
            let inputs = self.starts.entry(run.clone()).or_default();
            inputs.insert(input.to_vec());
        }
        let fork = Fork {
            source: source.clone(),
            at,
            entries,
        };
        self.forks.entry(run.clone()).or_default().push(fork);
    }

    /// True if somebody has asked for a retry of the run, alone or with others.
    #[must_use]
    pub fn may_be_retried(&self, run: &RunId) -> bool {
        self.retries.contains_key(run) || self.is_in_bulk(run, &|act| matches!(act, Action::Retry))
    }

    /// True if somebody has asked for the run to be forgotten.
    #[must_use]
    pub fn may_be_purged(&self, run: &RunId) -> bool {
        self.purges.contains(run) || self.is_in_bulk(run, &|act| matches!(act, Action::Purge))
    }

    /// True if somebody has asked for the run's end.
    #[must_use]
    pub fn may_be_terminated(&self, run: &RunId) -> bool {
        let left = |fates: &BTreeSet<Fate>| fates.contains(&Fate::Terminate);
        self.terminated.contains(run)
            || run.id.starts_with(BY_SCHEDULE)
            || self.children.get(run).is_some_and(left)
            || self.is_in_bulk(run, &|act| matches!(act, Action::Terminate { .. }))
    }

    fn is_in_bulk(&self, run: &RunId, wanted: &dyn Fn(&Action) -> bool) -> bool {
        let mut bulks = self.bulks.values().flatten();
        bulks.any(|bulk| {
            let of_runs = bulk.of_runs();
            of_runs.is_some_and(|(filter, action)| wanted(action) && may_be_meant(filter, run))
        })
    }

    /// The bulk operation that sends this signal.
    #[must_use]
    pub fn bulk_of_signal(&self, wanted: u128) -> Option<(&Bulk, &Payload)> {
        let mut bulks = self.bulks.values().flatten();
        bulks.find_map(|bulk| match bulk.of_runs()?.1 {
            Action::Signal { nonce, payload, .. } if nonce.0 == wanted => Some((bulk, payload)),
            _ => None,
        })
    }

    /// True if somebody has sent this signal to one of these runs.
    #[must_use]
    pub fn has_sent(&self, runs: &BTreeSet<RunId>, nonce: u128, payload: &Payload) -> bool {
        let of_run = |run: &RunId| {
            let signals = self.signals.get(&(run.clone(), nonce));
            signals.is_some_and(|known| known.contains(&payload[..]))
        };
        let of_bulk = || {
            let (bulk, sent) = self.bulk_of_signal(nonce)?;
            let (filter, _) = bulk.of_runs()?;
            let meant = |run: &RunId| may_be_meant(filter, run);
            Some(sent == payload && runs.iter().any(meant))
        };
        let of_tagged = |run: &RunId| {
            let signals = self.tagged.get(&nonce);
            signals.is_some_and(|known| known.contains(&(run.workflow.clone(), payload.to_vec())))
        };
        runs.iter().any(of_run) || of_bulk() == Some(true) || runs.iter().any(of_tagged)
    }

    /// True if somebody has asked for the run with this input.
    #[must_use]
    pub fn is_asked_for(&self, run: &RunId, input: &[u8]) -> bool {
        let asked = self.starts.get(run);
        asked.is_some_and(|inputs| inputs.contains(input))
            || run.id.starts_with(BY_SCHEDULE) && self.scheduled.contains(input)
    }

    /// True if this command of a fork is of what it was made of.
    #[must_use]
    pub fn has_source_shipped(&self, run: &RunId, wanted: CommandId) -> bool {
        let forks = self.forks.get(run).into_iter().flatten();
        let mut entries = forks.flat_map(|fork| &fork.entries);
        let is_it = |entry: &Entry| matches!(entry, Entry::Command(Command::CreateJob { command, .. }) if *command == wanted);
        entries.any(is_it)
    }

    /// The run, and those whose history it may have been before.
    #[must_use]
    pub fn lineage(&self, run: &Run) -> BTreeSet<RunId> {
        let mut lineage = BTreeSet::new();
        let mut open = vec![run.id.clone()];
        while let Some(run) = open.pop() {
            if lineage.insert(run.clone()) {
                let forks = self.forks.get(&run).into_iter().flatten();
                open.extend(forks.map(|fork| fork.source.clone()));
            }
        }
        lineage
    }
}

/// True if the filter does not pass over the run because of what never changes about it.
fn may_be_meant(filter: &RunFilter, run: &RunId) -> bool {
    let workflow = |wanted: &Name| *wanted == run.workflow;
    let prefix = |wanted: &Name| run.id.starts_with(wanted.as_str());
    filter.workflow.as_ref().is_none_or(workflow) && filter.id_prefix.as_ref().is_none_or(prefix)
}

/// True if the filter lets the run through, whatever its status. The worlds' filters ask for nothing else.
#[must_use]
pub(super) fn is_meant(filter: &RunFilter, run: &Run) -> bool {
    let tagged = |tag: &Name| run.tags.contains(tag);
    may_be_meant(filter, &run.id) && filter.tag.as_ref().is_none_or(tagged)
}

//! Replaying histories against code, before that code meets the runs they came from.
//!
//! A [`History`] is what a run did: taken from an engine, or read from a file of `trunkline run export`. Replaying it plays
//! every recorded turn to the code and compares what the code asks for with what is recorded, field by field, just as a
//! worker does. Nothing is connected, nothing is run: tasks and steps have their recorded results.
//!
//! A worker program that is started by `trunkline replay` does this instead of working: see [`Job`].

use crate::client::{ClientError, UntypedRun};
use crate::executor::{Player, Strictness, Stuck};
use crate::ledger::Identity;
use crate::worker::Definitions;
use crate::workflow::{Definition, Typed, Workflow};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::{Command, Entry, Notification};
use trunkline_api::core::ids::RunId;
use trunkline_api::core::payload::Name;
use trunkline_api::core::time::Timestamp;
use trunkline_api::history::EntryBody;
use trunkline_api::history_file::HistoryFile;

mod job;

pub(crate) use job::Job;

/// What a run did so far, or all of it.
#[derive(Clone, PartialEq, Eq)]
pub struct History {
    run: RunId,
    version: u32,
    started_at: Timestamp,
    entries: Vec<Entry>,
}

impl History {
    /// The history of a run as the engine has it.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn of(run: &UntypedRun) -> Result<Self, ClientError> {
        let described = run.describe().await?;
        let mut entries = Vec::new();
        for chunk in run.chunks().await? {
            entries.extend(
                trunkline_api::history::decode_chunk(&chunk).map_err(|error| {
                    ClientError::Rejected(trunkline_api::core::peer::Rejection::new(
                        Code::ProtocolError,
                        format!("the history cannot be read: {error}"),
                    ))
                })?,
            );
        }
        Ok(Self {
            run: described.id,
            version: described.version,
            started_at: described.started_at,
            entries,
        })
    }

    /// Reads what `trunkline run export` wrote.
    ///
    /// # Errors
    /// `TL0094` if it is no such thing.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, ReplayError> {
        let unusable = |problem: trunkline_api::problem::Problem| ReplayError {
            code: problem.code,
            reason: problem.detail,
        };
        let file = HistoryFile::parse(json.as_ref()).map_err(unusable)?;
        Ok(Self {
            run: file.run(),
            version: file.version,
            started_at: file.started_at.0,
            entries: file.decode().map_err(unusable)?,
        })
    }

    /// Reads a file of `trunkline run export`.
    ///
    /// # Errors
    /// `TL0094` if there is none, or it is no such thing.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ReplayError> {
        let path = path.as_ref();
        let json = std::fs::read(path).map_err(|error| ReplayError {
            code: Code::HistoryFileInvalid,
            reason: format!("{}: {error}", path.display()),
        })?;
        Self::from_json(json)
    }

    /// The same as `trunkline run export` writes it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let chunk = minicbor::to_vec(&self.entries).expect("entries can be encoded");
        let file = HistoryFile::new(
            &self.run,
            self.version,
            self.started_at,
            None,
            &[crate::Payload::from(chunk)],
        )
        .expect("what was just encoded can be decoded");
        serde_json::to_string_pretty(&file).expect("it has no maps with odd keys")
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The version of the workflow that the run is pinned to.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The entries, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the code asked for, in order.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Command(command) => Some(command),
            _ => None,
        })
    }

    /// What came back, or in, in order.
    pub fn notifications(&self) -> impl Iterator<Item = &Notification> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Notification(_, notification) => Some(notification),
            _ => None,
        })
    }

    /// The tasks that were asked for, as `Service.task`, in order.
    #[must_use]
    pub fn tasks(&self) -> Vec<String> {
        self.commands()
            .filter_map(|command| match command {
                Command::ScheduleTask { service, task, .. } => Some(format!("{service}.{task}")),
                _ => None,
            })
            .collect()
    }

    /// The kinds of the entries as the HTTP API names them, in order: `started`, `task_scheduled` and so on. Turns are left
    /// out, because how many there are depends on who was quicker.
    #[must_use]
    pub fn kinds(&self) -> Vec<String> {
        self.entries
            .iter()
            .filter(|entry| !matches!(entry, Entry::Turn { .. }))
            .map(|entry| EntryBody::of(0, entry).kind)
            .collect()
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} version {}", self.run, self.version)?;
        for (index, entry) in self.entries.iter().enumerate() {
            writeln!(f, "{index:>5} {entry:?}")?;
        }
        Ok(())
    }
}

/// Begins to replay a history: `replay(&history).with::<Checkout>()`.
pub fn replay(history: &History) -> Replay<'_> {
    Replay {
        history,
        strictness: Strictness::Shape,
    }
}

/// A history about to be replayed.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is replayed until `with`"]
pub struct Replay<'a> {
    history: &'a History,
    strictness: Strictness,
}

impl Replay<'_> {
    /// Compares the arguments of commands too, not only their kinds, names and targets.
    pub fn strict(mut self) -> Self {
        self.strictness = Strictness::Arguments;
        self
    }

    /// Replays it with the code of `W`.
    ///
    /// # Errors
    /// What differs, field by field; or that the code cannot replay it for another reason, such as a panic.
    pub fn with<W: Workflow>(self) -> Result<Replayed, ReplayError> {
        let history = self.history;
        if (history.run.workflow.as_str(), history.version) != (W::NAME, W::VERSION) {
            return Err(ReplayError {
                code: Code::UnknownWorkflow,
                reason: format!(
                    "the run belongs to {} version {}, and this is {} version {}",
                    history.run.workflow,
                    history.version,
                    W::NAME,
                    W::VERSION
                ),
            });
        }
        play(history, Arc::new(Typed::<W>::new()), self.strictness)
    }

    /// Replays it with whichever of `definitions` it belongs to.
    pub(crate) fn with_any(self, definitions: &Definitions) -> Result<Replayed, ReplayError> {
        let history = self.history;
        let key: (Name, u32) = (history.run.workflow.clone(), history.version);
        let definition = definitions.get(&key).ok_or_else(|| ReplayError {
            code: Code::UnknownWorkflow,
            reason: format!("the worker has no {} version {}", key.0, key.1),
        })?;
        play(history, Arc::clone(definition), self.strictness)
    }
}

fn play(
    history: &History,
    definition: Arc<dyn Definition>,
    strictness: Strictness,
) -> Result<Replayed, ReplayError> {
    let identity = Identity {
        id: history.run.clone(),
        version: history.version,
        started_at: history.started_at,
    };
    let mut player = Player::new(definition, identity, strictness);
    // The time of turns is not recorded, and only decides when timers are due, which is not compared.
    let clock = history.started_at;
    player.replay_turns(0, history.entries.clone(), clock)?;
    let count = |wanted: fn(&Entry) -> bool| history.entries.iter().filter(|e| wanted(e)).count();
    Ok(Replayed {
        turns: count(|entry| matches!(entry, Entry::Turn { .. })),
        commands: count(|entry| matches!(entry, Entry::Command(_))),
    })
}

/// How much was replayed, all of it as recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// Turns.
    pub turns: usize,
    /// Commands that the code asked for again.
    pub commands: usize,
}

/// Why a history does not replay.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplayError {
    /// `TL0074` if the code asks for something else; another code if it cannot be replayed at all.
    pub code: Code,
    /// What differs, field by field.
    pub reason: String,
}

impl From<Stuck> for ReplayError {
    fn from(stuck: Stuck) -> Self {
        Self {
            code: stuck.code,
            reason: stuck.reason,
        }
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

impl fmt::Debug for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for ReplayError {}

#[cfg(test)]
mod tests;

//! Turns: playing a run's history to its code, and comparing what the code asks for with what is recorded.

use super::mismatch::{self, Strictness};
use super::{Delivered, Execution, Stuck};
use crate::ledger::Identity;
use crate::workflow::Definition;
use std::collections::VecDeque;
use std::sync::Arc;
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::{Command, Entry, Notification, Outcome};
use trunkline_api::core::ids::CommandId;
use trunkline_api::core::limits::PAYLOAD_BYTES_MAX;
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::QueryAnswer;
use trunkline_api::core::time::Timestamp;
use trunkline_api::frame::BATCH_BYTES_MAX;

/// Bytes of the commands of one turn: it travels as one message, and a batch takes no more.
const TURN_BYTES_MAX: usize = BATCH_BYTES_MAX - PAYLOAD_BYTES_MAX;
/// The name of a failure that says that the code does not know a method.
const UNKNOWN_METHOD: &str = "TL0056";
/// What a command takes besides its payload, generously.
const COMMAND_BYTES: usize = 256;

/// A run that has been played up to a point of its history.
pub(crate) struct Player {
    execution: Option<Execution>,
    definition: Arc<dyn Definition>,
    identity: Option<Identity>,
    strictness: Strictness,
    /// Every notification with an index below this has been played.
    consumed: u32,
    /// How many entries of the history are known here, one's own newest turn included.
    len: u32,
    /// The number of the first command that the code asks for.
    first_number: CommandId,
    /// Calls in the turn that is being replayed whose method the code did not know then.
    refused: Vec<u32>,
    /// The marks of patches in that turn; nothing while the turn is a new one.
    marks: Option<Vec<Name>>,
}

/// Notifications that wait to be played, with their index.
pub(crate) type Fresh = VecDeque<(u32, Timestamp, Notification)>;

impl Player {
    pub(crate) fn new(
        definition: Arc<dyn Definition>,
        identity: Identity,
        strictness: Strictness,
    ) -> Self {
        Self {
            execution: None,
            definition,
            identity: Some(identity),
            strictness,
            consumed: 0,
            len: 0,
            first_number: CommandId(0),
            refused: Vec::new(),
            marks: None,
        }
    }

    pub(crate) fn consumed(&self) -> u32 {
        self.consumed
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.execution.as_ref().is_some_and(Execution::is_finished)
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.execution.as_ref().map_or(0, Execution::bytes)
    }

    /// Asks a query of the run as it stands here. Nothing changes.
    pub(crate) fn query(&self, query: &Name, input: &Payload) -> QueryAnswer {
        match &self.execution {
            Some(execution) => execution.query(query, input),
            None => QueryAnswer::Failed(Name::from("no turn of the run is committed yet")),
        }
    }

    pub(crate) fn execution(&self) -> Option<&Execution> {
        self.execution.as_ref()
    }

    /// True if this is where a turn that consumed `consumed`, and whose entries begin at `from`, goes on.
    pub(crate) fn continues(&self, consumed: u32, from: u32) -> bool {
        self.consumed == consumed && from <= self.len
    }

    /// Plays the entries of a turn, which begin at index `from`: replays the turns that are recorded, then plays what is
    /// new and returns what the code asks for. `clock` is the time at the engine.
    pub(crate) fn play(
        &mut self,
        from: u32,
        entries: Vec<Entry>,
        clock: Timestamp,
    ) -> Result<Vec<Command>, Stuck> {
        let (mut fresh, index) = self.replay_turns(from, entries, clock)?;
        let is_fresh = !fresh.is_empty();
        self.begin_turn(None);
        while let Some((index, at, notification)) = fresh.pop_front() {
            self.deliver(Some(at), clock, index, notification)?;
        }
        let commands = self.take_commands();
        check_size(&commands)?;
        if is_fresh || !commands.is_empty() {
            self.end_turn(index, commands.len());
        } else {
            // Nothing new: the history gets no mark of such a turn. It is sent so that open steps are run again.
            (self.consumed, self.len) = (index, index);
        }
        Ok(commands)
    }

    /// Replays the turns that are recorded in `entries`, which begin at index `from`, and gives what no turn has consumed
    /// and where the entries end.
    pub(crate) fn replay_turns(
        &mut self,
        from: u32,
        entries: Vec<Entry>,
        clock: Timestamp,
    ) -> Result<(Fresh, u32), Stuck> {
        let mut fresh = Fresh::new();
        let first_turn = entries.iter().find_map(|entry| match entry {
            Entry::Turn { upto } => Some(*upto),
            _ => None,
        });
        // A first turn that was kept has played the start alone: what stands behind that is for the turns to come.
        let begins_anew = first_turn.is_none_or(|upto| upto > 1);
        let mut entries = entries.into_iter().peekable();
        let mut index = from;
        while let Some(entry) = entries.next() {
            match entry {
                Entry::Notification(at, notification) => {
                    if index == 1
                        && begins_anew
                        && let Notification::Rewound { next, .. } = notification
                    {
                        // The run was retried from its very start, before which nothing can stand.
                        self.first_number = next;
                    }
                    if index >= self.consumed {
                        fresh.push_back((index, at, notification));
                    }
                }
                Entry::Turn { upto } => {
                    let mut recorded = Vec::new();
                    while let Some(Entry::Command(command)) =
                        entries.next_if(|entry| matches!(entry, Entry::Command(_)))
                    {
                        recorded.push(command);
                    }
                    let commands = u32::try_from(recorded.len()).unwrap_or(u32::MAX);
                    if upto > self.consumed {
                        self.replay(&mut fresh, upto, &recorded, clock)?;
                    }
                    index = index.saturating_add(commands);
                }
                // A command of a turn that this worker has played itself, and whose mark came before `from`.
                Entry::Command(_) => {}
            }
            index = index.saturating_add(1);
        }
        Ok((fresh, index))
    }

    /// Plays the result of the run's only outstanding command before the engine has seen it.
    pub(crate) fn play_ahead(
        &mut self,
        notification: Notification,
        clock: Timestamp,
    ) -> Result<Ahead, Stuck> {
        self.begin_turn(None);
        self.deliver(None, clock, self.len, notification)?;
        let ledger = self.execution.as_ref().map(Execution::ledger);
        if ledger.is_some_and(|ledger| ledger.clock_was_read()) {
            return Ok(Ahead::NeedsTime);
        }
        let commands = self.take_commands();
        check_size(&commands)?;
        self.end_turn(self.len + 1, commands.len());
        Ok(Ahead::Played(commands))
    }

    /// True if `command` is all that the run waits for, apart from signals.
    pub(crate) fn waits_only_for(&self, command: CommandId) -> bool {
        self.execution
            .as_ref()
            .is_some_and(|execution| execution.ledger().is_only_outstanding(command))
    }

    fn replay(
        &mut self,
        fresh: &mut Fresh,
        upto: u32,
        recorded: &[Command],
        clock: Timestamp,
    ) -> Result<(), Stuck> {
        self.begin_turn(Some(recorded));
        while fresh.front().is_some_and(|(index, ..)| *index < upto) {
            if let Some((index, at, notification)) = fresh.pop_front() {
                self.deliver(Some(at), clock, index, notification)?;
            }
        }
        self.consumed = upto;
        let asked = self.take_commands();
        mismatch::compare(upto, recorded, &asked, self.strictness)
    }

    /// A turn begins: a recorded one, or a new one.
    fn begin_turn(&mut self, recorded: Option<&[Command]>) {
        self.refused.clear();
        let refused = recorded.unwrap_or_default().iter().filter_map(refused);
        self.refused.extend(refused);
        self.marks = recorded.map(|commands| commands.iter().filter_map(patch).collect());
        if let Some(execution) = &self.execution {
            execution.ledger().begin_turn(self.marks.clone());
        }
    }

    fn deliver(
        &mut self,
        at: Option<Timestamp>,
        clock: Timestamp,
        index: u32,
        notification: Notification,
    ) -> Result<(), Stuck> {
        if let Notification::Started { seed, tags, .. } = &notification
            && let Some(identity) = self.identity.take()
        {
            let definition = Arc::clone(&self.definition);
            let execution = Execution::new(definition, identity, *seed);
            execution.ledger().begin_turn(self.marks.clone());
            execution.ledger().claim_from(self.first_number);
            let tags = tags.clone().unwrap_or_default();
            execution.ledger().begin_tags(tags);
            self.execution = Some(execution);
        }
        let notification = match notification {
            Notification::MethodCalled { method, input, .. } => Delivered::Call {
                call: index,
                method,
                input,
                refused: self.refused.contains(&index),
            },
            notification => Delivered::Notification(notification),
        };
        match &mut self.execution {
            Some(execution) => {
                execution.ledger().set_index(index);
                execution.deliver(at, clock, notification)
            }
            None => Err(Stuck::new(
                Code::ProtocolError,
                "the history does not begin with the run's start",
            )),
        }
    }

    /// Ends the turn, and takes what the code has asked for in it.
    fn take_commands(&mut self) -> Vec<Command> {
        let Some(execution) = &mut self.execution else {
            return Vec::new();
        };
        execution.end_turn();
        execution.ledger().take_commands()
    }

    /// The turn has consumed the first `len` entries; its mark and its commands follow them.
    fn end_turn(&mut self, len: u32, commands: usize) {
        self.consumed = len;
        let commands = u32::try_from(commands).unwrap_or(u32::MAX);
        self.len = len.saturating_add(1).saturating_add(commands);
    }
}

/// The call that a command refuses, because the code does not know the method.
fn refused(command: &Command) -> Option<u32> {
    match command {
        Command::MethodReturned {
            call,
            outcome: Outcome::Failed(failure),
        } if failure.name.as_str() == UNKNOWN_METHOD => Some(*call),
        _ => None,
    }
}

/// The patch that a command marks.
fn patch(command: &Command) -> Option<Name> {
    match command {
        Command::Patch { name } => Some(name.clone()),
        _ => None,
    }
}

/// Refuses a turn that would not fit into one message: sent, it would break the connection, again and again.
fn check_size(commands: &[Command]) -> Result<(), Stuck> {
    let bytes: usize = commands.iter().map(size).sum();
    if bytes <= TURN_BYTES_MAX {
        return Ok(());
    }
    Err(Stuck::new(
        Code::PayloadTooLarge,
        format!(
            "the code asks for {} things of {bytes} bytes in one turn, the limit is {TURN_BYTES_MAX} bytes; await some of \
             them before asking for more",
            commands.len()
        ),
    ))
}

/// About how many bytes a command takes in a message.
fn size(command: &Command) -> usize {
    let payload = match command {
        Command::ScheduleTask { input, .. } => input.len(),
        Command::StartChild { input, .. } | Command::ContinueAsNew { input, .. } => input.len(),
        Command::SignalRun { payload, .. } | Command::SignalTagged { payload, .. } => payload.len(),
        Command::SetProperty { value, .. } => value.len(),
        Command::CreateJob { job, .. } => {
            job.body.len() + job.object_ids.iter().map(|id| id.len() + 4).sum::<usize>()
        }
        Command::Finish {
            outcome: Outcome::Completed(value),
        }
        | Command::MethodReturned {
            outcome: Outcome::Completed(value),
            ..
        } => value.len(),
        Command::CallMethod { input, .. } => input.len(),
        _ => 0,
    };
    payload + COMMAND_BYTES
}

/// What came of playing a result ahead.
pub(crate) enum Ahead {
    /// What the code asks for.
    Played(Vec<Command>),
    /// The code asked for the time, which only the engine can say: this turn does not count.
    NeedsTime,
}

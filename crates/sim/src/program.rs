//! The workflows of the simulated world: small programs, made from a number, that play notifications one at a time.
//!
//! A [`Machine`] is what the future of a workflow is to the SDK: the same notifications in the same order make it ask for the
//! same commands. Workers hold machines; the [model](crate::model) replays them over the recorded history, and so knows what
//! every run must have asked for and what it waits for.

use crate::dice::{Dice, mix};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use trunkline_core::entry::{Command, Entry, Notification, Outcome, TaskOptions};
use trunkline_core::failure::{Failure, FailureKind};
use trunkline_core::ids::{CommandId, RunId};
use trunkline_core::payload::{Name, Payload};
use trunkline_core::time::Timestamp;

mod kin;
mod methods;
mod parts;

pub use kin::WORKFLOWS;
pub use methods::METHODS;

/// The destinations that jobs go to.
pub const DESTINATIONS: [&str; 3] = ["shop", "mail", "ledger"];
/// The lanes of each.
pub const LANES: [&str; 3] = ["a", "b", "c"];
/// The service of every task.
pub const SERVICES: [&str; 2] = ["payments", "stock"];

/// Numbers of programs of one flavour.
pub const PROGRAMS: u64 = 400;

/// What a program may do beyond what all do: a set of bits above its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flavour(pub u64);

impl Flavour {
    /// It fails more often than not.
    pub const UNLUCKY: u64 = 1;
    /// It starts children.
    pub const PARENT: u64 = 2;
    /// It continues as new.
    pub const AGAIN: u64 = 4;
    /// It asks things of other runs.
    pub const SOCIAL: u64 = 8;
    /// It is a child, and so starts no children that have names like its own.
    pub const CHILD: u64 = 16;

    fn has(self, bit: u64) -> bool {
        self.0 & bit != 0
    }
}

/// One statement of a program.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Statement {
    /// So many tasks at once; goes on when all have ended.
    Tasks(u8),
    /// Sleep.
    Sleep(u64),
    /// A task and a timer; goes on when one has come, and cancels the timer if it was the task.
    Race(u64),
    /// Goes on after so many more signals.
    Signals(u8),
    /// Ships jobs out.
    Jobs(u8),
    /// An inline step.
    Step,
    /// A property and a tag.
    Mark,
    /// Asks something of another run; goes on when that is answered, or at once.
    Ask { wait: bool },
    /// Starts so many children; goes on when they have ended, or at once.
    Children { count: u8, wait: bool },
}

/// A workflow's code in the middle of its work.
#[derive(Clone, Debug)]
pub struct Machine {
    statements: VecDeque<Statement>,
    flavour: Flavour,
    /// Its number among those of its flavour.
    number: u64,
    /// The source of what the program asks for: it only moves when the program does.
    dice: Dice,
    /// The time as the program counts it: it does not look at a clock.
    clock: Timestamp,
    next_command: u32,
    /// What the statement under way waits for.
    waits: BTreeSet<CommandId>,
    /// The timer of a race, and its task.
    race: Option<(CommandId, CommandId)>,
    wanted: u8,
    /// Signals that it has not received, by their places in the history.
    signals: VecDeque<u32>,
    /// True once it goes on as new.
    again: bool,
    /// Calls of methods that have not returned, with the timers they wait for.
    pub methods: BTreeMap<u32, CommandId>,
    /// Everything heard, folded: the run's result depends on all of it, and on its order.
    heard: u64,
    cancelled: bool,
    /// Tasks that have not ended, with what they were asked.
    pub tasks: BTreeMap<CommandId, TaskOptions>,
    /// Timers that are set.
    pub timers: BTreeMap<CommandId, Timestamp>,
    /// Steps that have begun and not ended.
    pub steps: BTreeSet<CommandId>,
    /// Children whose end it has not heard of.
    pub children: BTreeMap<CommandId, RunId>,
    /// What was asked of other runs and is not answered.
    pub asks: BTreeSet<CommandId>,
    /// Jobs asked for: destination and lane.
    pub jobs: Vec<(CommandId, Name, Name)>,
    /// How it ended.
    pub result: Option<Outcome>,
}

/// The input of a run: which program, told apart from every other start of the same id.
#[must_use]
pub fn input(program: u64) -> Payload {
    Payload::from(program.to_string().into_bytes())
}

impl Machine {
    /// The program in `input`, of a run that was accepted at `started_at`.
    #[must_use]
    pub fn new(input: &Payload, started_at: Timestamp) -> Self {
        let number: Option<u64> = std::str::from_utf8(input)
            .ok()
            .and_then(|text| text.parse().ok());
        let number = number.unwrap_or(0);
        let flavour = Flavour(number / PROGRAMS);
        let mut dice = Dice::new(number, 0x7072_6f67);
        let statements = (0..dice.between(1, 5))
            .map(|_| match dice.below(12) {
                0..=3 => Statement::Tasks(dice.between(1, 3) as u8),
                4..=5 => Statement::Sleep(dice.below(3_000)),
                6 => Statement::Race(dice.between(1, 1_500)),
                7 => Statement::Signals(dice.between(1, 3) as u8),
                8..=9 => Statement::Jobs(dice.between(1, 3) as u8),
                10 => Statement::Step,
                _ => Statement::Mark,
            })
            .collect();
        let mut statements: VecDeque<Statement> = statements;
        if flavour.has(Flavour::PARENT) {
            let place = dice.below(statements.len() as u64 + 1) as usize;
            let children = Statement::Children {
                count: dice.between(1, 3) as u8,
                wait: dice.percent(70),
            };
            statements.insert(place, children);
        }
        if flavour.has(Flavour::SOCIAL) {
            let place = dice.below(statements.len() as u64 + 1) as usize;
            let wait = dice.percent(70);
            statements.insert(place, Statement::Ask { wait });
        }
        Self {
            statements,
            flavour,
            number: number % PROGRAMS,
            dice,
            clock: started_at,
            next_command: 0,
            waits: BTreeSet::new(),
            race: None,
            wanted: 0,
            signals: VecDeque::new(),
            again: false,
            methods: BTreeMap::new(),
            asks: BTreeSet::new(),
            heard: 0,
            cancelled: false,
            tasks: BTreeMap::new(),
            timers: BTreeMap::new(),
            steps: BTreeSet::new(),
            children: BTreeMap::new(),
            jobs: Vec::new(),
            result: None,
        }
    }

    /// The program of a history that begins so; nothing if it does not begin with a start.
    #[must_use]
    pub fn of(entries: &[Entry]) -> Option<Self> {
        let Some(Entry::Notification(at, Notification::Started { input, .. })) = entries.first()
        else {
            return None;
        };
        let mut machine = Self::new(input, *at);
        // A run that was retried from its very start says so behind that, before which nothing can stand. If a turn has played
        // the start alone, what stands there is for the turns to come.
        let plays_the_start = |entry: &Entry| matches!(entry, Entry::Turn { upto: 1 });
        if !entries.iter().any(plays_the_start)
            && let Some(Entry::Notification(_, Notification::Rewound { next, .. })) = entries.get(1)
        {
            machine.next_command = next.0;
        }
        Some(machine)
    }

    /// True if only a signal can move it on.
    #[must_use]
    pub fn wants_signal(&self) -> bool {
        !self.is_over() && self.waits.is_empty() && self.methods.is_empty()
    }

    /// What a query answers: everything that it has heard, folded.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// True if its code has returned, or goes on as new.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.result.is_some() || self.again
    }

    /// Plays one notification, which has this place in the history; returns what the code asks for.
    pub fn play(&mut self, index: u32, notification: &Notification) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.is_over() {
            return commands;
        }
        match notification {
            Notification::Signal { .. } => self.signals.push_back(index),
            Notification::MethodCalled { method, input, .. } => {
                self.called(index, method, input, &mut commands);
            }
            _ => {}
        }
        self.hear(notification, &mut commands);
        while !self.statements.is_empty() && self.waits.is_empty() && self.has_signals() {
            self.advance(&mut commands);
        }
        for command in &commands {
            self.note(command);
        }
        commands
    }

    /// A turn ends: the code returns if it has come to its end, and all its methods have.
    pub fn end_turn(&mut self) -> Vec<Command> {
        let rests = self.statements.is_empty() && self.waits.is_empty() && self.methods.is_empty();
        if self.is_over() || !rests || !self.has_signals() {
            return Vec::new();
        }
        vec![self.finish()]
    }

    fn has_signals(&mut self) -> bool {
        let wanted = usize::from(self.wanted);
        if self.signals.len() < wanted {
            return false;
        }
        self.signals.drain(..wanted);
        self.wanted = 0;
        true
    }

    fn hear(&mut self, notification: &Notification, commands: &mut Vec<Command>) {
        let mut fold = |part: u64, bytes: &[u8]| {
            let sum = bytes
                .iter()
                .fold(part, |sum, byte| mix(&[sum, u64::from(*byte)]));
            self.heard = mix(&[self.heard, sum]);
        };
        match notification {
            Notification::Started { .. } => {}
            Notification::TaskCompleted { command, result } => {
                fold(1, result);
                self.tasks.remove(command);
                self.ended(*command, commands);
            }
            Notification::TaskFailed { command, failure } => {
                fold(2, failure.name.as_bytes());
                self.tasks.remove(command);
                self.ended(*command, commands);
            }
            Notification::TimerFired { command } => {
                fold(3, &command.0.to_be_bytes());
                self.timers.remove(command);
                self.method_timer_fired(*command, commands);
                self.ended(*command, commands);
            }
            Notification::Signal { payload, .. } => {
                fold(4, payload);
            }
            Notification::StepDone { command, .. } => {
                fold(5, &command.0.to_be_bytes());
                self.steps.remove(command);
                self.ended(*command, commands);
            }
            Notification::CancelRequested { .. } => {
                fold(6, &[]);
                self.cancel(commands);
            }
            Notification::Rewound { next, dropped, .. } => {
                fold(7, &dropped.to_be_bytes());
                self.next_command = self.next_command.max(next.0);
                // What is to come may go better than what was dropped.
                self.dice = Dice::new(self.heard, u64::from(next.0));
            }
            Notification::MethodCalled { input, .. } => fold(11, input),
            Notification::MethodEnded { command, outcome }
            | Notification::Answered { command, outcome } => {
                match outcome {
                    Outcome::Completed(value) => fold(12, value),
                    Outcome::Failed(failure) => fold(13, failure.name.as_bytes()),
                }
                self.asks.remove(command);
                self.ended(*command, commands);
            }
            Notification::ChildStarted { command } => fold(8, &command.0.to_be_bytes()),
            Notification::ChildEnded { command, outcome } => {
                match outcome {
                    Outcome::Completed(value) => fold(9, value),
                    Outcome::Failed(failure) => fold(10, failure.name.as_bytes()),
                }
                self.children.remove(command);
                self.ended(*command, commands);
            }
            #[allow(
                unreachable_patterns,
                reason = "notifications that these programs never ask for"
            )]
            _ => {}
        }
    }

    /// What `command` asked for has come.
    fn ended(&mut self, command: CommandId, commands: &mut Vec<Command>) {
        if let Some((timer, task)) = self
            .race
            .filter(|(timer, task)| [*timer, *task].contains(&command))
        {
            self.race = None;
            self.waits.clear();
            if command == task {
                commands.push(Command::CancelTimer { target: timer });
            } else if self.dice.percent(50) {
                commands.push(Command::CancelTask { target: task });
            }
        } else {
            self.waits.remove(&command);
        }
    }

    /// Everything awaited is given up; a task cleans up, in half of the programs.
    fn cancel(&mut self, commands: &mut Vec<Command>) {
        if self.cancelled {
            return;
        }
        self.cancelled = true;
        self.statements.clear();
        self.race = None;
        self.wanted = 0;
        self.waits.clear();
        for timer in self.timers.keys() {
            commands.push(Command::CancelTimer { target: *timer });
        }
        self.give_up_methods(commands);
        for child in self.children.keys().filter(|child| child.0 % 2 == 0) {
            commands.push(Command::CancelChild { target: *child });
        }
        if self.dice.percent(50) {
            let task = self.task();
            commands.push(task);
        }
    }

    /// The code returns, or goes on as new.
    fn finish(&mut self) -> Command {
        if !self.cancelled && self.flavour.has(Flavour::AGAIN) {
            return self.go_on();
        }
        let unlucky = if self.flavour.has(Flavour::UNLUCKY) {
            60
        } else {
            15
        };
        let outcome = if self.cancelled {
            let failure = Failure::new(FailureKind::Cancelled, "TL0076", "cancelled");
            Outcome::Failed(failure)
        } else if self.dice.percent(unlucky) {
            Outcome::Failed(Failure::new(FailureKind::Application, "Unlucky", "no"))
        } else {
            Outcome::Completed(Payload::from(self.heard.to_string().into_bytes()))
        };
        self.result = Some(outcome.clone());
        Command::Finish { outcome }
    }

    fn advance(&mut self, commands: &mut Vec<Command>) {
        let Some(statement) = self.statements.pop_front() else {
            return;
        };
        match statement {
            Statement::Tasks(count) => {
                for _ in 0..count {
                    let task = self.task();
                    commands.push(task);
                }
            }
            Statement::Sleep(ms) => {
                self.clock = self.clock.plus_ms(ms);
                let timer = self.timer(self.clock);
                commands.push(timer);
            }
            Statement::Race(ms) => {
                self.clock = self.clock.plus_ms(ms);
                let task = self.task();
                let timer = self.timer(self.clock);
                let last = self.next_command;
                self.race = Some((CommandId(last - 1), CommandId(last - 2)));
                commands.extend([task, timer]);
            }
            Statement::Children { count, wait } => {
                for _ in 0..count {
                    let child = self.child(wait);
                    commands.push(child);
                }
            }
            Statement::Ask { wait } => {
                let ask = self.ask(wait);
                commands.push(ask);
            }
            Statement::Signals(count) => self.wanted = count,
            Statement::Jobs(count) => {
                for _ in 0..count {
                    let job = self.job();
                    commands.push(job);
                }
            }
            Statement::Step => {
                let command = self.claim();
                self.waits.insert(command);
                let name = Name::from("note");
                commands.push(Command::BeginStep { command, name });
            }
            Statement::Mark => {
                let value = Payload::from(self.heard.to_string().into_bytes());
                let name = Name::from("mark");
                commands.push(Command::SetProperty { name, value });
                let tags = vec![Name::from(format!("after:{}", self.next_command))];
                commands.push(Command::AddTags { tags });
            }
        }
    }

    /// Keeps the books of what is open.
    fn note(&mut self, command: &Command) {
        match command {
            Command::ScheduleTask {
                command, options, ..
            } => {
                self.tasks.insert(*command, *options.clone());
            }
            Command::StartTimer { command, at, .. } => {
                self.timers.insert(*command, *at);
            }
            Command::CancelTimer { target } => {
                self.timers.remove(target);
            }
            Command::BeginStep { command, .. } => {
                self.steps.insert(*command);
            }
            Command::SignalRun { command, .. }
            | Command::SignalTagged { command, .. }
            | Command::CallMethod { command, .. } => {
                self.asks.insert(*command);
            }
            Command::StartChild { command, run, .. } => {
                self.children.insert(*command, run.clone());
            }
            Command::CreateJob { command, job } => {
                let job = (*command, job.destination.clone(), job.lane.clone());
                self.jobs.push(job);
            }
            _ => {}
        }
    }
}

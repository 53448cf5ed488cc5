//! The ledger of a run: what its code has asked for, what it waits for, and what has come back.
//!
//! Workflow code reaches it through [`Cx`](crate::Cx), channels and properties; the executor feeds it notifications and
//! takes commands from it. It does no I/O, knows no clock but the one it is told, and does not know the future it serves.
//!
//! Invariants: command numbers are claimed in the order of the calls; nothing is recorded once the ledger is closed, so
//! that dropping a run's future asks for nothing; wakers are called with the ledger unlocked, in the order of the numbers.

mod cancelling;
mod patches;
mod reading;
mod relations;
mod signals;
mod tags;
mod watching;

use crate::step::StepClosure;
use patches::Patches;
use signals::Inboxes;
pub(crate) use signals::{Accepts, Signal};
use watching::By;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::task::{Poll, Waker};
use trunkline_api::core::entry::{Command, Notification, Outcome};
use trunkline_api::core::failure::Failure;
use trunkline_api::core::ids::{CommandId, RunId};
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::policy::scramble;
use trunkline_api::core::time::Timestamp;

/// What identifies the run to its code.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) id: RunId,
    pub(crate) version: u32,
    pub(crate) started_at: Timestamp,
}

/// A wait of the run: the number of its command, or beyond [`LOCAL`] for waits that no command stands for.
pub(crate) type WaitId = u64;

/// Where the numbers of waits without a command begin.
const LOCAL: WaitId = 1 << 32;

/// One of the futures of a run: that of a method, by the index of its call, or that of the run's own code.
pub(crate) type Branch = Option<u32>;

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Settled {
    Completed(Payload),
    Failed(Failure),
    /// A timer fired.
    Ready,
    /// A signal was given to this receiver.
    Signal(Signal),
    /// The run was asked to cancel while this was awaited.
    Cancelled,
}

impl From<Outcome> for Settled {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Completed(value) => Self::Completed(value),
            Outcome::Failed(failure) => Self::Failed(failure),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Task,
    Step,
    /// A child; with true a request to cancel goes on to it.
    Child(bool),
    Timer,
    /// A receive or a wait for cancellation: nothing in the outside world stands for it.
    Local,
}

enum Waiter {
    /// The future is gone; the result, when it comes, is dropped.
    Detached,
    /// The future exists and nobody polls it now.
    Idle,
    /// The future was polled.
    Awaited {
        waker: Waker,
        by: By,
        branch: Branch,
    },
    Settled(Settled),
}

struct Wait {
    kind: Kind,
    /// True until the world has answered.
    open: bool,
    waiter: Waiter,
}

struct Inner {
    closed: bool,
    next_command: u32,
    next_local: WaitId,
    commands: Vec<Command>,
    waits: BTreeMap<WaitId, Wait>,
    /// Commands that the world has yet to answer.
    outstanding: usize,
    /// Calls of the run's own methods that have not returned: it cannot end before them.
    self_calls: BTreeSet<WaitId>,
    inboxes: Inboxes,
    patches: Patches,
    /// True while a query is answered.
    is_read: bool,
    /// The call whose method is being polled; nothing while it is the run's own code.
    branch: Branch,
    /// The time of the newest notification: the same on every replay.
    logical_now: Timestamp,
    /// An estimate of the time at the engine, for due times only.
    clock: Timestamp,
    clock_read: bool,
    seed: u64,
    draws: u64,
    cancel_reason: Option<Name>,
    /// A request to cancel found nothing to end in these, because all that they awaited was shielded: the next await pays.
    cancel_owed: Vec<Branch>,
    shields: u32,
    looks: u32,
    steps: BTreeMap<u32, StepClosure>,
    /// What is polled by whom, while somebody wants to know.
    watches: Vec<Vec<WaitId>>,
    /// The tags of the run as its code knows them.
    tags: BTreeSet<Name>,
    /// The index of the entry that is being taken in.
    index: u32,
    continuing: Option<relations::Continuing>,
}

impl Inner {
    fn let_go(&mut self, id: WaitId) {
        let Some(wait) = self.waits.get_mut(&id) else {
            return;
        };
        if wait.open && matches!(wait.kind, Kind::Task | Kind::Step | Kind::Child(_)) {
            wait.waiter = Waiter::Detached;
            return;
        }
        let unfired = wait.open;
        self.waits.remove(&id);
        if unfired {
            self.outstanding -= 1;
            if !self.closed {
                let target = CommandId(command_of(id));
                self.commands.push(Command::CancelTimer { target });
            }
        }
    }
}

/// See the module.
pub struct Ledger {
    pub(crate) identity: Identity,
    inner: RefCell<Inner>,
}

impl Ledger {
    pub(crate) fn new(identity: Identity, seed: u64) -> Rc<Self> {
        Rc::new(Self {
            identity,
            inner: RefCell::new(Inner {
                closed: false,
                next_command: 0,
                next_local: LOCAL,
                commands: Vec::new(),
                waits: BTreeMap::new(),
                outstanding: 0,
                self_calls: BTreeSet::new(),
                inboxes: Inboxes::default(),
                patches: Patches::default(),
                is_read: false,
                branch: None,
                logical_now: Timestamp(0),
                clock: Timestamp(0),
                clock_read: false,
                seed,
                draws: 0,
                cancel_reason: None,
                cancel_owed: Vec::new(),
                shields: 0,
                looks: 0,
                steps: BTreeMap::new(),
                watches: Vec::new(),
                tags: BTreeSet::new(),
                index: 0,
                continuing: None,
            }),
        })
    }

    // What workflow code asks for.

    /// Claims the next command number and records the command made with it. The wait is open from now on.
    fn ask(&self, kind: Kind, command: impl FnOnce(CommandId) -> Command) -> WaitId {
        let mut inner = self.inner.borrow_mut();
        let id = inner.next_command;
        inner.next_command += 1;
        if !inner.closed {
            inner.commands.push(command(CommandId(id)));
            let wait = Wait {
                kind,
                open: true,
                waiter: Waiter::Idle,
            };
            inner.waits.insert(WaitId::from(id), wait);
            inner.outstanding += 1;
        }
        WaitId::from(id)
    }

    pub(crate) fn schedule_task(&self, command: impl FnOnce(CommandId) -> Command) -> WaitId {
        self.ask(Kind::Task, command)
    }

    pub(crate) fn start_timer(&self, at: Timestamp) -> WaitId {
        let call = self.inner.borrow().branch;
        self.ask(Kind::Timer, |command| Command::StartTimer {
            command,
            at,
            call,
        })
    }

    pub(crate) fn begin_step(&self, name: Name, closure: StepClosure) -> WaitId {
        let id = self.ask(Kind::Step, |command| Command::BeginStep { command, name });
        let mut inner = self.inner.borrow_mut();
        if !inner.closed {
            inner.steps.insert(command_of(id), closure);
        }
        id
    }

    /// Records a command that nothing answers, under a number of its own.
    pub(crate) fn create(&self, command: impl FnOnce(CommandId) -> Command) -> CommandId {
        let mut inner = self.inner.borrow_mut();
        let id = CommandId(inner.next_command);
        inner.next_command += 1;
        if !inner.closed {
            inner.commands.push(command(id));
        }
        id
    }

    /// Records a command without a number.
    pub(crate) fn record(&self, command: Command) {
        let mut inner = self.inner.borrow_mut();
        if !inner.closed {
            inner.commands.push(command);
        }
    }

    pub(crate) fn due_in_ms(&self, ms: u64) -> Timestamp {
        self.inner.borrow().clock.plus_ms(ms)
    }

    pub(crate) fn now(&self) -> Timestamp {
        let mut inner = self.inner.borrow_mut();
        inner.clock_read = true;
        inner.logical_now
    }

    pub(crate) fn random(&self) -> u64 {
        let mut inner = self.inner.borrow_mut();
        inner.draws += 1;
        scramble(inner.seed ^ scramble(inner.draws))
    }

    pub(crate) fn cancel_reason(&self) -> Option<Name> {
        self.inner.borrow().cancel_reason.clone()
    }

    pub(crate) fn raise_shield(&self) {
        self.inner.borrow_mut().shields += 1;
    }

    pub(crate) fn lower_shield(&self) {
        self.inner.borrow_mut().shields -= 1;
    }

    // Waiting.

    /// Takes the result of a wait, or leaves the waker.
    pub(crate) fn poll_wait(&self, id: WaitId, waker: &Waker) -> Poll<Settled> {
        let mut inner = self.inner.borrow_mut();
        let (by, branch) = (inner.by(), inner.branch);
        let Some(wait) = inner.waits.get_mut(&id) else {
            return Poll::Pending;
        };
        if matches!(wait.waiter, Waiter::Settled(_)) {
            let taken = std::mem::replace(&mut wait.waiter, Waiter::Detached);
            inner.looked_at(id);
            if let Waiter::Settled(settled) = taken {
                return Poll::Ready(settled);
            }
        }
        if !inner.cancel_owed.is_empty()
            && by == By::Await
            && inner.cancel_owed.contains(&branch)
            && inner.waits.contains_key(&id)
        {
            inner.cancel_owed.retain(|owed| *owed != branch);
            inner.cancel_task(id);
            inner.cancel_child(id);
            inner.looked_at(id);
            return Poll::Ready(Settled::Cancelled);
        }
        let Some(wait) = inner.waits.get_mut(&id) else {
            return Poll::Pending;
        };
        wait.waiter = Waiter::Awaited {
            waker: waker.clone(),
            by,
            branch,
        };
        if let Some(watch) = inner.watches.last_mut() {
            watch.push(id);
        }
        Poll::Pending
    }

    /// The future of a wait is dropped. A timer nobody waits for is cancelled; a task goes on.
    pub(crate) fn let_go(&self, id: WaitId) {
        self.inner.borrow_mut().let_go(id);
    }

    // What the executor does.

    /// No command from here on has a number below `next`: what a retry dropped may have had it.
    pub(crate) fn claim_from(&self, next: CommandId) {
        let mut inner = self.inner.borrow_mut();
        inner.next_command = inner.next_command.max(next.0);
    }

    /// Sets the times that the code sees and uses from now on.
    pub(crate) fn set_time(&self, logical_now: Option<Timestamp>, clock: Timestamp) {
        let mut inner = self.inner.borrow_mut();
        if let Some(now) = logical_now {
            inner.logical_now = now.max(inner.logical_now);
        }
        inner.clock = clock.max(inner.logical_now);
        inner.clock_read = false;
    }

    /// True if the code has read the time since it was last set.
    pub(crate) fn clock_was_read(&self) -> bool {
        self.inner.borrow().clock_read
    }

    /// Takes one notification in and wakes who waits for it. `Started` is the executor's own affair.
    pub(crate) fn deliver(&self, notification: Notification) {
        self.note_unseen(&notification);
        match notification {
            Notification::Started { .. } => {}
            Notification::TaskCompleted { command, result } => {
                self.settle(command, Settled::Completed(result));
            }
            Notification::TaskFailed { command, failure } => {
                self.settle(command, Settled::Failed(failure));
            }
            Notification::StepDone { command, outcome } => {
                self.inner.borrow_mut().steps.remove(&command.0);
                self.settle(command, Settled::from(outcome));
            }
            Notification::TimerFired { command } => self.settle(command, Settled::Ready),
            Notification::Signal {
                channel, payload, ..
            } => self.signal(&channel, payload),
            Notification::CancelRequested { reason } => self.cancel(reason),
            Notification::ChildStarted { command } => self.child_started(command),
            Notification::ChildEnded { command, outcome }
            | Notification::Answered { command, outcome }
            | Notification::MethodEnded { command, outcome } => {
                self.settle(command, Settled::from(outcome));
            }
            // The executor's own affairs.
            Notification::MethodCalled { .. } => {}
            Notification::Rewound { next, .. } => self.claim_from(next),
        }
    }

    fn settle(&self, command: CommandId, settled: Settled) {
        let mut inner = self.inner.borrow_mut();
        let id = WaitId::from(command.0);
        let Some(wait) = inner.waits.get_mut(&id) else {
            return;
        };
        let was_open = std::mem::replace(&mut wait.open, false);
        let waker = match std::mem::replace(&mut wait.waiter, Waiter::Detached) {
            Waiter::Detached => {
                inner.waits.remove(&id);
                None
            }
            Waiter::Settled(Settled::Ready) => {
                // That a child has begun is old news when it has ended.
                wait.waiter = Waiter::Settled(settled);
                None
            }
            Waiter::Settled(earlier) => {
                // Cancelled and not yet looked at: the cancellation stands.
                wait.waiter = Waiter::Settled(earlier);
                None
            }
            Waiter::Idle => {
                wait.waiter = Waiter::Settled(settled);
                None
            }
            Waiter::Awaited { waker, .. } => {
                wait.waiter = Waiter::Settled(settled);
                Some(waker)
            }
        };
        inner.outstanding -= usize::from(was_open);
        inner.self_calls.remove(&id);
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn take_commands(&self) -> Vec<Command> {
        std::mem::take(&mut self.inner.borrow_mut().commands)
    }

    /// True if `of` awaits something durable: a task, step, timer, signal or cancellation.
    pub(crate) fn is_awaited(&self, of: Branch) -> bool {
        self.inner
            .borrow()
            .waits
            .values()
            .any(|wait| match wait.waiter {
                Waiter::Awaited { by, branch, .. } => branch == of && by != By::Look,
                _ => false,
            })
    }

    /// Says which of the run's futures is about to be polled.
    pub(crate) fn enter(&self, branch: Branch) {
        self.inner.borrow_mut().branch = branch;
    }

    /// True if `command` is the only thing that the world has yet to answer.
    pub(crate) fn is_only_outstanding(&self, command: CommandId) -> bool {
        let inner = self.inner.borrow();
        inner.outstanding == 1
            && inner
                .waits
                .get(&WaitId::from(command.0))
                .is_some_and(|wait| wait.open)
    }

    /// The closures of the steps that have begun and not ended, in the order of their numbers.
    pub(crate) fn take_steps(&self) -> Vec<(CommandId, StepClosure)> {
        std::mem::take(&mut self.inner.borrow_mut().steps)
            .into_iter()
            .map(|(command, closure)| (CommandId(command), closure))
            .collect()
    }

    /// From now on nothing is recorded.
    pub(crate) fn close(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.closed = true;
        inner.steps.clear();
    }

    /// An estimate of the bytes that are kept for the run besides its future.
    pub(crate) fn bytes(&self) -> usize {
        let inner = self.inner.borrow();
        let signals = inner.inboxes.bytes();
        signals + inner.waits.len() * 128 + 512
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({})", self.identity.id)
    }
}

fn command_of(id: WaitId) -> u32 {
    u32::try_from(id).expect("only waits with a command have its number")
}

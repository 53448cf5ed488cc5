//! The executor of one run: its futures, and the loop that feeds them.
//!
//! Notifications are delivered **one at a time**, in the order of the history; after each, what is woken is polled until
//! nothing is: the run's own code first, then its methods in the order of their calls. Live and replay run the same loop,
//! so the commands are a function of the history alone, and joins and races need no record of who won.
//!
//! The run ends at the end of the turn in which the last of its futures has returned.
//!
//! Invariant: a future that is dropped asks for nothing, because its ledger is closed first.

mod mismatch;
mod turn;
mod waker;

#[cfg(test)]
mod tests;

pub(crate) use mismatch::Strictness;
pub(crate) use turn::{Ahead, Player};

use crate::ledger::{Branch, Identity, Ledger};
use crate::payload::coded;
use crate::workflow::{Definition, Instance, RunFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::{Command, Notification, Outcome};
use trunkline_api::core::failure::FailureKind;
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::QueryAnswer;
use trunkline_api::core::time::Timestamp;
use waker::{MethodWaker, RunWaker};

/// Polls of one future for one notification, before the code is taken to spin.
const POLLS_MAX: u32 = 100_000;

/// Why a turn cannot be done. The run is paused with it; it never fails the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stuck {
    pub(crate) code: Code,
    pub(crate) reason: String,
}

impl Stuck {
    pub(crate) fn new(code: Code, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

/// A run's futures with its ledger.
pub(crate) struct Execution {
    definition: Arc<dyn Definition>,
    ledger: Rc<Ledger>,
    instance: Option<Box<dyn Instance>>,
    /// The run's own code, until it has returned.
    main: Option<RunFuture>,
    /// What the run's own code has returned.
    outcome: Option<Outcome>,
    /// Methods that have not returned, in the order of their calls.
    methods: Vec<Method>,
    flag: Arc<RunWaker>,
    waker: Waker,
    finished: bool,
}

/// A method under way.
struct Method {
    call: u32,
    future: RunFuture,
    flag: Arc<MethodWaker>,
    waker: Waker,
}

impl Execution {
    pub(crate) fn new(definition: Arc<dyn Definition>, identity: Identity, seed: u64) -> Self {
        let flag = Arc::new(RunWaker::default());
        Self {
            definition,
            ledger: Ledger::new(identity, seed),
            instance: None,
            main: None,
            outcome: None,
            methods: Vec::new(),
            waker: Waker::from(Arc::clone(&flag)),
            flag,
            finished: false,
        }
    }

    pub(crate) fn ledger(&self) -> &Rc<Ledger> {
        &self.ledger
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// An estimate of the bytes that the run takes.
    pub(crate) fn bytes(&self) -> usize {
        let main = self.main.as_deref().map_or(0, size_of_val);
        let methods: usize = self
            .methods
            .iter()
            .map(|method| size_of_val(&*method.future) + size_of::<Method>())
            .sum();
        main + methods + self.ledger.bytes()
    }

    /// Delivers one notification and polls until the run rests. `at` is absent while it is not known: the result of a task
    /// that the engine has not seen yet.
    pub(crate) fn deliver(
        &mut self,
        at: Option<Timestamp>,
        clock: Timestamp,
        notification: Delivered,
    ) -> Result<(), Stuck> {
        if self.flag.was_woken_from_outside() {
            return Err(foreign_wake());
        }
        self.ledger.set_time(at, clock);
        let flag = Arc::clone(&self.flag);
        let _entered = flag.enter();
        // What the code does here is to begin, or to look at a signal.
        catch_unwind(AssertUnwindSafe(|| self.take_in(notification)))
            .map_err(|panic| panicked(&*panic))?;
        self.poll()
    }

    fn take_in(&mut self, notification: Delivered) {
        match notification {
            Delivered::Notification(Notification::Started { input, .. }) => {
                let instance = self.definition.bind(&self.ledger);
                self.main = Some(instance.run(&input));
                self.instance = Some(instance);
            }
            Delivered::Notification(notification) => self.ledger.deliver(notification),
            Delivered::Call {
                call,
                method,
                input,
                refused,
            } => self.call(call, &method, &input, refused),
        }
    }

    /// Begins a method. One that the code does not know is refused, and stays so when the code learns it.
    fn call(&mut self, call: u32, name: &Name, input: &Payload, refused: bool) {
        self.ledger.enter(Some(call));
        let known = self.instance.as_ref().filter(|_| !refused);
        if let Some(future) = known.and_then(|instance| instance.method(name, input)) {
            let flag = Arc::new(MethodWaker::new(&self.flag));
            self.methods.push(Method {
                call,
                future,
                waker: Waker::from(Arc::clone(&flag)),
                flag,
            });
        } else {
            let run = &self.ledger.identity;
            let message = format!(
                "`{}` version {} has no method `{name}`",
                run.id.workflow, run.version
            );
            let failure = coded(FailureKind::Application, Code::UnknownMethod, message);
            let outcome = Outcome::Failed(failure);
            self.ledger
                .record(Command::MethodReturned { call, outcome });
        }
    }

    /// Polls what is woken, the run's own code first and then the methods in the order of their calls, until nothing is.
    fn poll(&mut self) -> Result<(), Stuck> {
        self.poll_main()?;
        if self.methods.is_empty() {
            return Ok(());
        }
        for _ in 0..POLLS_MAX {
            if self.main.is_some() && self.flag.is_woken() {
                self.poll_main()?;
            }
            let woken = self.methods.iter().position(|m| m.flag.is_woken());
            match woken {
                Some(place) => self.poll_method(place)?,
                None if self.main.is_some() && self.flag.is_woken() => {}
                None => return Ok(()),
            }
        }
        Err(spinning())
    }

    fn poll_main(&mut self) -> Result<(), Stuck> {
        let Some(future) = &mut self.main else {
            return Ok(());
        };
        self.ledger.enter(None);
        let mut context = Context::from_waker(&self.waker);
        for _ in 0..POLLS_MAX {
            self.flag.rest();
            let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
            match polled {
                Err(panic) => return Err(panicked(&*panic)),
                Ok(Poll::Ready(outcome)) => {
                    self.outcome = Some(outcome);
                    // What the future still owned let go of its timers while it returned; that is part of its code.
                    self.main = None;
                    return Ok(());
                }
                Ok(Poll::Pending) if self.ledger.is_continuing() => {
                    self.main = None;
                    return Ok(());
                }
                Ok(Poll::Pending) if !self.flag.is_woken() => return self.check_rest(None),
                Ok(Poll::Pending) => {}
            }
        }
        Err(spinning())
    }

    fn poll_method(&mut self, place: usize) -> Result<(), Stuck> {
        let Method {
            call,
            future,
            flag,
            waker,
        } = &mut self.methods[place];
        let call = *call;
        self.ledger.enter(Some(call));
        let mut context = Context::from_waker(waker);
        flag.rest();
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
        match polled {
            Err(panic) => Err(panicked(&*panic)),
            Ok(Poll::Ready(outcome)) => {
                self.methods.remove(place);
                self.ledger
                    .record(Command::MethodReturned { call, outcome });
                Ok(())
            }
            Ok(Poll::Pending) if !flag.is_woken() => self.check_rest(Some(call)),
            Ok(Poll::Pending) => Ok(()),
        }
    }

    /// What rests has to wait for something that the history can bring.
    fn check_rest(&self, branch: Branch) -> Result<(), Stuck> {
        if self.flag.was_woken_from_outside() {
            return Err(foreign_wake());
        }
        if self.ledger.is_awaited(branch) {
            return Ok(());
        }
        Err(Stuck::new(
            Code::ForeignAwait,
            "the code awaits something that is not durable: nothing in the run's history can wake it. \
             Await tasks, steps, timers, signals or children; do other I/O in a step or a task",
        ))
    }

    /// Asks a query of the run as it stands. What it would change, it panics at, so that nothing changes.
    pub(crate) fn query(&self, query: &Name, input: &Payload) -> QueryAnswer {
        let Some(instance) = &self.instance else {
            return QueryAnswer::Failed(Name::from("the run has not begun"));
        };
        let reading = self.ledger.only_read();
        let answer = catch_unwind(AssertUnwindSafe(|| instance.query(query, input)));
        drop(reading);
        match answer {
            Ok(Some(Outcome::Completed(value))) => QueryAnswer::Value(value),
            Ok(Some(Outcome::Failed(failure))) => QueryAnswer::Failed(failure.message),
            Ok(None) => {
                let run = &self.ledger.identity;
                QueryAnswer::Unknown(Name::from(format!(
                    "`{}` version {} has no query `{query}`",
                    run.id.workflow, run.version
                )))
            }
            Err(panic) => QueryAnswer::Failed(Name::from(format!(
                "the query panicked: {}",
                panic_message(&*panic)
            ))),
        }
    }

    /// A turn is over. The run ends with it, or goes on as new, if its own code and all its methods have returned.
    pub(crate) fn end_turn(&mut self) {
        if !self.methods.is_empty() || self.ledger.has_called_itself() {
            return;
        }
        let outcome = self.outcome.take();
        let finish = || outcome.map(|outcome| Command::Finish { outcome });
        if let Some(last) = self.ledger.continuation().or_else(finish) {
            self.ledger.record(last);
            self.finished = true;
            self.discard();
        }
    }

    /// Drops the futures. Their ledger is closed, so that this asks for nothing.
    fn discard(&mut self) {
        self.ledger.close();
        let futures = (self.main.take(), std::mem::take(&mut self.methods));
        if catch_unwind(AssertUnwindSafe(|| drop(futures))).is_err() {
            tracing::warn!(run = %self.ledger.identity.id, "the code panicked while its future was dropped");
        }
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.discard();
    }
}

/// What is delivered to a run.
pub(crate) enum Delivered {
    Notification(Notification),
    Call {
        /// The index of the call in the history.
        call: u32,
        method: Name,
        input: Payload,
        /// True if the history says that the method was not known.
        refused: bool,
    },
}

fn spinning() -> Stuck {
    Stuck::new(
        Code::ForeignAwait,
        format!("the code wakes itself without end: {POLLS_MAX} polls without rest"),
    )
}

fn foreign_wake() -> Stuck {
    Stuck::new(
        Code::ForeignAwait,
        "the code was woken from outside: it awaits something that is not durable, such as a tokio timer or socket. \
         Do that in a step or a task",
    )
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Stuck {
    Stuck::new(
        Code::WorkflowPanicked,
        format!("the workflow's code panicked: {}", panic_message(panic)),
    )
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}

/// The failure of a task that panicked.
pub(crate) fn panic_failure(
    panic: &(dyn std::any::Any + Send),
) -> trunkline_api::core::failure::Failure {
    coded(
        FailureKind::Panicked,
        Code::TaskPanicked,
        format!("the task panicked: {}", panic_message(panic)),
    )
}

//! What a task's code has in its hand: the handle to its attempt.

use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::payload;
use crate::task_error::TaskError;
use crate::time::Time;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use trunkline_api::core::entry::{Meta, TaskOptions};
use trunkline_api::core::failure::Failure;
use trunkline_api::core::ids::{RunId, TaskId, Token};
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::{FromPeer, TaskAttempt};

/// How often an attempt without a heartbeat time-out is reported at most.
const REPORT_EVERY_MAX: Duration = Duration::from_secs(1);

/// Says something of an attempt to the engine.
pub(crate) type Tell = Arc<dyn Fn(FromPeer) + Send + Sync>;

/// Why an attempt is to come to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Nobody waits for its result any more.
    Cancelled,
    /// It has taken too long: another attempt may follow, and what this one returns is not looked at.
    TimedOut,
}

/// The handle of a task to its attempt.
///
/// Everything here may be called from any thread, also from inside what the task spawns.
pub struct TaskCx {
    id: TaskId,
    run: RunId,
    service: Name,
    task: Name,
    attempt: u32,
    token: Token,
    options: TaskOptions,
    last_failure: Option<Box<Failure>>,
    heartbeat_details: Option<Payload>,
    deadline: Instant,
    is_final: AtomicBool,
    is_delegated: AtomicBool,
    /// 0 while nothing is amiss, then an [`Ending`].
    ending: AtomicU8,
    ended: Notify,
    notes: Mutex<Notes>,
    tell: Tell,
    time: Time,
    itself: Weak<Self>,
}

/// What the attempt has said of itself.
#[derive(Default)]
struct Notes {
    meta: Meta,
    meta_changed: bool,
    details: Option<Payload>,
    /// True if something was said that the engine has not been told.
    unsaid: bool,
    /// True while a timer is set that will tell it.
    timer_set: bool,
    told_at: Option<Instant>,
    /// When the grace is over.
    give_up_at: Option<Instant>,
    on_timeout: Vec<Box<dyn FnOnce() + Send>>,
}

impl TaskCx {
    pub(crate) fn new(attempt: &mut TaskAttempt, time: Time, tell: Tell) -> Arc<Self> {
        let timeout = attempt.options.attempt_timeout_ms;
        let timeout = Duration::from_millis(timeout.unwrap_or(TaskOptions::ATTEMPT_TIMEOUT_MS));
        let meta = attempt.meta.take();
        let meta = meta.or_else(|| attempt.options.meta.clone());
        // A time-out beyond what the clock can say is none.
        let far = Duration::from_secs(30 * 365 * 86_400);
        Arc::new_cyclic(|itself| Self {
            id: attempt.task_id(),
            run: attempt.id.clone(),
            service: attempt.service.clone(),
            task: attempt.task.clone(),
            attempt: attempt.attempt,
            token: attempt.token,
            options: std::mem::take(&mut attempt.options),
            last_failure: attempt.last_failure.take(),
            heartbeat_details: attempt.heartbeat_details.take(),
            deadline: Instant::now() + timeout.min(far),
            is_final: AtomicBool::new(false),
            is_delegated: AtomicBool::new(false),
            ending: AtomicU8::new(0),
            ended: Notify::new(),
            notes: Mutex::new(Notes {
                meta: meta.unwrap_or_default(),
                ..Notes::default()
            }),
            tell,
            time,
            itself: Weak::clone(itself),
        })
    }

    /// The identity of the task: the same for all its attempts, and for no other task. Hand it to systems that can recognise
    /// a repeat; and to whoever answers a [delegated](Self::delegate) task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The run that the task is for.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        &self.run
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &Name {
        &self.service
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> &Name {
        &self.task
    }

    /// The tags that the call gave the task.
    #[must_use]
    pub fn tags(&self) -> &[Name] {
        self.options.tags.as_deref().unwrap_or_default()
    }

    /// [`id`](Self::id) as text: a key that is the same for every attempt of this task, and for no other task.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        self.id.to_string()
    }

    /// How the attempt before this one failed, if one did.
    #[must_use]
    pub fn last_failure(&self) -> Option<&Failure> {
        self.last_failure.as_deref()
    }

    /// The same with the task's own error type.
    #[must_use]
    pub fn last_error<E: Fault>(&self) -> Option<TaskError<E>> {
        self.last_failure().cloned().map(TaskError::new)
    }

    /// When this attempt has taken too long.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Marks the error to be returned as final: there is no other attempt, whatever the retry policy says.
    ///
    /// ```
    /// # use trunkline::prelude::*;
    /// # fn declined() -> bool { true }
    /// # fn charge(t: &TaskCx) -> trunkline::Result<()> {
    /// if declined() {
    ///     return Err(t.fatal(Error::new("Declined", "the card was declined")));
    /// }
    /// # Ok(()) }
    /// ```
    pub fn fatal<E>(&self, error: E) -> E {
        self.is_final.store(true, Ordering::Relaxed);
        error
    }

    /// Lets time pass. In a test bed it is skipped like every other, so a task that polls for something should sleep with
    /// this rather than with tokio's timer.
    pub async fn sleep(&self, span: Duration) {
        self.time.sleep((self.id.run, self.token), span).await;
    }

    // Coming to an end.

    /// Waits until the attempt is to come to its end, and says why. From then on it has its grace (`grace` on the call, 5 s
    /// unless said otherwise), and is dropped where it waits when that is over.
    ///
    /// ```
    /// # use trunkline::prelude::*;
    /// # async fn page(_: u32) {} async fn give_back() {}
    /// # async fn export(t: &TaskCx) -> trunkline::Result<u32> {
    /// for number in 0..1_000 {
    ///     tokio::select! {
    ///         () = page(number) => t.heartbeat(number)?,
    ///         _ = t.cancelled() => {
    ///             give_back().await;
    ///             return Err(Error::new("Stopped", "asked to stop"));
    ///         }
    ///     }
    /// }
    /// # Ok(0) }
    /// ```
    pub async fn cancelled(&self) -> Ending {
        loop {
            let mut notified = std::pin::pin!(self.ended.notified());
            // Registered before looking, so that nothing falls in between.
            notified.as_mut().enable();
            if let Some(ending) = self.ending() {
                return ending;
            }
            notified.await;
        }
    }

    /// True if the attempt is to come to its end, for whatever reason.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.ending().is_some()
    }

    /// Why the attempt is to come to its end, if it is.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        match self.ending.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Ending::Cancelled),
            _ => Some(Ending::TimedOut),
        }
    }

    /// Has `callback` called when the attempt has taken too long: at once if it has already.
    pub fn on_timeout(&self, callback: impl FnOnce() + Send + 'static) {
        let mut notes = self.notes();
        if self.ending() == Some(Ending::TimedOut) {
            drop(notes);
            callback();
        } else {
            notes.on_timeout.push(Box::new(callback));
        }
    }

    /// The attempt is to come to its end within `grace`. What was said first stands.
    pub(crate) fn end(&self, ending: Ending, grace: Duration) {
        let mut notes = self.notes();
        if self.ending().is_some() {
            return;
        }
        notes.give_up_at = Some(Instant::now() + grace);
        let number = match ending {
            Ending::Cancelled => 1,
            Ending::TimedOut => 2,
        };
        self.ending.store(number, Ordering::Release);
        let callbacks = std::mem::take(&mut notes.on_timeout);
        drop(notes);
        self.time.rouse((self.id.run, self.token));
        self.ended.notify_waiters();
        if ending == Ending::TimedOut {
            callbacks.into_iter().for_each(|callback| callback());
        }
    }

    /// Polls the code of the attempt.
    pub(crate) fn polled<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.time.polled((self.id.run, self.token), poll)
    }

    /// Waits until the attempt is to be given up: its grace is over.
    pub(crate) async fn given_up(&self) -> Ending {
        let ending = tokio::select! {
            biased;
            ending = self.cancelled() => ending,
            () = tokio::time::sleep_until(self.deadline) => {
                let grace = Duration::from_millis(self.options.grace_ms());
                self.end(Ending::TimedOut, grace);
                self.ending().unwrap_or(Ending::TimedOut)
            }
        };
        let give_up_at = self.notes().give_up_at;
        if let Some(at) = give_up_at {
            tokio::time::sleep_until(at).await;
        }
        ending
    }

    // Heartbeats, and what goes from attempt to attempt.

    /// Says that the attempt is alive, and how far it has come: should it fail, the next attempt finds `details` in
    /// [`heartbeat_details`](Self::heartbeat_details). Call it as often as you like; it is told to the engine a few times
    /// within the call's `heartbeat_timeout`, or once a second.
    ///
    /// # Errors
    /// If `details` cannot be written as JSON, or are too large.
    pub fn heartbeat(&self, details: impl Serialize) -> Result<()> {
        let details = payload::encode(&details).map_err(Error::from_failure)?;
        self.note(|notes| notes.details = Some(details));
        Ok(())
    }

    /// Says that the attempt is alive, and nothing more.
    pub fn alive(&self) {
        self.note(|_| ());
    }

    /// What the last heartbeat of an earlier attempt said, if there was one and it is a `T`.
    #[must_use]
    pub fn heartbeat_details<T: DeserializeOwned>(&self) -> Option<T> {
        payload::decode(self.heartbeat_details.as_ref()?).ok()
    }

    /// A value of the task's meta, if there is one and it is a `T`: as the call set it, or an attempt.
    #[must_use]
    pub fn meta<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let notes = self.notes();
        let at = notes
            .meta
            .binary_search_by(|(of, _)| (**of).cmp(name))
            .ok()?;
        payload::decode(&notes.meta[at].1).ok()
    }

    /// Sets a value of the task's meta, for this attempt and those that follow it.
    ///
    /// # Errors
    /// If `value` cannot be written as JSON, or is too large.
    pub fn set_meta(&self, name: impl Into<Name>, value: impl Serialize) -> Result<()> {
        let value = payload::encode(&value).map_err(Error::from_failure)?;
        let name = name.into();
        self.note(|notes| {
            set(&mut notes.meta, name, value);
            notes.meta_changed = true;
        });
        Ok(())
    }

    fn note(&self, note: impl FnOnce(&mut Notes)) {
        let mut notes = self.notes();
        note(&mut notes);
        notes.unsaid = true;
        let every = match self.options.heartbeat_timeout_ms {
            Some(ms) => REPORT_EVERY_MAX.min(Duration::from_millis(ms / 3)),
            None => REPORT_EVERY_MAX,
        };
        let now = Instant::now();
        let next = notes.told_at.map_or(now, |told_at| told_at + every);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if next > now => {
                if !notes.timer_set {
                    notes.timer_set = true;
                    let itself = Weak::clone(&self.itself);
                    runtime.spawn(async move {
                        tokio::time::sleep_until(next).await;
                        if let Some(attempt) = itself.upgrade() {
                            attempt.notes().timer_set = false;
                            attempt.tell_notes();
                        }
                    });
                }
            }
            _ => {
                drop(notes);
                self.tell_notes();
            }
        }
    }

    /// Tells the engine what it has not been told.
    pub(crate) fn tell_notes(&self) {
        let mut notes = self.notes();
        if !std::mem::take(&mut notes.unsaid) {
            return;
        }
        notes.told_at = Some(Instant::now());
        let meta = std::mem::take(&mut notes.meta_changed).then(|| notes.meta.clone());
        let heartbeat = FromPeer::Heartbeat {
            run: self.id.run,
            command: self.id.command,
            token: self.token,
            details: notes.details.take(),
            meta,
        };
        // With the lock held, so that an older heartbeat cannot overtake a newer one.
        (self.tell)(heartbeat);
    }

    // Answering later.

    /// Ends the attempt without a result: somebody will answer the task, from any process, by its [`id`](Self::id). This
    /// never returns; do what is to be done before.
    ///
    /// The task waits for its answer over restarts of workers and servers. An answer that comes before this call is kept.
    /// Of the time-outs, `heartbeat_timeout` and `total_timeout` go on, and so does `timeout` if the call has one.
    ///
    /// ```
    /// # use trunkline::prelude::*;
    /// # async fn send_mail(_: String) -> Result<()> { Ok(()) }
    /// # async fn approve(t: &TaskCx) -> Result<bool> {
    /// send_mail(format!("approve with: trunkline task complete {} true", t.id())).await?;
    /// t.delegate().await
    /// # }
    /// ```
    pub async fn delegate<T>(&self) -> T {
        self.is_delegated.store(true, Ordering::Release);
        std::future::pending().await
    }

    pub(crate) fn is_delegated(&self) -> bool {
        self.is_delegated.load(Ordering::Acquire)
    }

    /// Tells the engine that the attempt is delegated.
    pub(crate) fn tell_delegated(&self) {
        self.tell_notes();
        (self.tell)(FromPeer::TaskDelegated {
            run: self.id.run,
            command: self.id.command,
            token: self.token,
        });
    }

    pub(crate) fn is_final(&self) -> bool {
        self.is_final.load(Ordering::Relaxed)
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets a value of a task's meta.
pub(crate) fn set(meta: &mut Meta, name: Name, value: Payload) {
    match meta.binary_search_by(|(of, _)| of.cmp(&name)) {
        Ok(at) => meta[at].1 = value,
        Err(at) => meta.insert(at, (name, value)),
    }
}

impl fmt::Debug for TaskCx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskCx")
            .field("id", &self.id.to_string())
            .field("task", &format_args!("{}.{}", self.service, self.task))
            .field("attempt", &self.attempt)
            .field("ending", &self.ending())
            .finish_non_exhaustive()
    }
}

//! The time of a test: it skips what nobody works in.
//!
//! A keeper, which is a thread of its own, moves the virtual clock to the next deadline whenever all is at rest and somebody
//! waits for time to pass: for the end of a run, or in [`TestBed::advance_by`](super::TestBed::advance_by). All the rest of
//! the time it stands still, so that a test may look around between two awaits without missing anything.
//!
//! What holds the clock: everything in the engine, turns, steps, deliveries, and attempts of tasks, except those that wait
//! in [`TaskCx::sleep`](crate::TaskCx::sleep), which the clock wakes.

use crate::client::Client;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::oneshot;
use trunkline_api::core::ids::{RunKey, Token};
use trunkline_api::core::time::Timestamp;
use trunkline_engine::{Engine, VirtualClock};

/// What names an attempt.
type AttemptKey = (RunKey, Token);

/// How often the keeper looks when nobody rings: not everything that ends does.
const LOOK_AGAIN: Duration = Duration::from_micros(200);
/// The same while nobody waits for time to pass.
const LOOK_SELDOM: Duration = Duration::from_millis(2);
/// The clock skips no further than this from where it began, so that what repeats for ever does not.
const HORIZON_MS: u64 = 50 * 366 * 86_400_000;

/// See the module.
pub(crate) struct TestTime {
    clock: Arc<VirtualClock>,
    began: Timestamp,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    engine: Option<Engine>,
    /// Whose waiting for ends of runs lets time pass.
    client: Option<Client>,
    /// As long as there are any, time stands still.
    holds: usize,
    /// Who wants the clock to be at a time.
    targets: Vec<(Timestamp, oneshot::Sender<()>)>,
    /// Who wants to know that all is at rest.
    resting: Vec<oneshot::Sender<()>>,
    /// Attempts that wait for time to pass, by when they want to be woken.
    asleep: BTreeMap<(Timestamp, u64), (AttemptKey, Waker)>,
    asleep_by_key: HashMap<AttemptKey, usize>,
    /// Attempts that were told something in their sleep, and whose code has not been polled since.
    roused: HashSet<AttemptKey>,
    next_sleeper: u64,
    /// What connections of workers have to do.
    pending: Vec<Weak<AtomicUsize>>,
    ended: bool,
}

impl TestTime {
    pub(super) fn new(now: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::new(VirtualClock::new(now)),
            began: now,
            state: Mutex::default(),
        })
    }

    pub(super) fn clock(&self) -> &Arc<VirtualClock> {
        &self.clock
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn ring(&self) {
        self.clock.ring();
    }

    pub(super) fn serve(&self, engine: Option<Engine>) {
        // The old one may end its threads here, which takes a moment.
        let old = std::mem::replace(&mut self.lock().engine, engine);
        drop(old);
    }

    pub(super) fn follow(&self, client: Option<Client>) {
        let old = std::mem::replace(&mut self.lock().client, client);
        drop(old);
    }

    pub(super) fn hold(&self) {
        self.lock().holds += 1;
    }

    pub(super) fn let_go(&self) {
        self.lock().holds -= 1;
        self.ring();
    }

    /// Ends once the clock has come to `time`, deadline by deadline, and all is at rest there.
    pub(super) async fn reach(&self, time: Timestamp) {
        let (reached, wait) = oneshot::channel();
        self.lock().targets.push((time, reached));
        self.ring();
        // Dropped unanswered, the test is over.
        let _ = wait.await;
    }

    /// Ends once all is at rest; the clock is not moved for it.
    pub(super) async fn rest(&self) {
        let (at_rest, wait) = oneshot::channel();
        self.lock().resting.push(at_rest);
        self.ring();
        let _ = wait.await;
    }

    pub(super) fn end(&self) {
        let state = std::mem::take(&mut *self.lock());
        self.lock().ended = true;
        drop(state);
        self.ring();
    }

    pub(crate) fn watch(&self, pending: &Arc<AtomicUsize>) {
        let mut state = self.lock();
        state.pending.retain(|watched| watched.strong_count() > 0);
        state.pending.push(Arc::downgrade(pending));
    }

    pub(crate) fn sleep(self: &Arc<Self>, attempt: AttemptKey, span: Duration) -> Asleep {
        let ms = crate::span::whole_ms(span);
        Asleep {
            time: Arc::clone(self),
            attempt,
            until: Timestamp(self.now().0.saturating_add(ms)),
            number: None,
        }
    }

    /// The attempt has something to hear: it holds the clock until its code has had its chance.
    pub(crate) fn rouse(&self, attempt: AttemptKey) {
        let mut state = self.lock();
        if state.asleep_by_key.contains_key(&attempt) {
            state.roused.insert(attempt);
        }
    }

    /// Whether the attempt was roused, asked before its code is polled.
    pub(crate) fn is_roused(&self, attempt: AttemptKey) -> bool {
        self.lock().roused.contains(&attempt)
    }

    /// The code has had its chance since it was roused.
    pub(crate) fn has_heard(&self, attempt: AttemptKey) {
        self.lock().roused.remove(&attempt);
        self.ring();
    }

    fn is_asleep(&self, attempt: AttemptKey) -> bool {
        let state = self.lock();
        state.asleep_by_key.contains_key(&attempt) && !state.roused.contains(&attempt)
    }

    /// Keeps the time until there is an end to it.
    pub(super) fn keep(&self) {
        let mut heard = 0;
        let mut limit = LOOK_AGAIN;
        loop {
            heard = self.clock.listen(heard, limit);
            match self.look() {
                Some(busy) => limit = if busy { LOOK_AGAIN } else { LOOK_SELDOM },
                None => return,
            }
        }
    }

    /// Moves the clock if it may. Says whether somebody waits for time to pass; nothing if there is an end to it.
    fn look(&self) -> Option<bool> {
        let (engine, client, target) = {
            let mut state = self.lock();
            if state.ended {
                return None;
            }
            state.targets.sort_by_key(|(time, _)| *time);
            let target = state.targets.first().map(|(time, _)| *time);
            (state.engine.clone(), state.client.clone(), target)
        };
        let (Some(engine), Some(client)) = (engine, client) else {
            return Some(false);
        };
        let (held, resting) = {
            let state = self.lock();
            (state.holds > 0, !state.resting.is_empty())
        };
        let wanted = !held && (target.is_some() || client.awaits_an_end());
        if !wanted && !resting {
            return Some(false);
        }
        let peers_at_rest = || {
            let pending = &self.lock().pending;
            pending.iter().all(|watched| {
                watched
                    .upgrade()
                    .is_none_or(|pending| pending.load(Ordering::Acquire) == 0)
            })
        };
        // As it is when the engine is looked at: what it told an attempt before must have been heard.
        let is_asleep = |run, token| self.is_asleep((run, token));
        if !engine.is_at_rest(&is_asleep, peers_at_rest) {
            return Some(true);
        }
        // Looked at again behind the look at the engine: an answer that was on its way has arrived by now.
        let wanted = wanted && (target.is_some() || client.awaits_an_end());
        let mut state = self.lock();
        for at_rest in state.resting.drain(..) {
            // Who asked may have given up.
            let _ = at_rest.send(());
        }
        if !wanted || state.holds > 0 {
            return Some(false);
        }
        let sleeper = state.asleep.keys().next().map(|(until, _)| *until);
        let horizon = self.began.plus_ms(HORIZON_MS);
        let next = [engine.next_deadline(), sleeper]
            .into_iter()
            .flatten()
            .min()
            .filter(|next| *next <= horizon);
        match (next, target) {
            (Some(next), target) if target.is_none_or(|target| next <= target) => {
                self.clock.set(next);
                let woken = state.wake(next);
                drop(state);
                engine.wake_for_deadlines();
                woken.into_iter().for_each(Waker::wake);
            }
            (_, Some(target)) => {
                self.clock.set(target);
                let (_, reached) = state.targets.remove(0);
                let _ = reached.send(());
            }
            // Nothing will ever happen by itself.
            (_, None) => return Some(false),
        }
        Some(true)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes out the attempts whose time has come.
    fn wake(&mut self, now: Timestamp) -> Vec<Waker> {
        let later = self.asleep.split_off(&(now.plus_ms(1), 0));
        let due = std::mem::replace(&mut self.asleep, later);
        due.into_values()
            .map(|(attempt, waker)| {
                self.awake(attempt);
                waker
            })
            .collect()
    }

    fn awake(&mut self, attempt: AttemptKey) {
        if let Some(count) = self.asleep_by_key.get_mut(&attempt) {
            *count -= 1;
            if *count == 0 {
                self.asleep_by_key.remove(&attempt);
            }
        }
    }

    fn forget(&mut self, place: (Timestamp, u64)) {
        if let Some((attempt, _)) = self.asleep.remove(&place) {
            self.awake(attempt);
        }
    }
}

/// What the clock shows, and what holds it.
impl fmt::Debug for TestTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let pending: Vec<usize> = state
            .pending
            .iter()
            .filter_map(|pending| Some(pending.upgrade()?.load(Ordering::Acquire)))
            .collect();
        f.debug_struct("TestTime")
            .field("now", &self.now())
            .field("holds", &state.holds)
            .field("targets", &state.targets.len())
            .field(
                "somebody_waits",
                &state.client.as_ref().map(Client::awaits_an_end),
            )
            .field("workers_have_to_do", &pending)
            .field("attempts_asleep", &state.asleep.len())
            .field(
                "next_deadline",
                &state.engine.as_ref().map(Engine::next_deadline),
            )
            .field(
                "engine_ended",
                &state.engine.as_ref().map(Engine::has_ended),
            )
            .field("busy", &state.engine.as_ref().map(Engine::busy))
            .finish()
    }
}

/// An attempt that waits for time to pass.
pub(crate) struct Asleep {
    time: Arc<TestTime>,
    attempt: AttemptKey,
    until: Timestamp,
    /// Its number while it is among the sleepers.
    number: Option<u64>,
}

impl Future for Asleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut state = this.time.lock();
        if let Some(number) = this.number.take() {
            state.forget((this.until, number));
        }
        if this.time.now() >= this.until {
            return Poll::Ready(());
        }
        let number = state.next_sleeper;
        state.next_sleeper += 1;
        let entry = (this.attempt, context.waker().clone());
        state.asleep.insert((this.until, number), entry);
        *state.asleep_by_key.entry(this.attempt).or_default() += 1;
        this.number = Some(number);
        drop(state);
        this.time.ring();
        Poll::Pending
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.time.lock().forget((self.until, number));
        }
    }
}

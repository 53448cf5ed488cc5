//! The threads that run workflow code. A run belongs to one of them, by its key.

use super::runs::{Definitions, Runs, StepKey, Work};
use crate::executor::Strictness;
use crate::link::Outbound;
use crate::time::Time;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::oneshot;
use trunkline_api::core::ids::RunKey;

/// Pieces of work after which what has come of them is sent, though there is more to do.
const FLUSH_AFTER: usize = 256;

type Inbox = mpsc::Sender<Option<Vec<Work>>>;

/// See the module.
pub(super) struct Threads {
    inboxes: Vec<Inbox>,
    /// Pieces of work that are queued or being done, and steps that run.
    pending: Arc<AtomicUsize>,
    is_broken: AtomicBool,
    /// Each ends when its thread has let go of everything.
    ended: Mutex<Vec<oneshot::Receiver<()>>>,
}

/// How long a stop waits for workflow code that does not return.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

impl Threads {
    pub(super) fn start(
        count: usize,
        definitions: &Arc<Definitions>,
        strictness: Strictness,
        (cache_runs, cache_bytes): (usize, usize),
        time: &Time,
        outbound: &Arc<dyn Outbound>,
    ) -> std::io::Result<Self> {
        let pending = Arc::new(AtomicUsize::new(0));
        time.watch(&pending);
        let mut ended = Vec::with_capacity(count);
        let inboxes = (0..count)
            .map(|index| {
                let (alive, end) = oneshot::channel::<()>();
                ended.push(end);
                let (inbox, work) = mpsc::channel();
                let runtime = tokio::runtime::Handle::current();
                let launch = launcher(&runtime, &inbox, &pending);
                let (definitions, outbound, pending, time) = (
                    Arc::clone(definitions),
                    Arc::clone(outbound),
                    Arc::clone(&pending),
                    time.clone(),
                );
                let body = move || {
                    let runs = Runs::new(
                        definitions,
                        strictness,
                        cache_runs.div_ceil(count),
                        cache_bytes.div_ceil(count),
                        time.clone(),
                        launch,
                    );
                    // Steps are polled here first, and may need the runtime for that.
                    let _entered = runtime.enter();
                    work_off(runs, &work, &*outbound, &pending);
                    // In this order: who waits for the end may want the link closed.
                    drop(outbound);
                    drop(alive);
                };
                std::thread::Builder::new()
                    .name(format!("trunkline-runs-{index}"))
                    .spawn(body)?;
                Ok(inbox)
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self {
            inboxes,
            pending,
            is_broken: AtomicBool::new(false),
            ended: Mutex::new(ended),
        })
    }

    /// True if a thread has ended by itself: what it had is lost, and the engine has to give it out again.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }

    /// True if nothing is queued, being done or running as a step.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.load(Ordering::Acquire) == 0
    }

    pub(super) fn send_one(&self, work: Work) {
        self.send(self.thread_of(work.run()), vec![work]);
    }

    /// Collects work by thread.
    pub(super) fn sorter(&self) -> Sorter<'_> {
        Sorter {
            threads: self,
            work: self.inboxes.iter().map(|_| Vec::new()).collect(),
        }
    }

    /// Stops the threads, once they have done what is queued, and waits until they are gone.
    pub(super) async fn stop(&self) {
        for inbox in &self.inboxes {
            // A thread that is gone has stopped.
            let _ = inbox.send(None);
        }
        let ended = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        let all = futures_util::future::join_all(ended);
        if tokio::time::timeout(STOP_TIMEOUT, all).await.is_err() {
            tracing::warn!("workflow code does not return; its thread is left behind");
        }
    }

    fn thread_of(&self, run: RunKey) -> usize {
        // The lower bits: the upper choose the shard.
        usize::try_from(run.0 & 0xffff).unwrap_or(0) % self.inboxes.len()
    }

    fn send(&self, thread: usize, work: Vec<Work>) {
        self.pending.fetch_add(work.len(), Ordering::AcqRel);
        if self.inboxes[thread].send(Some(work)).is_err() {
            self.is_broken.store(true, Ordering::Release);
        }
    }
}

/// See [`Threads::sorter`].
pub(super) struct Sorter<'a> {
    threads: &'a Threads,
    work: Vec<Vec<Work>>,
}

impl Sorter<'_> {
    pub(super) fn push(&mut self, work: Work) {
        self.work[self.threads.thread_of(work.run())].push(work);
    }

    /// Hands over what was collected, with one wake-up per thread.
    pub(super) fn flush(&mut self) {
        for (thread, work) in self.work.iter_mut().enumerate() {
            if !work.is_empty() {
                self.threads.send(thread, std::mem::take(work));
            }
        }
    }
}

fn launcher(
    runtime: &tokio::runtime::Handle,
    inbox: &Inbox,
    pending: &Arc<AtomicUsize>,
) -> impl Fn(StepKey, crate::step::OutcomeFuture) + Send + 'static {
    let (runtime, inbox, pending) = (runtime.clone(), inbox.clone(), Arc::clone(pending));
    move |step, future| {
        let inbox = inbox.clone();
        pending.fetch_add(1, Ordering::AcqRel);
        runtime.spawn(async move {
            let outcome = future.await;
            // A thread that is gone has no use for it. The step is counted until the thread has taken its end in.
            let _ = inbox.send(Some(vec![Work::Step { step, outcome }]));
        });
    }
}

fn work_off(
    mut runs: Runs,
    inbox: &mpsc::Receiver<Option<Vec<Work>>>,
    outbound: &dyn Outbound,
    pending: &AtomicUsize,
) {
    while let Ok(Some(mut batch)) = inbox.recv() {
        loop {
            let mut done = 0;
            for work in batch.drain(..) {
                runs.take_in(work);
                done += 1;
                if done >= FLUSH_AFTER {
                    flush(&mut runs, outbound);
                    pending.fetch_sub(std::mem::take(&mut done), Ordering::AcqRel);
                }
            }
            match inbox.try_recv() {
                Ok(Some(more)) => {
                    batch = more;
                    pending.fetch_sub(done, Ordering::AcqRel);
                }
                Ok(None) => {
                    flush(&mut runs, outbound);
                    pending.fetch_sub(done, Ordering::AcqRel);
                    return;
                }
                Err(_) => {
                    flush(&mut runs, outbound);
                    pending.fetch_sub(done, Ordering::AcqRel);
                    runs.rest();
                    break;
                }
            }
        }
    }
}

fn flush(runs: &mut Runs, outbound: &dyn Outbound) {
    let out = runs.take_out();
    if !out.is_empty() {
        outbound.send(out);
    }
}

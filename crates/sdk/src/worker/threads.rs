//! The threads that run workflow code. A run belongs to one of them, by its key.

use super::runs::{Definitions, Runs, Work};
use crate::executor::Strictness;
use crate::link::Outbound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use trunkline_api::core::ids::RunKey;

/// Pieces of work after which what has come of them is sent, though there is more to do.
const FLUSH_AFTER: usize = 256;

type Inbox = mpsc::Sender<Option<Vec<Work>>>;

/// See the module.
pub(super) struct Threads {
    inboxes: Vec<Inbox>,
    /// Pieces of work that are queued or being done, and steps that run.
    pending: Arc<AtomicUsize>,
}

impl Threads {
    pub(super) fn start(
        count: usize,
        definitions: &Arc<Definitions>,
        strictness: Strictness,
        (cache_runs, cache_bytes): (usize, usize),
        outbound: &Arc<dyn Outbound>,
    ) -> std::io::Result<Self> {
        let pending = Arc::new(AtomicUsize::new(0));
        let inboxes = (0..count)
            .map(|index| {
                let (inbox, work) = mpsc::channel();
                let runtime = tokio::runtime::Handle::current();
                let launch = launcher(&runtime, &inbox, &pending);
                let (definitions, outbound, pending) = (
                    Arc::clone(definitions),
                    Arc::clone(outbound),
                    Arc::clone(&pending),
                );
                let body = move || {
                    let runs = Runs::new(
                        definitions,
                        strictness,
                        cache_runs.div_ceil(count),
                        cache_bytes.div_ceil(count),
                        launch,
                    );
                    // Steps are polled here first, and may need the runtime for that.
                    let _entered = runtime.enter();
                    work_off(runs, &work, &*outbound, &pending);
                };
                std::thread::Builder::new()
                    .name(format!("trunkline-runs-{index}"))
                    .spawn(body)?;
                Ok(inbox)
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self { inboxes, pending })
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

    pub(super) fn stop(&self) {
        for inbox in &self.inboxes {
            // A thread that is gone has stopped.
            let _ = inbox.send(None);
        }
    }

    fn thread_of(&self, run: RunKey) -> usize {
        // The lower bits: the upper choose the shard.
        usize::try_from(run.0 & 0xffff).unwrap_or(0) % self.inboxes.len()
    }

    fn send(&self, thread: usize, work: Vec<Work>) {
        self.pending.fetch_add(work.len(), Ordering::AcqRel);
        // A thread that is gone belongs to a link that is gone: its engine gives the work out again.
        let _ = self.inboxes[thread].send(Some(work));
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
) -> impl Fn(RunKey, trunkline_api::core::ids::CommandId, crate::step::OutcomeFuture) + Send + 'static
{
    let (runtime, inbox, pending) = (runtime.clone(), inbox.clone(), Arc::clone(pending));
    move |run, command, future| {
        let inbox = inbox.clone();
        pending.fetch_add(1, Ordering::AcqRel);
        runtime.spawn(async move {
            let outcome = future.await;
            // As in `Threads::send`. The step is counted until the thread has taken its end in.
            let _ = inbox.send(Some(vec![Work::Step {
                run,
                command,
                outcome,
            }]));
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
                Ok(None) => return,
                Err(_) => {
                    flush(&mut runs, outbound);
                    pending.fetch_sub(done, Ordering::AcqRel);
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

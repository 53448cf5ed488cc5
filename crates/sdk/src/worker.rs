//! The worker: does tasks, and moves runs along.
//!
//! One loop reads what the engine sends. Turns go to the threads that own the runs (workflow futures are not `Send`), tasks
//! to tokio. Everything to be sent leaves through the link's outbox, in batches. A broken link takes everything with it:
//! parked runs are dropped, attempts are abandoned, and the engine gives them out again.

mod parked;
mod running;
pub(crate) mod runs;
mod task_runner;
mod threads;

#[cfg(test)]
pub(crate) mod script;
#[cfg(test)]
mod tests;

use crate::client::ClientError;
use crate::executor::Strictness;
use crate::link::{Endpoint, Link};
use crate::replay::Job;
use crate::service::Service;
use crate::task_cx::Ending;
use crate::time::Time;
use crate::workflow::{Typed, Workflow};
pub use running::RunningWorker;
pub(crate) use runs::Definitions;
use runs::Work;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use task_runner::TaskRunner;
use threads::Threads;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use trunkline_api::core::code::Code;
use trunkline_api::core::ids::{RequestId, RunId};
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::{FromPeer, Op, Registration, TaskAttempt, ToPeer};

/// The longest delay between attempts to connect.
const RECONNECT_MAX: Duration = Duration::from_secs(1);
/// How often a draining worker looks whether its tasks have ended.
const DRAIN_LOOK: Duration = Duration::from_millis(5);

/// A worker: services and workflows, offered to an engine.
///
/// ```no_run
/// # use trunkline::prelude::*;
/// # #[service] trait Greeter { async fn greet(&self, t: &TaskCx, name: String) -> Result<String>; }
/// # struct Polite;
/// # impl Greeter for Polite {
/// #   async fn greet(&self, _: &TaskCx, name: String) -> Result<String> { Ok(format!("Hello, {name}!")) }
/// # }
/// # #[workflow] async fn hello(cx: Cx, name: String) -> Result<String> {
/// #   Ok(cx.service::<GreeterStub>().greet(name).await?) }
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// Worker::builder("http://127.0.0.1:7411")
///     .register(Polite.into_service())
///     .workflow::<hello>()
///     .task_slots(100)
///     .run()
///     .await?;
/// # Ok(()) }
/// ```
#[must_use = "a worker does nothing until `run`"]
pub struct Worker {
    endpoint: Endpoint,
    name: Option<Name>,
    build_id: Option<Name>,
    services: HashMap<Name, Service>,
    definitions: Definitions,
    task_slots: u32,
    turn_slots: u32,
    service_slots: Vec<(Name, u32)>,
    workflow_slots: Vec<(Name, u32)>,
    threads: usize,
    cache_runs: usize,
    cache_bytes: usize,
    strictness: Strictness,
    poll_inline: bool,
    drain_timeout: Duration,
    registered: Arc<Notify>,
    time: Time,
}

impl Worker {
    /// A worker for the engine at `endpoint`: a URL, or an engine in this process.
    pub fn builder(endpoint: impl Into<Endpoint>) -> Self {
        Self {
            endpoint: endpoint.into(),
            name: None,
            build_id: None,
            services: HashMap::new(),
            definitions: Definitions::new(),
            task_slots: 256,
            turn_slots: 1_024,
            service_slots: Vec::new(),
            workflow_slots: Vec::new(),
            threads: 1,
            cache_runs: 10_000,
            cache_bytes: 256 << 20,
            strictness: Strictness::Shape,
            poll_inline: true,
            drain_timeout: Duration::from_secs(30),
            registered: Arc::default(),
            time: Time::default(),
        }
    }

    /// The worker's name, for people.
    pub fn name(mut self, name: impl Into<Name>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Offers a service.
    pub fn register(mut self, service: impl Into<Service>) -> Self {
        let service = service.into();
        self.services.insert(service.name().clone(), service);
        self
    }

    /// Offers a workflow. Several versions of one workflow are several types with the same name.
    pub fn workflow<W: Workflow>(mut self) -> Self {
        let key = (Name::from(W::NAME), W::VERSION);
        self.definitions.insert(key, Arc::new(Typed::<W>::new()));
        self
    }

    /// Tasks that may be here at once: 256 unless said otherwise.
    pub fn task_slots(mut self, slots: u32) -> Self {
        self.task_slots = slots;
        self
    }

    /// Tasks of one service that may be here at once, within [`task_slots`](Self::task_slots): for what must not be done by
    /// many at a time.
    pub fn service_slots(mut self, service: impl Into<Name>, slots: u32) -> Self {
        self.service_slots.push((service.into(), slots));
        self
    }

    /// Turns of one workflow, of all its versions, that may be here at once, within [`turn_slots`](Self::turn_slots).
    pub fn workflow_slots(mut self, workflow: impl Into<Name>, slots: u32) -> Self {
        self.workflow_slots.push((workflow.into(), slots));
        self
    }

    /// Turns that may be here at once: 1,024 unless said otherwise.
    pub fn turn_slots(mut self, slots: u32) -> Self {
        self.turn_slots = slots;
        self
    }

    /// Threads that run workflow code: 1 unless said otherwise. A run stays on its thread.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Runs whose futures are kept between turns: 10,000 unless said otherwise. With 0 every turn replays the run from its
    /// beginning, which is how tests find code that does not replay.
    pub fn cache_runs(mut self, runs: usize) -> Self {
        self.cache_runs = runs;
        self
    }

    /// Bytes that kept futures may take, by estimate: 256 MiB unless said otherwise.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Compares the arguments of commands on replay too, not only their kinds, names and targets.
    pub fn strict(mut self) -> Self {
        self.strictness = Strictness::Arguments;
        self
    }

    /// Whether attempts are polled once where they arrive before they get a tokio task: yes unless said otherwise. Say no
    /// if handlers block or compute for long before their first await.
    pub fn poll_inline(mut self, inline: bool) -> Self {
        self.poll_inline = inline;
        self
    }

    /// How long a stopping worker waits for its tasks: 30 s unless said otherwise.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// The build of the program, such as a commit: shown with the worker, so that people can tell builds apart.
    pub fn build_id(mut self, build_id: impl Into<Name>) -> Self {
        self.build_id = Some(build_id.into());
        self
    }

    /// A worker like this one, for an engine whose time is `time`.
    #[cfg(feature = "testing")]
    pub(crate) fn copy(
        &self,
        endpoint: Endpoint,
        time: &Arc<crate::testing::time::TestTime>,
    ) -> Self {
        Self {
            endpoint,
            name: self.name.clone(),
            service_slots: self.service_slots.clone(),
            workflow_slots: self.workflow_slots.clone(),
            build_id: self.build_id.clone(),
            services: self.services.clone(),
            definitions: self.definitions.clone(),
            registered: Arc::default(),
            time: Time::Test(Arc::clone(time)),
            // Who kills a worker does not want to wait for it.
            drain_timeout: Duration::ZERO,
            ..*self
        }
    }

    /// Notified whenever the worker has registered.
    #[cfg(feature = "testing")]
    pub(crate) fn registered(&self) -> &Arc<Notify> {
        &self.registered
    }

    /// Works in the background. Returns once the engine knows the worker's workflows and services, so that runs can be
    /// started; while no engine answers, it waits.
    ///
    /// # Errors
    /// If the endpoint's settings are not usable.
    pub async fn start(self) -> Result<RunningWorker, ClientError> {
        let registered = Arc::clone(&self.registered);
        let (stop, stopped) = oneshot::channel::<()>();
        let mut ended = tokio::spawn(self.run_until(async move {
            // Sent or dropped: both say stop.
            let _ = stopped.await;
        }));
        tokio::select! {
            () = registered.notified() => Ok(RunningWorker { stop, ended }),
            result = &mut ended => {
                running::ended(result)?;
                Ok(RunningWorker { stop, ended: tokio::spawn(std::future::ready(Ok(()))) })
            }
        }
    }

    /// Works until the process ends; reconnects when the connection breaks.
    ///
    /// A program that was started by `trunkline replay` replays histories here instead, and ends.
    ///
    /// # Errors
    /// If the endpoint's settings are not usable. That a server does not answer is no error: the worker tries again.
    pub async fn run(self) -> Result<(), ClientError> {
        self.run_until(std::future::pending()).await
    }

    /// Works until `stop` is ready; then takes no new work, finishes what it has, and returns.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<(), ClientError> {
        if let Some(job) = Job::of_environment() {
            // `trunkline replay` started this program for its workflows only. What comes after is for a worker that works.
            let code = job.carry_out(&self.definitions, self.strictness, self.build_id.as_ref());
            std::process::exit(code);
        }
        let mut stop = std::pin::pin!(stop);
        let services = Arc::new(self.services.clone());
        let definitions = Arc::new(self.definitions.clone());
        let mut delay = self.endpoint.patience();
        loop {
            let connected = tokio::select! {
                () = &mut stop => return Ok(()),
                connected = self.endpoint.connect() => connected,
            };
            match connected {
                Ok(link) => {
                    let since = Instant::now();
                    let (services, definitions) = (Arc::clone(&services), Arc::clone(&definitions));
                    if self.serve(link, services, definitions, &mut stop).await {
                        return Ok(());
                    }
                    tracing::warn!(endpoint = ?self.endpoint, "the connection is gone; connecting again");
                    if since.elapsed() > RECONNECT_MAX {
                        delay = self.endpoint.patience();
                    }
                }
                Err(rejection) if rejection.code == Code::ConfigInvalid => {
                    return Err(rejection.into());
                }
                Err(rejection) => {
                    tracing::warn!(reason = %rejection.detail, "cannot connect; trying again");
                }
            }
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = tokio::time::sleep(delay) => delay = (delay * 2).min(RECONNECT_MAX),
            }
        }
    }

    /// Works on one link. True if the worker was told to stop, false if the link broke.
    async fn serve(
        &self,
        link: Link,
        services: Arc<HashMap<Name, Service>>,
        definitions: Arc<Definitions>,
        stop: &mut (impl Future<Output = ()> + Unpin),
    ) -> bool {
        let Link {
            outbound,
            mut inbound,
        } = link;
        let threads = Threads::start(
            self.threads,
            &definitions,
            self.strictness,
            (self.cache_runs, self.cache_bytes),
            &self.time,
            &outbound,
        );
        let threads = match threads {
            Ok(threads) => Arc::new(threads),
            Err(error) => {
                tracing::error!(%error, "no thread for workflow code");
                return false;
            }
        };
        // Messages of one link are taken in order: the answer to any request says that the registration was.
        let probe = Op::DescribeRun {
            run: RunId::new("worker", "registered"),
        };
        outbound.send(vec![
            FromPeer::Register(self.registration()),
            FromPeer::Request(RequestId(0), probe),
        ]);
        let tasks = {
            let threads = Arc::clone(&threads);
            // What an attempt keeps must not keep the link open.
            let link = Arc::downgrade(&outbound);
            TaskRunner::new(
                services,
                self.poll_inline,
                self.time.clone(),
                move |done| threads.send_one(Work::Attempt(done)),
                move |said| {
                    if let Some(link) = link.upgrade() {
                        link.send(vec![said]);
                    }
                },
            )
        };
        let mut draining: Option<Instant> = None;
        let stopped = loop {
            if let Some(deadline) = draining
                && (Instant::now() >= deadline || (tasks.in_flight() == 0 && threads.is_idle()))
            {
                break true;
            }
            if threads.is_broken() {
                tracing::error!("a thread of workflow code is gone; beginning anew");
                break draining.is_some();
            }
            tokio::select! {
                batch = inbound.recv() => match batch {
                    Some(batch) => self.take_in(batch, &threads, &tasks),
                    None => break draining.is_some(),
                },
                () = &mut *stop, if draining.is_none() => {
                    outbound.send(vec![FromPeer::Drain]);
                    draining = Some(Instant::now() + self.drain_timeout);
                }
                () = tokio::time::sleep(DRAIN_LOOK), if draining.is_some() => {}
            }
        };
        tasks.abandon_all();
        threads.stop().await;
        if stopped {
            outbound.close().await;
        }
        stopped
    }

    /// Sorts a batch: turns to the threads first, so that they run while the tasks are polled here.
    fn take_in(&self, batch: Vec<ToPeer>, threads: &Threads, tasks: &TaskRunner) {
        let mut work = threads.sorter();
        let mut attempts = Vec::new();
        for message in batch {
            match message {
                ToPeer::Turn(turn) => work.push(Work::Turn(turn)),
                ToPeer::Query(query) => work.push(Work::Query(query)),
                ToPeer::Task(attempt) => attempts.push(*attempt),
                ToPeer::Forget { run } => work.push(Work::Forget(run)),
                ToPeer::AbandonTask {
                    run,
                    command,
                    token,
                } => {
                    // The attempt may be in this very batch.
                    begin(&mut attempts, tasks, &mut work);
                    tasks.abandon(run, command, token);
                }
                ToPeer::CancelTask {
                    run,
                    command,
                    token,
                    grace_ms,
                    timed_out,
                } => {
                    begin(&mut attempts, tasks, &mut work);
                    let ending = if timed_out {
                        Ending::TimedOut
                    } else {
                        Ending::Cancelled
                    };
                    let grace = Duration::from_millis(grace_ms);
                    tasks.cancel((run, command, token), ending, grace);
                }
                ToPeer::Refused { run, rejection } => {
                    tracing::debug!(%run, reason = %rejection.detail, "the engine refused what this worker sent");
                    work.push(Work::Forget(run));
                }
                ToPeer::Reply(..) => self.registered.notify_one(),
            }
        }
        if !attempts.is_empty() {
            work.flush();
            begin(&mut attempts, tasks, &mut work);
        }
        work.flush();
    }

    fn registration(&self) -> Registration {
        let mut workflows: Vec<(Name, u32)> = self.definitions.keys().cloned().collect();
        workflows.sort_unstable();
        let mut services: Vec<Name> = self.services.keys().cloned().collect();
        services.sort_unstable();
        Registration {
            name: self.name.clone(),
            workflows,
            services,
            turn_slots: self.turn_slots,
            task_slots: self.task_slots,
            service_slots: some(&self.service_slots),
            workflow_slots: some(&self.workflow_slots),
        }
    }
}

/// Begins what has arrived so far.
fn begin(attempts: &mut Vec<TaskAttempt>, tasks: &TaskRunner, work: &mut threads::Sorter<'_>) {
    attempts
        .drain(..)
        .filter_map(|attempt| tasks.begin(attempt))
        .for_each(|done| work.push(Work::Attempt(done)));
}

fn some(slots: &[(Name, u32)]) -> Option<Vec<(Name, u32)>> {
    (!slots.is_empty()).then(|| slots.to_vec())
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("endpoint", &self.endpoint)
            .field("services", &self.services.len())
            .field("workflows", &self.definitions.len())
            .finish_non_exhaustive()
    }
}

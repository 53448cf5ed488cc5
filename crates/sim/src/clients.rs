//! What clients asked, what they were told, and whether it is so.
//!
//! Each request has a beginning and, if it is answered, an end, both counted in one order. What a client was told is a
//! *fact*: it holds after every crash from then on. A request whose answer was lost happened once or not at all.

use crate::model::{Checked, Model, broken};
use std::collections::{BTreeMap, BTreeSet};
use trunkline_core::egress::{Destination, JobState, Taken};
use trunkline_core::entry::{Entry, Notification, Outcome};
use trunkline_core::ids::{JobId, Nonce, PeerId, RequestId, RunId, ShardId, TaskId};
use trunkline_core::payload::Name;
use trunkline_core::peer::{
    BulkState, CallMethod, EgressOp, JobsOp, Op, Rejection, Reply, WhichJobs,
};
use trunkline_core::run::RunStatus;
use trunkline_core::time::Timestamp;

mod refusals;

use refusals::check_refusal;

/// All requests, and what followed from them.
#[derive(Debug, Default)]
pub struct Clients {
    /// Requests that were not answered yet.
    open: BTreeMap<(PeerId, RequestId), Request>,
    answered: BTreeSet<(PeerId, RequestId)>,
    next: u64,
    /// Counts beginnings and ends.
    moment: u64,
    facts: Vec<Fact>,
    /// How calls of methods have returned.
    returns: BTreeMap<(RunId, Nonce), Outcome>,
    /// When each signal was sent for the first time, and when its sender was told that it is there.
    signals: BTreeMap<(RunId, u128), (u64, Option<u64>)>,
    /// Requests answered, and refused.
    pub counts: (u64, u64),
}

/// A request under way.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which client asked.
    pub client: u8,
    /// Which shard it asked.
    pub shard: ShardId,
    /// What for.
    pub op: Op,
    /// True if this is a repeat, because nobody knows what became of the first.
    pub again: bool,
}

/// What a client was told, and must stay so.
#[derive(Clone, Debug)]
enum Fact {
    /// The run is there; it was started with this.
    Started(RunId, Vec<u8>),
    /// The signal is in the run's history.
    Signalled(RunId, u128),
    /// The run is asked to cancel, or over.
    Cancelling(RunId),
    /// The run is over, in this way.
    Ended(RunId, RunStatus, Outcome),
    /// The call with this nonce stands there in the run's history.
    Called(RunId, u32, Nonce),
    /// The task has this result, or will have it.
    Answered(TaskId, Outcome),
    /// The job is there.
    Shipped(JobId),
    /// The job is cancelled.
    Dropped(JobId),
    /// The job does not wait for others, if it waits at all.
    Released(JobId),
    /// The other job has taken the place of the dead letter.
    Corrected(JobId, JobId),
}

impl Clients {
    /// A client asks; returns the number of the request.
    pub fn ask(&mut self, peer: PeerId, request: Request) -> RequestId {
        self.next += 1;
        self.moment += 1;
        let id = RequestId(self.next);
        if let Op::Signal { run, nonce, .. } = &request.op {
            let key = (run.clone(), nonce.0);
            self.signals.entry(key).or_insert((self.moment, None));
        }
        self.open.insert((peer, id), request);
        id
    }

    /// An answer has come.
    ///
    /// # Errors
    /// If nobody has asked, or it was answered before, or the answer is of another kind.
    pub fn told(
        &mut self,
        peer: PeerId,
        id: RequestId,
        answer: &Result<Reply, Rejection>,
        model: &mut Model,
    ) -> Checked {
        self.moment += 1;
        let Some(request) = self.open.remove(&(peer, id)) else {
            let detail = format!("{peer:?} {id:?} gets {answer:?}");
            let twice = self.answered.contains(&(peer, id));
            // A client that is gone may still be spoken to.
            return if twice {
                broken("API-ONCE", detail)
            } else {
                Ok(())
            };
        };
        self.answered.insert((peer, id));
        let reply = match answer {
            Ok(reply) => {
                self.counts.0 += 1;
                reply
            }
            Err(rejection) => {
                self.counts.1 += 1;
                model.marks.set("a request was refused");
                return check_refusal(&request.op, rejection);
            }
        };
        model
            .marks
            .set_if(request.again, "a repeated request got an answer");
        self.learn(&request.op, reply, model)
    }

    fn learn(&mut self, op: &Op, reply: &Reply, model: &mut Model) -> Checked {
        match (op, reply) {
            (Op::Start(start), Reply::Started { created, .. }) => {
                if *created {
                    let fact = Fact::Started(start.run.clone(), start.input.to_vec());
                    self.facts.push(fact);
                }
            }
            (Op::Start(_) | Op::AwaitOutcome { .. }, Reply::Outcome { status, outcome }) => {
                let run = match op {
                    Op::Start(start) => &start.run,
                    Op::AwaitOutcome { run } => run,
                    _ => return Ok(()),
                };
                let fact = Fact::Ended(run.clone(), *status, outcome.clone());
                self.facts.push(fact);
            }
            (Op::Signal { run, nonce, .. }, Reply::Done) => {
                let key = (run.clone(), nonce.0);
                if let Some((_, told)) = self.signals.get_mut(&key) {
                    model
                        .marks
                        .set_if(told.is_some(), "a repeated signal was dropped");
                    told.get_or_insert(self.moment);
                }
                self.facts.push(Fact::Signalled(run.clone(), nonce.0));
            }
            (Op::Cancel { run, .. }, Reply::Done) => {
                self.facts.push(Fact::Cancelling(run.clone()));
            }
            (
                Op::CreateJobs { jobs },
                Reply::Jobs {
                    accepted,
                    known,
                    others,
                },
            ) => {
                let refused = |place: usize| {
                    others.iter().flatten().any(|(at, taken)| {
                        *at as usize == place && matches!(taken, Taken::Refused(_))
                    })
                };
                let shipped = jobs
                    .iter()
                    .enumerate()
                    .filter(|(place, _)| !refused(*place))
                    .map(|(_, (id, _))| Fact::Shipped(*id));
                let before = self.facts.len();
                self.facts.extend(shipped);
                if self.facts.len() - before != (*accepted + *known) as usize {
                    return broken("API-KIND", format!("{op:?} gets {reply:?}"));
                }
            }
            (Op::CancelJob { job, .. }, Reply::Done) => {
                self.facts.push(Fact::Dropped(*job));
            }
            (Op::Jobs(JobsOp::Correct { job, id, .. }), Reply::Done) => {
                self.facts.push(Fact::Corrected(*job, *id));
            }
            (
                Op::Egress(EgressOp::ReleaseJobs {
                    which: WhichJobs::Job(job),
                    ..
                }),
                Reply::Done,
            ) => {
                self.facts.push(Fact::Released(*job));
            }
            (Op::Egress(EgressOp::ReleaseJobs { .. }), Reply::Counted { .. })
            | (Op::Jobs(JobsOp::Enable { .. }), Reply::Done | Reply::Bulk(_)) => {}
            (Op::ListDestinations, Reply::Destinations(all)) => {
                let rate = |reason: &Name| reason.contains("rate limit");
                let held = all
                    .iter()
                    .any(|one| one.blocked_on.as_ref().is_some_and(rate));
                model.marks.set_if(held, "a rate held a job back");
            }
            (Op::ReadEvents(request), Reply::Events { events, next }) => {
                let marks = &mut model.marks;
                marks.set_if(
                    request.limit as usize == events.len(),
                    "a page of events was full",
                );
                return model.listener.hear(request, events, next);
            }
            (Op::DescribeRun { run }, Reply::Run(found)) if found.id == *run => {}
            (Op::Query(query), Reply::Answer(answer)) => {
                return model.check_answer(&query.run, answer);
            }
            (Op::CompleteTask { task, outcome, .. }, Reply::Done) => {
                model.marks.set("a task was answered from outside");
                self.facts.push(Fact::Answered(*task, outcome.clone()));
            }
            (Op::HeartbeatTask { .. }, Reply::TaskAlive { .. })
            | (Op::CompleteTimers { .. }, Reply::TimersCompleted { .. })
            | (Op::PutSchedule { .. }, Reply::SchedulePut { .. })
            | (Op::TriggerSchedule { .. }, Reply::Fired { .. })
            | (
                Op::CancelTask { .. }
                | Op::PauseSchedule { .. }
                | Op::DeleteSchedule { .. }
                | Op::BackfillSchedule { .. },
                Reply::Done,
            ) => {}
            (Op::CallMethod(call), Reply::MethodCalled { call: place, .. }) => {
                let fact = Fact::Called(call.run.clone(), *place, call.nonce);
                self.facts.push(fact);
            }
            (
                Op::CallMethod(call),
                Reply::MethodEnded {
                    call: place,
                    outcome,
                },
            ) => {
                let fact = Fact::Called(call.run.clone(), *place, call.nonce);
                self.facts.push(fact);
                return self.returned(call, outcome, model);
            }
            (Op::BulkStart { bulk, .. }, Reply::Bulk(status)) if bulk.id == status.id => {}
            (Op::BulkCancel { id }, Reply::Bulk(status)) if *id == status.id => {
                if status.state == BulkState::Running {
                    return broken("BULK-STATE", format!("{id} goes on though it was stopped"));
                }
            }
            (
                Op::Terminate { .. }
                | Op::Pause { .. }
                | Op::Resume { .. }
                | Op::RetryRun { .. }
                | Op::Purge { .. }
                | Op::PutDestination { .. }
                | Op::Egress(_)
                | Op::ReplayJob { .. },
                Reply::Done,
            )
            | (Op::StartForked { .. }, Reply::Started { .. })
            | (Op::History { .. }, Reply::History { .. })
            | (Op::Property { .. }, Reply::Property(_))
            | (Op::Waits { .. }, Reply::Waits(_))
            | (Op::Relatives { .. }, Reply::Relatives { .. })
            | (Op::ListRuns(_), Reply::Runs { .. })
            | (Op::Counters, Reply::Counters(_)) => {}
            _ => return broken("API-KIND", format!("{op:?} gets {reply:?}")),
        }
        Ok(())
    }

    /// A call was answered: a repeat of it is answered the same.
    fn returned(&mut self, call: &CallMethod, outcome: &Outcome, model: &mut Model) -> Checked {
        let known = self
            .returns
            .entry((call.run.clone(), call.nonce))
            .or_insert_with(|| outcome.clone());
        let may_differ =
            model.was_forgotten(call.run.key()) || model.book.may_be_retried(&call.run);
        if *known == *outcome || may_differ {
            return Ok(());
        }
        let detail = format!("{call:?} has returned {known:?}, and now {outcome:?}");
        broken("METHOD-ANSWER", detail)
    }

    /// The process has died: nobody learns what became of the requests under way.
    pub fn lost(&mut self) -> Vec<Request> {
        self.answered.clear();
        std::mem::take(&mut self.open).into_values().collect()
    }

    /// A client is gone: what it has asked for it will not hear.
    pub fn gone(&mut self, peer: PeerId) {
        self.open.retain(|(asker, _), _| *asker != peer);
    }

    /// Requests without an answer.
    #[must_use]
    pub fn unanswered(&self) -> Vec<&Request> {
        self.open.values().collect()
    }

    /// Everything that clients were told is so, in the newest rows; runs and jobs whose time was over are forgotten.
    ///
    /// # Errors
    /// The first fact that does not hold.
    pub fn check(&mut self, model: &Model, retention_ms: u64, now: Timestamp) -> Checked {
        let runs: BTreeMap<_, _> = model
            .runs()
            .into_iter()
            .map(|(_, run)| (run.id.clone(), run))
            .collect();
        let jobs: BTreeMap<_, _> = model.jobs().into_iter().map(|job| (job.id, job)).collect();
        let mut histories: BTreeMap<RunId, Vec<Entry>> = BTreeMap::new();
        // Within retention every job must be there; beyond it, it may be gone, and its id used again.
        let jobs_go = retention_ms < 3_600_000;
        let mut first = None;
        self.facts.retain(|fact| {
            let retried = |id: &RunId| model.book.may_be_retried(id);
            let forgetful = match fact {
                Fact::Ended(id, RunStatus::Failed, _) | Fact::Called(id, ..) => {
                    model.was_forgotten(id.key()) || retried(id)
                }
                Fact::Started(id, _)
                | Fact::Signalled(id, _)
                | Fact::Cancelling(id)
                | Fact::Ended(id, ..) => model.was_forgotten(id.key()),
                Fact::Answered(task, _) => {
                    model.was_forgotten(task.run)
                        || model.run(task.run).is_some_and(|run| retried(&run.id))
                }
                Fact::Shipped(_)
                | Fact::Dropped(_)
                | Fact::Released(_)
                | Fact::Corrected(..) => jobs_go,
            };
            let holds = match fact {
                Fact::Started(id, input) => runs.get(id).map(|run| {
                    if run.generation.is_some() {
                        return true;
                    }
                    let entries = histories.entry(id.clone()).or_insert_with(|| model.history(run.id.key()));
                    matches!(entries.first(), Some(Entry::Notification(_, Notification::Started { input: found, .. })) if found[..] == input[..])
                }),
                Fact::Signalled(id, nonce) => runs.get(id).map(|run| {
                    let mut generation = run.generation.iter();
                    if generation.any(|it| it.nonces.iter().any(|known| known.0 == *nonce)) {
                        return true;
                    }
                    let entries = histories.entry(id.clone()).or_insert_with(|| model.history(run.id.key()));
                    entries.iter().any(|entry| matches!(entry, Entry::Notification(_, Notification::Signal { nonce: found, .. }) if found.0 == *nonce))
                }),
                Fact::Cancelling(id) => runs.get(id).map(|run| run.cancelling || run.status.is_final()),
                Fact::Ended(id, status, outcome) => runs
                    .get(id)
                    .map(|run| run.status == *status && run.outcome.as_ref() == Some(outcome)),
                Fact::Called(id, call, nonce) => runs.get(id).map(|run| {
                    run.generation.is_some() || model.call_at(id, *call) == Some(*nonce)
                }),
                Fact::Answered(task, answer) => model.took(*task, answer),
                Fact::Shipped(id) => jobs.get(id).map(|_| true),
                Fact::Released(id) => jobs
                    .get(id)
                    .map(|job| job.released == Some(true) || !job.state.is_waiting()),
                Fact::Corrected(id, by) => jobs
                    .get(id)
                    .map(|job| job.superseded_by == Some(*by) && jobs.contains_key(by)),
                Fact::Dropped(id) => jobs.get(id).map(|job| job.state == JobState::Cancelled),
            };
            match holds {
                Some(true) => true,
                _ if forgetful => false,
                _ => {
                    first.get_or_insert_with(|| format!("at {now:?}: {fact:?}"));
                    true
                }
            }
        });
        match first {
            Some(detail) => broken("ACK-SURVIVES", detail),
            None => self.check_order(model, &runs),
        }
    }

    /// A signal that was there before another one was sent stands before it.
    fn check_order(
        &self,
        model: &Model,
        runs: &BTreeMap<RunId, trunkline_core::run::Run>,
    ) -> Checked {
        // A signal is known by its run's name: after that was forgotten, it may be sent to another.
        for id in runs.keys().filter(|id| !model.was_forgotten(id.key())) {
            let mut earliest_end = u64::MAX;
            for entry in model.history(id.key()).iter().rev() {
                let Entry::Notification(_, Notification::Signal { nonce, .. }) = entry else {
                    continue;
                };
                let Some((began, told)) = self.signals.get(&(id.clone(), nonce.0)) else {
                    continue;
                };
                if earliest_end < *began {
                    return broken(
                        "SIGNAL-ORDER",
                        format!("{id}: {nonce} stands before one that was there when it was sent"),
                    );
                }
                earliest_end = earliest_end.min(told.unwrap_or(u64::MAX));
            }
        }
        Ok(())
    }
}

/// The destination that a step configures.
#[must_use]
pub fn destination(
    name: &str,
    rate: u8,
    burst: u8,
    concurrency: u8,
    attempts: u8,
    skip: bool,
) -> Destination {
    use trunkline_core::egress::{Breaker, Coalesce, HeadOfLine, Rate};
    let mut destination = Destination {
        name: Name::from(name),
        url: Name::from(format!("http://127.0.0.1:9/{name}")),
        rate: (rate > 0).then(|| Rate {
            per_second: u32::from(rate),
            burst: u32::from(burst),
        }),
        concurrency: u32::from(concurrency),
        timeout_ms: 1_000,
        ..Destination::default()
    };
    destination.breaker = Some(Breaker {
        window_ms: 5_000,
        failed_percent: 60,
        calls_min: 4,
        open_ms: 800,
        trips_max: 0,
    });
    destination.coalesce = concurrency
        .is_multiple_of(2)
        .then_some(Coalesce { within_ms: 2_000 });
    destination.retry.initial_ms = 100;
    destination.retry.max_ms = 3_000;
    destination.retry.attempts = u32::from(attempts);
    if skip {
        destination.head_of_line = HeadOfLine::Skip;
    }
    destination
}

//! What clients and operators ask: from a step of the plan to a request of a shard.

use super::World;
use super::steering::destination_name;
use crate::clients::destination;
use crate::dice::mix;
use crate::model::Book;
use crate::model::limiters::{limit, market};
use crate::plan::{CLIENTS, Step};
use crate::program::{WORKFLOWS, input};
use trunkline_core::egress::JobState;
use trunkline_core::entry::Outcome;
use trunkline_core::ids::{JobId, Nonce, RunId, ShardId, destination_shard, schedule_shard};
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{EgressOp, JobsOp, OnConflict, Op, RunFilter, Start};
use trunkline_core::run::Run;

/// The id of a run.
pub(super) fn run_id(run: u8) -> RunId {
    RunId::new(WORKFLOWS[usize::from(run % 2)], run.to_string())
}

impl World {
    /// A run in the middle of a method, if there is one: it is the more interesting one to end. For some numbers there is none.
    fn in_a_method(&self, number: u8) -> Option<RunId> {
        let runs = self.model.runs();
        let busy = |run: &Run| !run.status.is_final() && !run.open_methods.is_empty();
        let mut busy = runs.into_iter().filter(|(_, run)| busy(run));
        (!number.is_multiple_of(3)).then(|| busy.next().map(|(_, run)| run.id))?
    }

    pub(super) fn ask_step(&mut self, step: Step) {
        let client =
            (mix(&[self.setup.seed, self.event_count, self.inputs]) % u64::from(CLIENTS)) as u8;
        let reason = Name::from("why not");
        if self.operate(client, step)
            || self.talk(client, step)
            || self.plan_ahead(client, step)
            || self.interfere(client, step)
            || self.steer(client, step)
        {
            return;
        }
        if let Some(op) = self.shipment(step) {
            return self.ask(client, op, false);
        }
        let op = match step {
            Step::Start {
                run,
                program,
                nonce,
                attach,
                wait,
            } => Op::Start(Start {
                run: run_id(run),
                version: Some(1),
                input: input(u64::from(program)),
                tags: vec![
                    Name::from(format!("group:{}", run % 3)),
                    Name::from(format!("of:{run}")),
                ],
                nonce: Nonce(u128::from(nonce)),
                on_conflict: if attach {
                    OnConflict::Attach
                } else {
                    OnConflict::Reject
                },
                wait,
                timeout_ms: None,
                start_at: None,
            }),
            Step::Signal { run, nonce } => signal(run_id(run), nonce),
            Step::Cancel { run } => Op::Cancel {
                run: run_id(run),
                reason,
            },
            Step::Terminate { run } => Op::Terminate {
                run: self.in_a_method(run).unwrap_or_else(|| run_id(run)),
                reason,
            },
            Step::Pause { run } => Op::Pause { run: run_id(run) },
            Step::Resume { run } => Op::Resume { run: run_id(run) },
            Step::Await { run } => Op::AwaitOutcome { run: run_id(run) },
            Step::Look { run, what } => {
                let run = run_id(run);
                match what % 4 {
                    0 => Op::DescribeRun { run },
                    1 => Op::History { run, from: 0 },
                    2 => Op::Property {
                        run,
                        name: Name::from("mark"),
                    },
                    _ => Op::Waits { run },
                }
            }
            Step::List { shard } => return self.list(client, shard),
            Step::Follow { shard } => {
                let shard = ShardId(u16::from(shard) % self.setup.shards);
                Op::ReadEvents(self.model.listener.request(shard))
            }
            Step::Limit => Op::Egress(EgressOp::PutLimiter { limiter: market() }),
            Step::Put {
                destination: place,
                rate,
                burst,
                concurrency,
                attempts,
                skip,
                paused,
            } => {
                let name = destination_name(place);
                let mut destination = destination(name, rate, burst, concurrency, attempts, skip);
                destination.paused = paused;
                if self.model.has_market() {
                    limit(&mut destination, burst.wrapping_add(attempts));
                }
                Op::PutDestination {
                    destination: Box::new(destination),
                }
            }
            Step::Replay { place } => {
                let Some((destination, job)) = self.job_at(place, |state| state == JobState::Dead)
                else {
                    return;
                };
                Op::ReplayJob { destination, job }
            }
            Step::Drop { place } => {
                let open = |state: JobState| state == JobState::Dead || state.is_waiting();
                let Some((destination, job)) = self.job_at(place, open) else {
                    return;
                };
                Op::CancelJob { destination, job }
            }
            _ => return,
        };
        self.ask(client, op, false);
    }

    fn list(&mut self, client: u8, shard: u8) {
        let Some(process) = &mut self.process else {
            return;
        };
        let shard = ShardId(u16::from(shard) % self.setup.shards);
        let peer = *self
            .clients_at
            .entry(client)
            .or_insert_with(|| process.connect());
        let all = Op::ListRuns(Box::new(RunFilter {
            limit: 100,
            ..RunFilter::default()
        }));
        for op in [all, Op::ListDestinations, Op::Counters] {
            let request = crate::clients::Request {
                client,
                shard,
                op: op.clone(),
                again: false,
            };
            let request = self.clients.ask(peer, request);
            let input = trunkline_core::input::Input::Request { peer, request, op };
            process.submit(shard, input);
        }
    }

    /// The job with this place among those in such a state.
    pub(super) fn job_at(
        &self,
        place: u8,
        state: impl Fn(JobState) -> bool,
    ) -> Option<(Name, JobId)> {
        let jobs = self.model.jobs();
        let fitting: Vec<_> = jobs.iter().filter(|job| state(job.state)).collect();
        let job = fitting.get(usize::from(place) % fitting.len().max(1))?;
        Some((job.new.destination.clone(), job.id))
    }
}

/// The signal with this nonce.
pub(super) fn signal(run: RunId, nonce: u16) -> Op {
    Op::Signal {
        run,
        channel: Name::from("news"),
        payload: Payload::from(nonce.to_string().into_bytes()),
        nonce: Nonce(u128::from(nonce)),
    }
}

/// Writes down what is said to the engine.
pub(super) fn write_down(op: &Op, book: &mut Book) {
    match op {
        Op::Start(start) => {
            let inputs = book.starts.entry(start.run.clone()).or_default();
            inputs.insert(start.input.to_vec());
        }
        Op::Signal {
            run,
            payload,
            nonce,
            ..
        } => {
            book.signalled(run, nonce.0, payload);
        }
        Op::Terminate { run, .. } => {
            book.terminated.insert(run.clone());
        }
        Op::RetryRun { run, at } => {
            book.retries.entry(run.clone()).or_default().insert(*at);
        }
        Op::CompleteTask {
            task,
            outcome: Outcome::Completed(result),
            ..
        } => {
            let text = std::str::from_utf8(result).ok();
            let number: Option<u64> = text.and_then(|text| text.parse().ok());
            let known = book.results.entry((task.run, task.command)).or_default();
            known.extend(number);
        }
        Op::CallMethod(call) => {
            book.calls.insert((call.nonce.0, call.method.clone()));
        }
        Op::CompleteTimers { run, .. } => {
            book.hurried.insert(run.clone());
        }
        Op::Purge { run } => {
            book.purges.insert(run.clone());
        }
        Op::BulkStart { bulk, .. } => {
            let known = book.bulks.entry(bulk.id.clone()).or_default();
            if !known.contains(bulk) {
                known.push(*bulk.clone());
            }
        }
        Op::StartForked {
            start,
            source,
            at,
            chunks,
        } => book.forked(&start.run, source, *at, chunks),
        _ => {}
    }
}

/// The shard that a request is for.
pub(super) fn shard_of(op: &Op, shards: u16) -> Option<ShardId> {
    let of_run = |run: &RunId| Some(run.key().shard(shards));
    let of_destination = |name: &Name| Some(destination_shard(name, shards));
    match op {
        Op::Start(start) => of_run(&start.run),
        Op::Signal { run, .. }
        | Op::AwaitOutcome { run }
        | Op::DescribeRun { run }
        | Op::History { run, .. }
        | Op::Property { run, .. }
        | Op::Cancel { run, .. }
        | Op::Terminate { run, .. }
        | Op::Pause { run }
        | Op::Resume { run }
        | Op::Relatives { run }
        | Op::CompleteTimers { run, .. }
        | Op::RetryRun { run, .. }
        | Op::Purge { run }
        | Op::Waits { run } => of_run(run),
        Op::StartForked { start, .. } => of_run(&start.run),
        Op::CallMethod(call) => of_run(&call.run),
        Op::Query(query) => of_run(&query.run),
        Op::ReadEvents(request) => request.shard,
        Op::CompleteTask { task, .. }
        | Op::CancelTask { task }
        | Op::HeartbeatTask { task, .. } => Some(task.run.shard(shards)),
        Op::PutSchedule { schedule, .. } => Some(schedule_shard(&schedule.name, shards)),
        Op::PauseSchedule { name, .. }
        | Op::DeleteSchedule { name }
        | Op::TriggerSchedule { name, .. }
        | Op::BackfillSchedule { name, .. } => Some(schedule_shard(name, shards)),
        Op::PutDestination { destination } => of_destination(&destination.name),
        Op::Egress(
            EgressOp::ReleaseLane { destination, .. }
            | EgressOp::ReleaseJobs { destination, .. }
            | EgressOp::SetBreaker { destination, .. },
        )
        | Op::Jobs(JobsOp::Enable { destination, .. } | JobsOp::Correct { destination, .. }) => {
            of_destination(destination)
        }
        Op::Egress(_) => Some(ShardId(0)),
        Op::CreateJobs { jobs } => of_destination(&jobs.first()?.1.destination),
        Op::ReplayJob { destination, .. } | Op::CancelJob { destination, .. } => {
            of_destination(destination)
        }
        _ => None,
    }
}

//! What operators decide about egress: destinations in trouble, lanes that stand still, jobs that wait, many jobs at once,
//! connectors, and dead letters that are corrected.

use super::World;
use crate::clients::destination;
use crate::model::limiters::limit;
use crate::plan::Step;
use crate::program::{DESTINATIONS, LANES};
use trunkline_core::egress::{Breaker, Coalesce, Connector, HeadOfLine, JobState};
use trunkline_core::ids::JobId;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{
    Backlog, Bulk, EgressOp, JobAction, JobFilter, JobWork, JobsOp, Op, WhichJobs, Work,
};

/// What the bodies of a call have together at most: as many bytes as a few of them have.
const BODY_BYTES_MAX: u64 = 10;

/// The destination with this number.
pub(super) fn destination_name(number: u8) -> &'static str {
    DESTINATIONS[usize::from(number) % DESTINATIONS.len()]
}

impl World {
    /// Asks for what an operator of egress wants; false if that is not what the step is about.
    pub(super) fn steer(&mut self, client: u8, step: Step) -> bool {
        let op = match step {
            Step::Guard { .. } => Some(guard(step)),
            Step::Connect { .. } => Some(self.connect(step)),
            Step::Correct { place, key } => self.correction(place, key),
            Step::ReleaseLane { place, give_up } => {
                let parked = self.model.parked_lanes();
                let lane = parked.get(usize::from(place) % parked.len().max(1));
                lane.map(|(destination, lane)| {
                    Op::Egress(EgressOp::ReleaseLane {
                        destination: destination.clone(),
                        lane: lane.clone(),
                        give_up,
                    })
                })
            }
            Step::Breaker {
                destination, open, ..
            } => Some(set_breaker(Name::from(destination_name(destination)), open)),
            Step::Enable {
                destination,
                backlog,
                number,
            } => Some(Op::Jobs(JobsOp::Enable {
                destination: Name::from(destination_name(destination)),
                backlog: match backlog {
                    0 => Backlog::Drop,
                    1 => Backlog::Replay,
                    _ => Backlog::Resume,
                },
                bulk: Name::from(format!("enable-{number}")),
            })),
            Step::ReleaseJob { place } => {
                let waiting = self.model.belted_jobs();
                let job = waiting.get(usize::from(place) % waiting.len().max(1));
                job.map(|job| release(&job.new.destination, WhichJobs::Job(job.id)))
            }
            Step::ReleaseBatch { destination, batch } => {
                let destination = Name::from(destination_name(destination));
                let batch = Name::from(format!("batch-{batch}"));
                Some(release(&destination, WhichJobs::Batch(batch)))
            }
            Step::BulkJobs {
                id,
                action,
                which,
                rate,
            } => {
                self.begin_bulk(client, &bulk_of_jobs(id, action, which, rate));
                None
            }
            Step::StopBulkJobs { id } => {
                self.stop_bulk(client, &Name::from(format!("jobs-{id}")));
                None
            }
            _ => return false,
        };
        if let Some(op) = op {
            self.ask(client, op, false);
        }
        true
    }

    /// Makes a destination a connector.
    fn connect(&self, step: Step) -> Op {
        let Step::Connect {
            destination: place,
            batch,
            attempts,
            concurrency,
            rate,
            coalesce,
        } = step
        else {
            unreachable!("the caller has looked");
        };
        let name = destination_name(place);
        let mut destination = destination(name, rate, 2, concurrency, attempts, false);
        destination.coalesce = coalesce.then_some(Coalesce { within_ms: 5_000 });
        destination.connector = Some(Connector {
            batch_max: u32::from(batch),
            settings: Payload::null(),
            body_bytes_max: BODY_BYTES_MAX,
        });
        if self.model.has_market() {
            limit(&mut destination, batch.wrapping_add(attempts));
        }
        Op::PutDestination {
            destination: Box::new(destination),
        }
    }

    /// A job with another body, for the dead letter with this place among those there are.
    fn correction(&self, place: u8, key: u16) -> Option<Op> {
        let (destination, job) = self.job_at(place, |state| state == JobState::Dead)?;
        Some(Op::Jobs(JobsOp::Correct {
            id: JobId::of_key(&destination, &format!("corrected-{key}")),
            body: Payload::from(key.to_string().into_bytes()),
            destination,
            job,
        }))
    }

    /// Operators let go what stands still: destinations that are paused, breakers that they opened, lanes behind a job that
    /// failed for good, and jobs that wait for what has failed, or for what waits for them.
    pub(super) fn let_go(&mut self, round: u16) {
        for row in self.model.destinations() {
            let destination = row.destination.name.clone();
            if row.destination.paused {
                let enable = JobsOp::Enable {
                    destination: destination.clone(),
                    backlog: Backlog::Resume,
                    bulk: Name::from(""),
                };
                self.ask(0, Op::Jobs(enable), false);
            }
            if row
                .tripped
                .is_some_and(|tripped| tripped.until.0 == u64::MAX)
            {
                self.ask(0, set_breaker(destination, false), false);
            }
        }
        for (destination, lane) in self.model.parked_lanes() {
            let release = EgressOp::ReleaseLane {
                destination,
                lane,
                give_up: round % 2 == 1,
            };
            self.ask(0, Op::Egress(release), false);
        }
        for job in self.model.stuck_jobs() {
            let op = release(&job.new.destination, WhichJobs::Job(job.id));
            self.ask(0, op, false);
        }
    }
}

fn release(destination: &Name, which: WhichJobs) -> Op {
    Op::Egress(EgressOp::ReleaseJobs {
        destination: destination.clone(),
        which,
    })
}

fn set_breaker(destination: Name, open: bool) -> Op {
    Op::Egress(EgressOp::SetBreaker { destination, open })
}

fn guard(step: Step) -> Op {
    let Step::Guard {
        destination: place,
        attempts,
        concurrency,
        head,
        breaker,
        trips,
        coalesce,
    } = step
    else {
        unreachable!("the caller has looked");
    };
    let name = destination_name(place);
    let mut destination = destination(name, 0, 1, concurrency, attempts, head == 1);
    if head == 2 {
        destination.head_of_line = HeadOfLine::Park;
    }
    destination.breaker = (breaker > 0).then(|| Breaker {
        window_ms: 10_000,
        failed_percent: 50,
        calls_min: u32::from(breaker),
        open_ms: 1_200,
        trips_max: u32::from(trips),
    });
    destination.coalesce = coalesce.then_some(Coalesce { within_ms: 5_000 });
    Op::PutDestination {
        destination: Box::new(destination),
    }
}

/// The bulk operation on jobs with these numbers.
fn bulk_of_jobs(id: u8, action: u8, which: u8, rate: u8) -> Bulk {
    let mut filter = JobFilter::default();
    match which {
        0 => {}
        1 => filter.destination = Some(Name::from(destination_name(id))),
        2 => filter.lane = Some(Name::from(LANES[usize::from(id) % LANES.len()])),
        3 => filter.object_id = Some(Name::from(format!("o-{}", id % 4))),
        4 => filter.state = Some(JobState::Dead),
        5 => filter.batch = Some(Name::from(format!("batch-{}", id % 2))),
        6 => filter.action = Some(Name::from("update")),
        _ => {
            filter.destination = Some(Name::from(destination_name(id)));
            filter.state = Some(JobState::Pending);
        }
    }
    let action = match action {
        0 | 1 => JobAction::Cancel,
        _ => JobAction::Replay,
    };
    Bulk {
        id: Name::from(format!("jobs-{id}")),
        work: Work::Jobs(JobWork {
            filter,
            action,
            enables: false,
        }),
        per_second: (rate > 0).then(|| u32::from(rate)),
    }
}

//! Random walks of egress: clients, a destination, operators and the clock do as they like, with crashes, and every job comes to its
//! end in the order of its lane.

use super::egress::{put, shop, status};
use super::world::*;
use crate::effect::Effect;
use crate::egress::{Breaker, Coalesce, Destination, HeadOfLine, Job, JobState, NewJob, ObjectRef};
use crate::ids::JobId;
use crate::payload::Name;
use crate::peer::{
    Backlog, Bulk, BulkState, EgressOp, JobAction, JobFilter, JobWork, JobsOp, Op, Reply,
    WhichJobs, Work,
};
use crate::policy::scramble;
use alloc::boxed::Box;
use std::collections::BTreeMap;
use std::format;
use std::vec;
use std::vec::Vec;

const LANES: [&str; 3] = ["a", "b", "c"];
const STEPS: u64 = 200;

struct Walk {
    world: World,
    state: u64,
    settings: Destination,
    /// Deliveries under way.
    sent: Vec<Effect>,
    jobs: u128,
    bulks: u64,
    /// True if jobs have an end. One that was under way in a crash may be over when the shard is opened.
    expires: bool,
    /// The body that each identity stands for.
    bodies: BTreeMap<JobId, Vec<u8>>,
    /// Per lane the highest number that left for the first time.
    newest: BTreeMap<Name, u64>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut walk = Self {
            world: World::new(),
            state: scramble(seed + 1),
            settings: shop(),
            sent: Vec::new(),
            jobs: 0,
            bulks: 0,
            expires: seed % 2 == 1,
            bodies: BTreeMap::new(),
            newest: BTreeMap::new(),
        };
        walk.settings.head_of_line =
            [HeadOfLine::Block, HeadOfLine::Skip, HeadOfLine::Park][walk.below(3) as usize];
        walk.settings.breaker = (walk.below(2) == 0).then(|| Breaker {
            calls_min: 3,
            open_ms: 300,
            trips_max: 2,
            ..Breaker::default()
        });
        walk.settings.coalesce = (walk.below(2) == 0).then(Coalesce::default);
        let settings = walk.settings.clone();
        put(&mut walk.world, settings);
        walk
    }

    fn below(&mut self, end: u64) -> u64 {
        self.state = scramble(self.state);
        self.state % end
    }

    fn some(&mut self) -> JobId {
        JobId(u128::from(self.below(self.jobs.max(1) as u64)) + 1)
    }

    fn ask(&mut self, op: Op) -> Option<Reply> {
        self.world.ask(op).expect("every request is answered").ok()
    }

    /// Takes note of what has left.
    fn collect(&mut self) {
        for delivery in self.world.deliveries() {
            let Effect::Deliver { job, attempt, .. } = &delivery else {
                continue;
            };
            let body = self
                .bodies
                .entry(job.id)
                .or_insert_with(|| job.new.body.to_vec());
            assert_eq!(body[..], job.new.body[..], "one key, one body");
            if *attempt == 1 && job.failed.is_none() {
                let newest = self.newest.entry(job.new.lane.clone()).or_default();
                assert!(
                    job.lane_sequence >= *newest,
                    "{} of lane {} after {newest}",
                    job.lane_sequence,
                    job.new.lane
                );
                *newest = job.lane_sequence;
            }
            self.sent.push(delivery);
        }
    }

    fn create(&mut self) {
        let mut jobs = Vec::new();
        for _ in 0..=self.below(3) {
            self.jobs += 1;
            let object = Name::from(format!("o-{}", self.below(4)));
            let mut new = NewJob {
                destination: Name::from("shop"),
                lane: Name::from(LANES[self.below(3) as usize]),
                object_type: Name::from("stock"),
                action: Name::from(
                    ["create", "update", "update", "delete"][self.below(4) as usize],
                ),
                object_ids: vec![object],
                body: json(&format!("{}", self.jobs)),
                ..NewJob::default()
            };
            match self.below(5) {
                0 => {
                    new.batch = Some(Name::from(format!("batch-{}", self.below(2))));
                    new.stage = Some(self.below(3) as u32);
                }
                1 => {
                    new.depends_on = Some(vec![ObjectRef {
                        object_type: Name::from("stock"),
                        object_id: Name::from(format!("o-{}", self.below(4))),
                    }]);
                }
                2 if self.expires => {
                    let at = self.world.now + 50 + self.below(2_000);
                    new.expires_at = Some(crate::time::Timestamp(at));
                }
                _ => {}
            }
            jobs.push((JobId(self.jobs), new));
        }
        self.ask(Op::CreateJobs { jobs });
    }

    fn operate(&mut self) {
        let destination = Name::from("shop");
        let job = self.some();
        let op = match self.below(9) {
            0 => Op::ReplayJob { destination, job },
            1 => Op::CancelJob { destination, job },
            2 => {
                self.jobs += 1;
                Op::Jobs(JobsOp::Correct {
                    destination,
                    job,
                    id: JobId(self.jobs),
                    body: json(&format!("{}", self.jobs)),
                })
            }
            3 | 4 => self.bulk(),
            5 => {
                let backlog = [Backlog::Resume, Backlog::Drop, Backlog::Replay];
                let backlog = backlog[self.below(3) as usize];
                self.bulks += 1;
                Op::Jobs(JobsOp::Enable {
                    destination,
                    backlog,
                    bulk: Name::from(format!("enable-{}", self.bulks)),
                })
            }
            6 => Op::Egress(EgressOp::ReleaseLane {
                destination,
                lane: Name::from(LANES[self.below(3) as usize]),
                give_up: self.below(2) == 0,
            }),
            7 => Op::Egress(EgressOp::ReleaseJobs {
                destination,
                which: WhichJobs::Job(job),
            }),
            _ => {
                let mut destination = self.settings.clone();
                destination.paused = self.below(2) == 0;
                Op::PutDestination {
                    destination: Box::new(destination),
                }
            }
        };
        self.ask(op);
    }

    fn bulk(&mut self) -> Op {
        self.bulks += 1;
        let mut filter = JobFilter::default();
        match self.below(4) {
            0 => filter.lane = Some(Name::from(LANES[self.below(3) as usize])),
            1 => filter.object_id = Some(Name::from(format!("o-{}", self.below(4)))),
            2 => filter.state = Some(JobState::Dead),
            _ => filter.destination = Some(Name::from("shop")),
        }
        let action = [JobAction::Replay, JobAction::Replay, JobAction::Cancel];
        let work = Work::Jobs(JobWork {
            filter,
            action: action[self.below(3) as usize],
            enables: false,
        });
        let bulk = Bulk {
            id: Name::from(format!("bulk-{}", self.bulks)),
            work,
            per_second: (self.below(2) == 0).then_some(5),
        };
        Op::BulkStart {
            bulk: Box::new(bulk),
            expected: 0,
        }
    }

    fn answer(&mut self) {
        let place = self.below(self.sent.len() as u64) as usize;
        let delivery = self.sent.swap_remove(place);
        let answer = [200, 200, 200, 503, 503, 422, 410][self.below(7) as usize];
        self.world.delivered(&delivery, answer);
    }

    fn step(&mut self) {
        match self.below(12) {
            0..=2 => self.create(),
            3..=6 if !self.sent.is_empty() => self.answer(),
            7 | 8 => self.operate(),
            9 => {
                let ms = self.below(500);
                self.world.pass(ms);
            }
            10 if self.below(4) == 0 => {
                if self.expires {
                    self.world.reopen();
                } else {
                    self.world.crash();
                }
                // Answers to what was sent before prove nothing any more; some come all the same.
                self.sent.truncate(1);
            }
            _ => {}
        }
        self.collect();
    }

    /// The faults stop, and a person lets everything go.
    fn end(&mut self) {
        for _ in 0..400 {
            let mut settings = self.settings.clone();
            settings.breaker = None;
            put(&mut self.world, settings);
            self.collect();
            for delivery in core::mem::take(&mut self.sent) {
                self.world.delivered(&delivery, 200);
                self.collect();
            }
            self.world.pass(1_000);
            self.collect();
            for lane in LANES {
                self.ask(Op::Egress(EgressOp::ReleaseLane {
                    destination: Name::from("shop"),
                    lane: Name::from(lane),
                    give_up: false,
                }));
            }
            let standing = status(&mut self.world);
            if standing.pending + standing.in_flight == 0 && self.sent.is_empty() {
                return;
            }
            for job in self.waiting() {
                self.ask(Op::Egress(EgressOp::ReleaseJobs {
                    destination: Name::from("shop"),
                    which: WhichJobs::Job(job),
                }));
            }
            self.collect();
        }
        panic!("it never ends: {:?}", status(&mut self.world));
    }

    fn waiting(&mut self) -> Vec<JobId> {
        let list = Op::ListJobs {
            destination: Name::from("shop"),
            state: None,
            lane: None,
            after: None,
            limit: 1_000,
        };
        match self.ask(list) {
            Some(Reply::JobList { jobs, .. }) => {
                let waiting = |job: &&Job| job.state.is_waiting();
                jobs.iter().filter(waiting).map(|job| job.id).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn whatever_operators_do_lanes_keep_their_order_and_all_jobs_end() {
    for seed in 0..60 {
        let mut walk = Walk::new(seed);
        for _ in 0..STEPS {
            walk.step();
        }
        walk.end();
        walk.world.pass(120_000);
        let Some(Reply::Bulks(all)) = walk.ask(Op::BulkList) else {
            panic!("a list");
        };
        for bulk in &all {
            assert_eq!(bulk.state, BulkState::Done, "seed {seed}: {bulk:?}");
            assert_eq!(bulk.refused, 0, "seed {seed}: {bulk:?}");
        }
        walk.end();
        walk.world.crash();
        assert_eq!(walk.waiting(), vec![], "seed {seed}");
    }
}

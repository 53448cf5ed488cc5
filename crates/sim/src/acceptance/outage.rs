//! An outage: a destination is down for a while, and jobs for it and for the others go on coming at an even pace.
//!
//! How far the others fall behind is measured, and no timing decides. What decides are the connector's own records: everything arrives
//! in order, once, and nothing arrives where nobody answers.

use super::bed::{Bed, arrive, expected, job, name};
use super::connector::{BadConnector, Temper};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use trunkline::Client;
use trunkline::core::egress::NewJob;
use trunkline::core::ids::JobId;
use trunkline::core::peer::Op;

/// Jobs are created so often.
const TICK: Duration = Duration::from_millis(100);

/// How large it is.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// Destinations. The first goes down.
    pub destinations: u64,
    /// Lanes of each.
    pub lanes: u64,
    /// Jobs a second, for all of them together.
    pub per_second: u64,
    /// How long all is well: before, and again after.
    pub well: Duration,
    /// How long the first is down.
    pub down: Duration,
}

/// How it went with the others for a while.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// How long that was.
    pub took: Duration,
    /// Jobs created for the others.
    pub created: u64,
    /// Jobs that arrived at the others.
    pub arrived: u64,
    /// The most that had been created and not arrived, when it was looked at after each lot of jobs.
    pub behind_most: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// The others: before, while the first was down, and after.
    pub others: [Pace; 3],
    /// Jobs that waited for the first when it came back.
    pub waited: u64,
    /// How long it took the first to have all of them.
    pub caught_up: Duration,
    /// Everything that is not as promised.
    pub violations: Vec<String>,
}

impl Outage {
    /// Runs it on an empty folder.
    ///
    /// # Panics
    /// If nothing moves any more.
    pub async fn run(self, program: &Path, folder: &Path) -> Course {
        let temper = Temper {
            seed: 1,
            failing_percent: 0,
            dropping_percent: 0,
            patience_at: &[],
        };
        let Bed {
            connector,
            mut server,
            client,
        } = Bed::make(program, folder, temper, self.destinations).await;
        let mut stream = Stream {
            outage: self,
            client,
            connector: &connector,
            created: vec![0; self.destinations as usize],
        };
        let mut course = Course::default();
        course.others[0] = stream.flow(self.well).await;
        connector.silence(Some(&name(0)));
        let mut down = stream.flow(TICK).await;
        let before = connector.records().accepted(&name(0));
        down.add(stream.flow(self.down.saturating_sub(TICK)).await);
        course.others[1] = down;
        let dead = connector.records().accepted(&name(0)) - before;
        if dead > 0 {
            let what = format!("{dead} jobs arrived where nobody answers");
            course.violations.push(what);
        }
        course.waited = stream.created[0] - before;
        connector.silence(None);
        let back = Instant::now();
        let due = stream.created[0];
        let (after, ()) = tokio::join!(stream.flow(self.well), async {
            arrive(&connector, 0..1, due, &mut server).await;
            course.caught_up = back.elapsed();
        });
        course.others[2] = after;
        for number in 0..self.destinations {
            let due = stream.created[number as usize];
            arrive(&connector, number..number + 1, due, &mut server).await;
        }
        for (number, created) in (0..).zip(&stream.created) {
            // Lane after lane in turn, so the first ones have one more.
            let of = |lane| created / self.lanes + u64::from(lane < created % self.lanes);
            let due = expected(number, (0..self.lanes).map(of));
            let (_, found) = connector.records().judge(&name(number), &due);
            course.violations.extend(found);
        }
        course
    }
}

/// Jobs that come at an even pace.
struct Stream<'a> {
    outage: Outage,
    client: Client,
    connector: &'a BadConnector,
    /// By destination.
    created: Vec<u64>,
}

impl Stream<'_> {
    /// Creates jobs for so long, and looks how the others are.
    async fn flow(&mut self, time: Duration) -> Pace {
        let began = Instant::now();
        let before = self.others();
        let mut ticks = tokio::time::interval(TICK);
        let mut pace = Pace::default();
        let each =
            self.outage.per_second * TICK.as_millis() as u64 / 1_000 / self.outage.destinations;
        for _ in 0..time.as_millis() / TICK.as_millis() {
            ticks.tick().await;
            let mut creating = JoinSet::new();
            for number in 0..self.outage.destinations {
                let jobs = (0..each.max(1)).map(|_| self.next(number)).collect();
                let client = self.client.clone();
                creating.spawn(async move { client.request(Op::CreateJobs { jobs }).await });
            }
            for created in creating.join_all().await {
                created.expect("the jobs are fine");
            }
            let (created, arrived) = self.others();
            pace.behind_most = pace.behind_most.max(created - arrived);
        }
        ticks.tick().await;
        let after = self.others();
        pace.created = after.0 - before.0;
        pace.arrived = after.1 - before.1;
        pace.took = began.elapsed();
        pace
    }

    fn next(&mut self, number: u64) -> (JobId, NewJob) {
        let created = &mut self.created[number as usize];
        let (lane, place) = (
            *created % self.outage.lanes,
            *created / self.outage.lanes + 1,
        );
        *created += 1;
        job(number, lane, place)
    }

    /// Jobs created for the others, and arrived there.
    fn others(&self) -> (u64, u64) {
        let records = self.connector.records();
        let arrived = (1..self.outage.destinations).map(|number| records.accepted(&name(number)));
        (self.created[1..].iter().sum(), arrived.sum())
    }
}

impl Pace {
    /// Another while follows.
    fn add(&mut self, next: Self) {
        self.took += next.took;
        self.created += next.created;
        self.arrived += next.arrived;
        self.behind_most = self.behind_most.max(next.behind_most);
    }
}

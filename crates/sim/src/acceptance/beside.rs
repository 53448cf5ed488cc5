//! One dead destination among many: the others get everything while it is dead, and it gets everything when it lives again.

use super::bed::{Bed, arrive, expected, job, name};
use super::connector::Temper;
use std::path::Path;
use trunkline::core::peer::Op;

/// How many destinations, lanes of each, and jobs of a lane.
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    /// Destinations. The first is dead.
    pub destinations: u64,
    /// Lanes of each.
    pub lanes: u64,
    /// Jobs of a lane.
    pub jobs: u64,
}

impl Beside {
    /// Runs it on an empty folder; returns everything that is not as promised.
    ///
    /// # Panics
    /// If nothing moves any more.
    pub async fn run(self, program: &Path, folder: &Path) -> Vec<String> {
        let temper = Temper {
            seed: 1,
            failing_percent: 5,
            dropping_percent: 2,
            patience_at: &[],
        };
        let Bed {
            connector,
            mut server,
            client,
        } = Bed::make(program, folder, temper, self.destinations).await;
        connector.silence(Some(&name(0)));
        // The dead one first: nobody can get past it by being earlier.
        for number in 0..self.destinations {
            let jobs = (0..self.lanes)
                .flat_map(|lane| (1..=self.jobs).map(move |place| job(number, lane, place)));
            let jobs = jobs.collect();
            let created = client.request(Op::CreateJobs { jobs }).await;
            created.expect("the jobs are fine");
        }
        let each = self.lanes * self.jobs;
        arrive(&connector, 1..self.destinations, each, &mut server).await;
        let mut wrong = Vec::new();
        let dead = connector.records().accepted(&name(0));
        if dead > 0 {
            wrong.push(format!("the dead one took {dead} jobs"));
        }
        connector.silence(None);
        arrive(&connector, 0..1, each, &mut server).await;
        let records = connector.records();
        for number in 0..self.destinations {
            let due = expected(number, (0..self.lanes).map(|_| self.jobs));
            wrong.extend(records.judge(&name(number), &due).1);
        }
        wrong
    }
}

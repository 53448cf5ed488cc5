//! The workflow under torture: a little of everything, with a result that can be computed without running it.

use serde::{Deserialize, Serialize};
use trunkline::prelude::*;

/// What a run is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Added up by tasks, one after the other.
    pub amounts: Vec<u64>,
    /// How many signals it waits for.
    pub signals: usize,
    /// The lane of its jobs.
    pub lane: String,
}

/// What a run found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tallied {
    /// The sum of the amounts, twice: one by one and in parallel.
    pub sum: u64,
    /// The signals, in the order in which they were received.
    pub signals: Vec<u64>,
    /// What the inline step drew: the same in every replay.
    pub drawn: u64,
}

impl Plan {
    /// Jobs that each run ships.
    pub const JOBS: usize = 2;
}

/// Adds numbers. Every first attempt of an odd one fails.
#[service]
pub trait Adder {
    /// The sum of two numbers.
    async fn add(&self, t: &TaskCx, sum: u64, amount: u64) -> Result<u64>;
}

/// The service itself.
#[derive(Debug)]
pub struct Sums;

impl Adder for Sums {
    async fn add(&self, t: &TaskCx, sum: u64, amount: u64) -> Result<u64> {
        if t.attempt() == 1 && amount % 2 == 1 {
            return Err(Error::msg("odd numbers need a second attempt"));
        }
        Ok(sum + amount)
    }
}

/// The durable fields of a run.
#[derive(Debug, Workflow)]
pub struct Tally {
    /// How many signals have come.
    pub received: Prop<usize>,
    /// Numbers to collect.
    pub numbers: Channel<u64>,
}

#[workflow(version = 1)]
impl Tally {
    #[run]
    async fn run(&self, cx: Cx, plan: Plan) -> Result<Tallied> {
        let adder = cx.service::<AdderStub>();
        let retry = || Retry::exponential().initial(millis(10)).attempts(0);
        let job = |step: u32| cx.egress("receiver").lane(plan.lane.clone()).body(&step);
        let mut sum = 0;
        for amount in &plan.amounts {
            sum = adder.add(sum, *amount).retry(retry()).await?;
        }
        job(1).send()?;
        let drawn = cx.step("draw", || async { Ok::<u64, Error>(17) }).await?;
        let mut signals = Vec::new();
        while signals.len() < plan.signals {
            let late = select! {
                number = self.numbers.recv() => {
                    signals.push(number?);
                    false
                }
                _ = cx.sleep(hours(1)) => true,
            };
            if late {
                return Err(Error::new("Late", "no signal for an hour"));
            }
            self.received.set(signals.len());
        }
        cx.sleep(millis(20)).await?;
        let calls = plan
            .amounts
            .iter()
            .map(|amount| adder.add(0, *amount).retry(retry()));
        let parallel = cx.try_join_all(calls).await?;
        job(2).send()?;
        Ok(Tallied {
            sum: sum + parallel.iter().sum::<u64>(),
            signals,
            drawn,
        })
    }
}

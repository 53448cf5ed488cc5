//! The workflow that does what a program says.

use super::outside::OutsideStub;
use super::program::{COUNTERS, Ending, Op, Program};
use futures_util::future::{LocalBoxFuture, try_join_all};
use std::time::Duration;
use trunkline::prelude::*;

/// The state of a program.
#[derive(Debug, Workflow)]
pub(crate) struct Machine {
    pub(crate) first: Prop<i64>,
    pub(crate) second: Prop<i64>,
    pub(crate) third: Prop<i64>,
    pub(crate) fourth: Prop<i64>,
    /// True once the program waits to be cancelled.
    pub(crate) ready: Prop<bool>,
    pub(crate) to_first: Channel<i64>,
    pub(crate) to_second: Channel<i64>,
    pub(crate) to_third: Channel<i64>,
    pub(crate) to_fourth: Channel<i64>,
    /// Nobody sends anything here.
    pub(crate) silence: Channel<()>,
}

#[workflow]
impl Machine {
    #[run]
    async fn run(&self, cx: Cx, program: Program) -> Result<[i64; COUNTERS]> {
        self.all(&cx, &program.ops).await?;
        match program.ending {
            Ending::Returns => Ok(self.counters()),
            Ending::Fails => Err(Error::new("Planned", "the program ends so").non_retryable()),
            Ending::IsCancelled => {
                self.ready.set(true);
                let cancelled = self.silence.recv().await.unwrap_err();
                let n = cx.service::<OutsideStub>().clean_up().await?;
                self.first.update(|first| *first += n);
                Err(cancelled.into_error())
            }
        }
    }
}

impl Machine {
    pub(crate) fn counters(&self) -> [i64; COUNTERS] {
        [0, 1, 2, 3].map(|counter| self.counter(counter).get())
    }

    pub(crate) fn counter(&self, counter: usize) -> &Prop<i64> {
        [&self.first, &self.second, &self.third, &self.fourth][counter]
    }

    pub(crate) fn channel(&self, counter: usize) -> &Channel<i64> {
        [
            &self.to_first,
            &self.to_second,
            &self.to_third,
            &self.to_fourth,
        ][counter]
    }

    fn add(&self, counter: usize, n: i64) {
        self.counter(counter).update(|value| *value += n);
    }

    fn all<'a>(&'a self, cx: &'a Cx, ops: &'a [Op]) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for op in ops {
                self.one(cx, op).await?;
            }
            Ok(())
        })
    }

    async fn one(&self, cx: &Cx, op: &Op) -> Result<()> {
        let outside = cx.service::<OutsideStub>();
        match op {
            Op::Set { counter, to } => self.counter(*counter).set(*to),
            Op::Add { counter, n } => self.add(*counter, *n),
            Op::Task {
                counter,
                n,
                failures,
                attempts,
                fatal,
            } => {
                let retry = Retry::fixed(secs(1 + u64::from(*failures))).attempts(*attempts);
                let given = outside.give(*n, *failures, *fatal).retry(retry).await;
                match given {
                    Ok(given) => self.add(*counter, given),
                    Err(TaskError::Failed(..)) => self.add(*counter, -n),
                    Err(other) => return Err(other.into()),
                }
            }
            Op::Hang { counter, ms } => {
                let span = Duration::from_millis(*ms);
                match outside.hang().timeout(span).retry(Retry::never()).await {
                    Err(TaskError::TimedOut(_)) => self.add(*counter, 1),
                    Err(other) => return Err(other.into()),
                    Ok(()) => {}
                }
            }
            Op::Tasks { counter, ns } => {
                let calls = ns.iter().map(|n| outside.give(*n, 0, false));
                for given in cx.try_join_all(calls).await? {
                    self.add(*counter, given);
                }
            }
            Op::Detach { n } => outside.give(*n, 0, false).detach(),
            Op::Step { counter, n, waits } => {
                let (n, waits) = (*n, *waits);
                let step = cx.step("step", move || async move {
                    if waits {
                        tokio::time::sleep(Duration::from_micros(100)).await;
                    }
                    Ok(n)
                });
                let n = step.await?;
                self.add(*counter, n);
            }
            Op::Sleep { ms } => cx.sleep(Duration::from_millis(*ms)).await?,
            Op::Receive { counter } => {
                let n = self.channel(*counter).recv().await?;
                self.add(*counter, n);
            }
            Op::ReceiveNothing { counter, ms } => {
                let heard = self
                    .silence
                    .recv_timeout(Duration::from_millis(*ms))
                    .await?;
                self.add(*counter, i64::from(heard.is_none()));
            }
            Op::Race {
                counter,
                first_ms,
                second_ms,
            } => {
                let winner = select! {
                    first = cx.sleep(Duration::from_millis(*first_ms)) => { first?; 1 }
                    second = cx.sleep(Duration::from_millis(*second_ms)) => { second?; 2 }
                };
                self.add(*counter, winner);
            }
            Op::All { branches } => {
                try_join_all(branches.iter().map(|branch| self.all(cx, branch))).await?;
            }
            Op::Saga {
                counter,
                steps,
                fails,
            } => {
                let number = cx.random();
                let done = cx
                    .saga(async |saga: &Saga| {
                        for (index, step) in steps.iter().enumerate() {
                            self.all(cx, std::slice::from_ref(step)).await?;
                            saga.undo(cx.service::<OutsideStub>().undo(number, index));
                        }
                        if *fails {
                            return Err(Error::new("Planned", "the saga is to be undone"));
                        }
                        Ok(())
                    })
                    .await;
                match done {
                    Ok(()) => {}
                    Err(error) if error.failure().name.as_str() == "Planned" => {
                        self.add(*counter, 1);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

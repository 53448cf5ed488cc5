//! The workflow that does what a program says.

use super::outside::OutsideStub;
use super::program::{COUNTERS, Ending, Fate, Op, Program, Visit, signal_value};
use futures_util::future::{LocalBoxFuture, try_join_all};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use trunkline::prelude::*;

/// What a machine begins with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) program: Program,
    /// Counters of the generations before this one, and what methods left then.
    pub(crate) carried: ([i64; COUNTERS], i64),
    /// Who wants to know that it waits to be cancelled.
    pub(crate) parent: Option<String>,
}

impl Start {
    pub(crate) fn new(program: &Program) -> Self {
        Self {
            program: program.clone(),
            carried: Default::default(),
            parent: None,
        }
    }
}

/// What a method does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    ops: Vec<Op>,
    n: i64,
    fails: bool,
}

/// The state of a program.
#[derive(Debug, Workflow)]
pub(crate) struct Machine {
    pub(crate) first: Prop<i64>,
    pub(crate) second: Prop<i64>,
    pub(crate) third: Prop<i64>,
    pub(crate) fourth: Prop<i64>,
    /// What methods leave that anybody calls.
    pub(crate) visited: Prop<i64>,
    /// Ops that are done, in a program that is to be cut.
    pub(crate) done: Prop<usize>,
    /// True once the program waits to be cancelled.
    pub(crate) ready: Prop<bool>,
    pub(crate) to_first: Channel<i64>,
    pub(crate) to_second: Channel<i64>,
    pub(crate) to_third: Channel<i64>,
    pub(crate) to_fourth: Channel<i64>,
    /// What it tells itself: by a number, what to add.
    pub(crate) notes: Channel<(u64, i64)>,
    /// The ids of children that wait to be cancelled.
    pub(crate) waiting_children: Channel<String>,
    /// Something is sent when all methods have been called.
    pub(crate) all_called: Channel<()>,
    /// Nobody sends anything here.
    pub(crate) silence: Channel<()>,
}

#[workflow]
impl Machine {
    #[run]
    async fn run(&self, cx: Cx, start: Start) -> Result<[i64; COUNTERS]> {
        let program = &start.program;
        self.take(&start.carried);
        if program.ending.is_cut() {
            self.until_cut(&cx, &program.ops).await?;
            return Ok(self.counters());
        }
        for (index, op) in program.ops.iter().enumerate() {
            if *op == Op::Again {
                return cx.continue_as_new::<Self>(self.rest(&start, index)).await;
            }
            self.one(&cx, op).await?;
        }
        if !program.visits.is_empty() {
            self.all_called.recv().await?;
        }
        match program.ending {
            Ending::Returns | Ending::IsCut { .. } => Ok(self.counters()),
            Ending::Fails => Err(planned("the program ends so").non_retryable()),
            Ending::IsCancelled => {
                self.ready.set(true);
                if let Some(parent) = &start.parent {
                    let id = cx.run_id().id.to_string();
                    let parent = cx.other::<Self>(parent.as_str());
                    parent.send(|w| &w.waiting_children, &id).await?;
                }
                let cancelled = self.silence.recv().await.unwrap_err();
                let n = cx.service::<OutsideStub>().clean_up().await?;
                self.first.update(|first| *first += n);
                Err(cancelled.into_error())
            }
        }
    }

    #[method]
    async fn part(&self, cx: Cx, part: Part) -> Result<i64> {
        self.all(&cx, &part.ops).await?;
        if part.fails {
            return Err(planned("the method ends so"));
        }
        Ok(part.n)
    }

    #[method]
    async fn visit(&self, cx: Cx, visit: Visit) -> Result<i64> {
        let mut n = visit.n;
        self.visited.update(|visited| *visited += n);
        cx.sleep(Duration::from_millis(visit.ms)).await?;
        if visit.task {
            n = cx.service::<OutsideStub>().give(n, 0, false).await?;
        }
        self.visited.update(|visited| *visited += n);
        if visit.fails {
            return Err(planned("the visit ends so"));
        }
        Ok(2 * n)
    }

    #[query]
    fn sum(&self) -> i64 {
        self.counters().iter().sum()
    }
}

fn planned(message: &'static str) -> Error {
    Error::new("Planned", message)
}

/// What to add after something that may have failed as planned.
fn either<T>(done: Result<T>, well: impl FnOnce(T) -> i64, failed: i64) -> Result<i64> {
    match done {
        Ok(value) => Ok(well(value)),
        Err(error) if error.failure().name.as_str() == "Planned" => Ok(failed),
        Err(error) => Err(error),
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

    /// Goes on from the generations before this one. What is nothing is not set, so that it costs nothing.
    fn take(&self, carried: &([i64; COUNTERS], i64)) {
        for (counter, n) in carried.0.iter().enumerate() {
            if *n != 0 {
                self.counter(counter).set(*n);
            }
        }
        if carried.1 != 0 {
            self.visited.set(carried.1);
        }
    }

    /// What is left to do behind the op at `index`.
    fn rest(&self, start: &Start, index: usize) -> Start {
        let program = Program {
            ops: start.program.ops[index + 1..].to_vec(),
            ..start.program.clone()
        };
        Start {
            program,
            carried: (self.counters(), self.visited.get()),
            parent: start.parent.clone(),
        }
    }

    /// Does one op after the other, notes what is done, and undoes it when it is cancelled.
    async fn until_cut(&self, cx: &Cx, ops: &[Op]) -> Result<()> {
        let number = cx.random();
        cx.saga(async |saga: &Saga| {
            for (index, op) in ops.iter().enumerate() {
                self.one(cx, op).await?;
                self.done.set(index + 1);
                saga.undo(cx.service::<OutsideStub>().undo(number, index));
            }
            Ok(())
        })
        .await
    }

    async fn child(&self, cx: &Cx, name: u32, program: &Program, fate: Fate) -> Result<i64> {
        let mine = &cx.run_id().id;
        let id = format!("{mine}.{name}");
        let start = Start {
            parent: Some(mine.to_string()),
            ..Start::new(program)
        };
        let mut child = cx.child::<Self>(id.as_str());
        if fate == Fate::Abandoned {
            child = child.on_parent_end(OnParentEnd::Abandon);
        }
        let child = if name.is_multiple_of(2) {
            child.start(start)
        } else {
            child.confirm(start).await?
        };
        let signals = program.signals();
        let sending = (0..COUNTERS).flat_map(|counter| {
            let child = &child;
            (0..signals[counter]).map(move |number| {
                child.send(
                    |w: &Self| w.channel(counter),
                    &signal_value(counter, number),
                )
            })
        });
        let sending: Vec<_> = sending.collect();
        try_join_all(sending).await?;
        if matches!(fate, Fate::Left | Fate::Cancelled) {
            self.waiting_children
                .recv_where(move |waits| *waits == id)
                .await?;
        }
        match fate {
            Fate::Abandoned | Fate::Left => {
                child.detach();
                Ok(0)
            }
            Fate::Cancelled => {
                child.cancel("the program wants it so").await?;
                match child.await {
                    Err(ChildError::ChildCancelled(_)) => Ok(2),
                    other => Err(Error::new("Unplanned", format!("{other:?}"))),
                }
            }
            Fate::Awaited => match child.await {
                Ok(counters) => Ok(counters.iter().sum()),
                Err(ChildError::Failed(error, _)) if error.failure().name.as_str() == "Planned" => {
                    Ok(1)
                }
                Err(error) => Err(error.into()),
            },
        }
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
            Op::All { branches } if branches.len() == 2 => {
                let (first, second) = (&branches[0], &branches[1]);
                try_join!(self.all(cx, first), self.all(cx, second)).await?;
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
                self.add(*counter, either(done, |()| 0, 1)?);
            }
            Op::Note { counter, n } => {
                let number = cx.random();
                let me = cx.other::<Self>(cx.run_id().id.clone());
                me.send(|w| &w.notes, &(number, *n)).await?;
                let noted = self.notes.recv_where(move |note| note.0 == number).await?;
                self.add(*counter, noted.1);
            }
            Op::Outrun { counter, n } => {
                let given = select! {
                    given = outside.give(*n, 0, false) => given?,
                    slept = cx.sleep(days(1)) => { slept?; 0 }
                };
                self.add(*counter, given);
            }
            Op::GiveUp { counter, ms } => {
                let mut hanging = outside.hang().timeout(days(365)).start();
                let given_up = select! {
                    hung = &mut hanging => { hung?; 0 }
                    slept = cx.sleep(Duration::from_millis(*ms)) => { slept?; 1 }
                };
                hanging.cancel();
                self.add(*counter, given_up);
            }
            Op::Method {
                counter,
                ops,
                n,
                fails,
            } => {
                let (ops, n, fails) = (ops.clone(), *n, *fails);
                let called = cx.call_self::<Self, _, _>(|w| w.part(Part { ops, n, fails }));
                self.add(*counter, either(called.await, |n| n, -n)?);
            }
            Op::Visit { visit, waits } => {
                let called = cx.call_self::<Self, _, _>(|w| w.visit(*visit));
                if *waits {
                    either(called.await, |_| 0, 0)?;
                } else {
                    called.detach();
                }
            }
            Op::Child {
                counter,
                name,
                program,
                fate,
            } => {
                let n = Box::pin(self.child(cx, *name, program, *fate)).await?;
                self.add(*counter, n);
            }
            Op::Again => unreachable!("only among the ops of a program itself"),
        }
        Ok(())
    }
}

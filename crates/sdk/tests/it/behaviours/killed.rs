//! Everything at once while workers, engines and connections are killed at moments that a seed chooses: the results are
//! exact, and what was done outside was done under one key each.

use super::errands::{Errands as _, ErrandsStub, Runner};
use crate::bridge::Bridge;
use crate::house::{House, MODES};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trunkline::core::code::Code;
use trunkline::prelude::*;
use trunkline::testing::TestKit;
use trunkline::{Client, RunHandle, Worker};

/// What was done outside: how often, by key.
#[derive(Clone, Default)]
struct Till {
    booked: Arc<Mutex<BTreeMap<String, (String, u32)>>>,
}

#[service]
trait Bookings {
    async fn book(&self, t: &TaskCx, what: String) -> Result<String>;
    async fn undo(&self, t: &TaskCx, what: String) -> Result<()>;
}

impl Till {
    fn note(&self, t: &TaskCx, what: String) {
        let mut booked = self.booked.lock().unwrap();
        let entry = booked.entry(t.idempotency_key());
        entry.or_insert((what, 0)).1 += 1;
    }

    /// What was done, once for each key.
    fn done(&self) -> Vec<String> {
        let booked = self.booked.lock().unwrap();
        let mut done: Vec<_> = booked.values().map(|(what, _)| what.clone()).collect();
        done.sort();
        done
    }
}

impl Bookings for Till {
    async fn book(&self, t: &TaskCx, what: String) -> Result<String> {
        self.note(t, format!("book {what}"));
        tokio::task::yield_now().await;
        Ok(what)
    }

    async fn undo(&self, t: &TaskCx, what: String) -> Result<()> {
        self.note(t, format!("undo {what}"));
        Ok(())
    }
}

#[workflow]
async fn leaf(cx: Cx, number: u32) -> Result<u32> {
    let text = cx.service::<ErrandsStub>().reverse(number.to_string());
    let text: String = text.await?;
    cx.sleep(millis(3)).await?;
    Ok(text.chars().rev().collect::<String>().parse()?)
}

/// A run that does one of everything.
#[derive(Debug, Workflow)]
struct Bundle {
    numbers: Channel<u32>,
    heard: Prop<Vec<u32>>,
    added: Prop<u32>,
}

#[workflow]
impl Bundle {
    #[run]
    async fn run(&self, cx: Cx, signals: u32) -> Result<String> {
        let (errands, bookings) = (cx.service::<ErrandsStub>(), cx.service::<BookingsStub>());
        let name = cx.run_id().id.to_string();
        // A sequence.
        let mut text = String::new();
        for letter in ["a", "b", "c"] {
            text = errands.concat(text, letter.into()).await?;
        }
        // A fan-out, with a method of its own and a child beside it.
        let child = cx.child::<leaf>(format!("{name}-child")).start(40);
        let add = cx.call_self::<Self, _, _>(|w| w.add(2)).start();
        let fan_out = (0..6).map(|n| errands.concat(n.to_string(), String::new()));
        let fan_out = cx.try_join_all(fan_out).await?.concat();
        // Signals, each once and in order, and a timer that each race loses or wins.
        while self.heard.try_get().map_or(0, |heard| heard.len()) < signals as usize {
            select! {
                number = self.numbers.recv() => {
                    let number = number?;
                    self.heard.update(|heard| heard.push(number));
                }
                slept = cx.sleep(millis(2)) => slept?,
            }
        }
        let sum = child.await? + add.await?;
        // A saga that is undone.
        let saga = cx.saga(async |saga: &Saga| {
            for what in ["hotel", "flight"] {
                let booked = bookings.book(format!("{what} {name}")).await?;
                saga.undo(bookings.undo(booked));
            }
            let step = cx.step("decide", || async { Ok(false) }).await?;
            match step {
                true => Ok(()),
                false => Err(Error::new("Storm", "no flights")),
            }
        });
        let undone = saga.await.unwrap_err().failure().name.to_string();
        let heard = self.heard.get();
        Ok(format!("{text} {fan_out} {heard:?} {sum} {undone}"))
    }

    /// Adds in two pieces, with a task between them.
    #[method]
    async fn add(&self, cx: Cx, number: u32) -> Result<u32> {
        self.added.update(|added| *added += number / 2);
        cx.service::<ErrandsStub>().reverse("x".into()).await?;
        self.added.update(|added| *added += number - number / 2);
        Ok(number)
    }
}

const SIGNALS: u32 = 8;
const RUNS: u32 = 6;

fn expected() -> String {
    let heard: Vec<u32> = (0..SIGNALS).collect();
    format!("abc 012345 {heard:?} 42 Storm")
}

/// What must have been done outside by all runs, once for each key.
fn booked() -> Vec<String> {
    let mut all = Vec::new();
    for run in 0..RUNS {
        for what in ["book hotel", "book flight", "undo hotel", "undo flight"] {
            all.push(format!("{what} {run}"));
        }
    }
    all.sort();
    all
}

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = trunkline::core::policy::scramble(self.0.wrapping_add(0x9e37_79b9));
        self.0 % bound
    }

    /// One of the two workers.
    fn worker(&mut self) -> usize {
        usize::from(self.below(2) == 1)
    }
}

fn kit(till: &Till) -> TestKit {
    TestKit::new()
        .service(Runner::default().into_service())
        .service(till.clone().into_service())
        .workflow::<Bundle>()
        .workflow::<leaf>()
        .workers(2)
}

async fn begun(client: &Client) -> Vec<RunHandle<Bundle>> {
    let mut runs = Vec::new();
    for number in 0..RUNS {
        let start = client.workflow::<Bundle>(number.to_string()).attach();
        runs.push(start.start(SIGNALS).await.unwrap());
    }
    runs
}

async fn all_exact(runs: &[RunHandle<Bundle>], till: &Till, seed: u64) {
    for run in runs {
        assert_eq!(run.result().await.unwrap(), expected(), "seed {seed}");
        assert_eq!(run.prop(|w| &w.added).await.unwrap(), Some(2));
    }
    assert_eq!(till.done(), booked(), "seed {seed}");
}

/// Kills at seeded moments on the bed's clock until all signals are sent, and sometimes the engine too.
async fn on_the_bed(seed: u64, evict: bool, kill_engine: bool) {
    let till = Till::default();
    let kit = kit(&till);
    let kit = if evict {
        kit.evict_after_every_turn()
    } else {
        kit
    };
    let mut bed = kit.start().await;
    let mut dice = Dice(seed);
    let runs = begun(bed.client()).await;
    for number in 0..SIGNALS {
        for run in &runs {
            let id = format!("n{number}");
            // Sent twice: it counts once.
            for _ in 0..2 {
                run.send(|w| &w.numbers, number).id(&id).await.unwrap();
            }
            match dice.below(4) {
                0 => bed.break_worker(dice.worker()).await,
                1 if kill_engine && dice.below(4) == 0 => bed.crash().await,
                2 => bed.advance_by(millis(dice.below(3))).await,
                // Whatever is under way goes on for a moment.
                _ => tokio::time::sleep(Duration::from_micros(dice.below(300))).await,
            }
        }
    }
    for _ in 0..6 {
        bed.break_worker(dice.worker()).await;
        bed.advance_by(millis(dice.below(3))).await;
    }
    all_exact(&runs, &till, seed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_are_exact_though_workers_are_killed_at_random() {
    for seed in 0..3 {
        for evict in [false, true] {
            on_the_bed(seed, evict, false).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_are_exact_though_workers_and_engine_are_killed_at_random() {
    for seed in 10..13 {
        for evict in [false, true] {
            on_the_bed(seed, evict, true).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_are_exact_though_connections_break_at_random() {
    for (seed, mode) in (20..).zip(MODES) {
        let till = Till::default();
        let mut house = House::without_worker().await;
        let bridge = Bridge::open(&house.engine).await;
        let worker = Worker::builder(bridge.url())
            .register(Runner::default().into_service())
            .register(till.clone().into_service())
            .workflow::<Bundle>()
            .workflow::<leaf>()
            .cache_runs(mode)
            .strict();
        house.employ(worker).await;
        // It may still be connecting.
        let first = loop {
            let start = house.client.workflow::<Bundle>("0").start(SIGNALS);
            match start.await {
                Ok(run) => break run,
                Err(error) => assert_eq!(error.code(), Code::UnknownWorkflow),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        drop(first);
        let client = Client::connect(bridge.url()).await.unwrap();
        let runs = begun(&client).await;
        let mut dice = Dice(seed);
        let sending = async {
            for number in 0..SIGNALS {
                for run in &runs {
                    let id = format!("n{number}");
                    run.send(|w| &w.numbers, number).id(&id).await.unwrap();
                }
            }
        };
        let storm = async {
            for _ in 0..12 {
                tokio::time::sleep(Duration::from_millis(1 + dice.below(25))).await;
                bridge.cut();
            }
        };
        tokio::join!(sending, storm);
        let connections = bridge.connections.load(Ordering::SeqCst);
        assert!(connections > 2, "they were broken and made again");
        all_exact(&runs, &till, seed).await;
    }
}

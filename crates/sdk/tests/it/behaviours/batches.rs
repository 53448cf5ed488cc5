//! Tasks that a worker does many at a time. Batches fill up while nobody looks at a clock: as many runs wait as fit.

use super::beds;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trunkline::prelude::*;
use trunkline::testing::{TestBed, TestKit};
use trunkline::{Batch, Item, RunHandle};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Bag {
    colour: String,
    grams: u32,
}

#[service]
trait Scales {
    async fn double(&self, t: &TaskCx, number: u32) -> Result<u32>;
    async fn add(&self, t: &TaskCx, a: u32, b: u32) -> Result<u32>;
    async fn bag(&self, t: &TaskCx, number: u32) -> Result<Bag>;
    async fn heavier(&self, t: &TaskCx, bag: Bag) -> Result<Bag>;
    async fn note(&self, t: &TaskCx, number: u32) -> Result<()>;
    async fn by_colour(&self, t: &TaskCx, bag: Bag) -> Result<u32>;
}

#[derive(Clone, Default)]
struct Weigher {
    /// The sizes of the batches.
    sizes: Arc<Mutex<Vec<usize>>>,
    noted: Arc<Mutex<BTreeSet<u32>>>,
    colours: Arc<Mutex<Vec<BTreeSet<String>>>>,
}

impl Weigher {
    fn counts<I, T>(&self, items: Vec<Item<I>>, each: impl Fn(I) -> T) -> Vec<Result<T>> {
        self.sizes.lock().unwrap().push(items.len());
        items.into_iter().map(|item| Ok(each(item.input))).collect()
    }

    /// The sizes of the batches since the last look.
    fn sizes(&self) -> Vec<usize> {
        std::mem::take(&mut *self.sizes.lock().unwrap())
    }

    /// The service, each task of which is batched.
    fn service(&self, max: usize, wait: Duration) -> Service {
        fn settings<I>(max: usize, wait: Duration) -> Batch<I> {
            Batch::new().max_messages(max).max_wait(wait)
        }
        let by_colour = settings(max, wait).key(|bag: &Bag| bag.colour.clone());
        let of = |weigher: &Self| weigher.clone();
        let (a, b, c, d, e, f) = (of(self), of(self), of(self), of(self), of(self), of(self));
        Service::new("Scales")
            .batch("double", settings(max, wait), move |items| {
                let done = a.counts(items, |number: u32| 2 * number);
                async move { done }
            })
            .batch("add", settings(max, wait), move |items| {
                let done = b.counts(items, |(one, two): (u32, u32)| one + two);
                async move { done }
            })
            .batch("bag", settings(max, wait), move |items| {
                let bag = |grams: u32| Bag {
                    colour: "red".into(),
                    grams,
                };
                let done = c.counts(items, bag);
                async move { done }
            })
            .batch("heavier", settings(max, wait), move |items| {
                let heavier = |bag: Bag| Bag {
                    grams: bag.grams + 1,
                    ..bag
                };
                let done = d.counts(items, heavier);
                async move { done }
            })
            .batch("note", settings(max, wait), move |items| {
                let noted = Arc::clone(&e.noted);
                let done = e.counts(items, |number: u32| {
                    noted.lock().unwrap().insert(number);
                });
                async move { done }
            })
            .batch("by_colour", by_colour, move |items: Vec<Item<Bag>>| {
                let colours = items.iter().map(|item| item.input.colour.clone());
                f.colours.lock().unwrap().push(colours.collect());
                let done = f.counts(items, |bag: Bag| bag.grams);
                async move { done }
            })
    }
}

#[workflow]
async fn weighing(cx: Cx, (what, number): (String, u32)) -> Result<u32> {
    let scales = cx.service::<ScalesStub>();
    let colour = if number % 2 == 0 { "red" } else { "blue" };
    let bag = Bag {
        colour: colour.into(),
        grams: number,
    };
    Ok(match what.as_str() {
        "double" => scales.double(number).await?,
        "add" => scales.add(number, number).await?,
        "bag" => 2 * scales.bag(number).await?.grams,
        "heavier" => {
            let heavier = scales.heavier(bag.clone()).await?;
            assert_eq!(heavier.colour, bag.colour);
            2 * (heavier.grams - 1)
        }
        "note" => {
            scales.note(number).await?;
            2 * number
        }
        "by colour" => 2 * scales.by_colour(bag).await?,
        _ => {
            let wait = move || async move {
                WAITING.fetch_add(1, Ordering::SeqCst);
                // Nobody goes on before all are here.
                while WAITING.load(Ordering::SeqCst) < CROWD {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Ok(2 * number)
            };
            cx.step("wait", wait).await?
        }
    })
}

const CROWD: u32 = 20;
static WAITING: AtomicU32 = AtomicU32::new(0);

/// Longer than any test waits: only a full batch leaves.
const NEVER: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_millis(10);

fn kit_with(weigher: &Weigher, max: usize, wait: Duration) -> TestKit {
    TestKit::new()
        .service(weigher.service(max, wait))
        .workflow::<weighing>()
}

async fn begun(bed: &TestBed, what: &str, count: u32) -> Vec<RunHandle<weighing>> {
    let mut runs = Vec::new();
    for number in 0..count {
        let run = bed.workflow::<weighing>(format!("{number}"));
        runs.push(run.start((what.into(), number)).await.unwrap());
    }
    runs
}

/// All of them come out, each with its own result.
async fn each_has_its_own(runs: &[RunHandle<weighing>]) {
    for (number, run) in (0..).zip(runs) {
        assert_eq!(run.result().await.unwrap(), 2 * number);
    }
}

/// Thirty runs, in batches of ten that leave only when they are full.
async fn full(what: &str) {
    let weigher = Weigher::default();
    for bed in beds(|| kit_with(&weigher, 10, NEVER)).await {
        let runs = begun(&bed, what, 30).await;
        each_has_its_own(&runs).await;
        assert_eq!(weigher.sizes(), [10, 10, 10]);
    }
}

/// Three runs, in batches for a hundred that leave soon.
async fn never_full(what: &str) {
    let weigher = Weigher::default();
    for bed in beds(|| kit_with(&weigher, 100, SOON)).await {
        let runs = begun(&bed, what, 3).await;
        each_has_its_own(&runs).await;
        assert_eq!(weigher.sizes().iter().sum::<usize>(), 3);
    }
}

#[tokio::test]
async fn ba1_a_batch_of_one_is_a_batch() {
    let weigher = Weigher::default();
    for bed in beds(|| kit_with(&weigher, 10, SOON)).await {
        each_has_its_own(&begun(&bed, "double", 1).await).await;
        assert_eq!(weigher.sizes(), [1]);
    }
}

#[tokio::test]
async fn ba2_thirty_runs_make_three_full_batches() {
    full("double").await;
}

#[tokio::test]
async fn ba3_a_batch_that_is_never_full_leaves_after_its_wait() {
    never_full("double").await;
}

#[tokio::test]
async fn ba4_several_arguments_are_one_item() {
    full("add").await;
}

#[tokio::test]
async fn ba5_several_arguments_do_not_wait_for_ever() {
    never_full("add").await;
}

#[tokio::test]
async fn ba6_each_caller_gets_its_own_object() {
    full("bag").await;
}

#[tokio::test]
async fn ba7_an_object_from_a_batch_that_is_never_full() {
    never_full("bag").await;
}

#[tokio::test]
async fn ba8_objects_go_in_and_out() {
    full("heavier").await;
}

#[tokio::test]
async fn ba9_objects_through_a_batch_that_is_never_full() {
    never_full("heavier").await;
}

#[tokio::test]
async fn ba10_a_batch_may_return_nothing() {
    let weigher = Weigher::default();
    for bed in beds(|| kit_with(&weigher, 10, NEVER)).await {
        each_has_its_own(&begun(&bed, "note", 30).await).await;
        let noted = std::mem::take(&mut *weigher.noted.lock().unwrap());
        assert_eq!(noted, (0..30).collect());
        assert_eq!(weigher.sizes(), [10, 10, 10]);
    }
}

#[tokio::test]
async fn ba11_nothing_from_a_batch_that_is_never_full() {
    never_full("note").await;
}

#[tokio::test]
async fn ba12_the_items_of_a_batch_have_one_key() {
    let weigher = Weigher::default();
    for bed in beds(|| kit_with(&weigher, 10, NEVER)).await {
        each_has_its_own(&begun(&bed, "by colour", 40).await).await;
        assert_eq!(weigher.sizes(), [10, 10, 10, 10]);
        let colours = std::mem::take(&mut *weigher.colours.lock().unwrap());
        assert!(colours.iter().all(|of_batch| of_batch.len() == 1));
    }
}

#[tokio::test]
async fn ba13_steps_of_many_runs_wait_beside_each_other() {
    let weigher = Weigher::default();
    for bed in beds(|| kit_with(&weigher, 10, SOON)).await {
        WAITING.store(0, Ordering::SeqCst);
        each_has_its_own(&begun(&bed, "steps", CROWD).await).await;
    }
}

#[tokio::test]
async fn ba14_all_runs_through_a_batched_task_end() {
    let weigher = Weigher::default();
    for bed in beds(|| kit_with(&weigher, 7, SOON)).await {
        each_has_its_own(&begun(&bed, "double", 100).await).await;
        let sizes = weigher.sizes();
        assert_eq!(sizes.iter().sum::<usize>(), 100);
        assert!(sizes.iter().all(|size| *size <= 7), "{sizes:?}");
    }
}

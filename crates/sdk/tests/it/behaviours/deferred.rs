//! Deferred results: started now, awaited later, together or in a race.

use super::beds;
use super::errands::{Errands, ErrandsStub, Runner};
use futures_util::future::select_all;
use trunkline::prelude::*;
use trunkline::testing::{TestBed, TestKit};
use trunkline::{RunError, TaskHandle};

fn letter(cx: &Cx, text: &str, ms: u64) -> TaskHandle<String, Error> {
    let task = cx.service::<ErrandsStub>().later(text.to_owned(), ms);
    task.start()
}

#[derive(Debug, Workflow)]
struct Later {}

#[workflow]
impl Later {
    #[run]
    async fn run(&self, cx: Cx, what: String) -> Result<String> {
        let errands = cx.service::<ErrandsStub>();
        let says = |is_done: bool| if is_done { "yes " } else { "no " };
        Ok(match what.as_str() {
            "sequence" => {
                let mut text = String::new();
                for digit in ["1", "2", "3"] {
                    text = errands.concat(text, digit.into()).await?;
                }
                text
            }
            "handles" => {
                let one = cx.defer(errands.concat(String::new(), "1".into()));
                let one = one.await?;
                let two = errands.concat(one, "2".into()).start().await?;
                errands.concat(two, "3".into()).start().await?
            }
            "beside" => {
                let turned = errands.reverse("ab".into()).start();
                let two = errands.concat(String::new(), "2".into()).await?;
                let three = errands.concat(two, "3".into()).await?;
                three + &turned.await?
            }
            "wrong order" | "and a step" => {
                let (slow, quick) = (errands.takes(500).start(), errands.takes(100).start());
                let sum = slow.await? + quick.await?;
                if what == "and a step" {
                    let more = errands.takes(1).await?;
                    return Ok((sum + more).to_string());
                }
                sum.to_string()
            }
            "first of three" => select! {
                text = letter(&cx, "a", 300) => text?,
                text = letter(&cx, "b", 100) => text?,
                text = letter(&cx, "c", 200) => text?,
            },
            "pair wins" | "single wins" => {
                let single_ms = if what == "pair wins" { 900 } else { 200 };
                let (one, two) = (letter(&cx, "a", 300), letter(&cx, "b", 100));
                let single = letter(&cx, "c", single_ms);
                select! {
                    pair = try_join!(one, two) => {
                        let (one, two): (String, String) = pair?;
                        one + &two
                    }
                    single = single => single?,
                }
            }
            "first of a list" => {
                let letters = (1..=5_u32).rev();
                let letters = letters.map(|n| letter(&cx, &n.to_string(), u64::from(n) * 100));
                let (first, index, rest) = select_all(letters).await;
                format!("{} at {index} of {}", first?, rest.len() + 1)
            }
            "status" => {
                let slow = cx.defer(letter(&cx, "slow", 900));
                let timer = cx.defer(cx.sleep(millis(300)));
                let mut said = format!("{}{}", says(slow.is_done()), says(timer.is_done()));
                select! {
                    text = slow.clone() => said += &text?,
                    slept = timer.clone() => slept?,
                }
                // Another step: on a replay the same is done by now.
                said += &errands.reverse(",".into()).await?;
                said = format!("{said}{}{}", says(slow.is_done()), says(timer.is_done()));
                let text = slow.clone().await?;
                format!("{said}{text} {}", says(slow.is_done()))
            }
            "three" => {
                let (a, b, c) = try_join!(
                    letter(&cx, "a", 30),
                    letter(&cx, "b", 10),
                    letter(&cx, "c", 20)
                )
                .await?;
                format!("{a}{b}{c}")
            }
            "list" | "twenty" => {
                let count = if what == "list" { 4 } else { 20 };
                let letters = (0..count).map(|n| letter(&cx, &format!("{n} "), (count - n) * 10));
                cx.try_join_all(letters).await?.concat()
            }
            "twice" => {
                let one = cx.defer(errands.takes(40));
                let begun = cx.now();
                let (first, second) = (one.clone().await?, one.await?);
                let took = cx.now().0 - begun.0;
                // And two calls one after the other are two tasks.
                let two = errands.takes(40).await? + errands.takes(40).await?;
                let took_both = cx.now().0 - begun.0 - took;
                format!("{first} {second} in {took}, {two} in {took_both}")
            }
            "failure" => {
                let failing = cx.defer(errands.refuse("rain".into()));
                let (first, second) = (failing.clone().await, failing.clone().await);
                assert!(failing.is_done());
                let (first, second) = (first.unwrap_err(), second.unwrap_err());
                format!("{} {}", first, second.failure().name)
            }
            "a block" => {
                let stub = cx.service::<ErrandsStub>();
                let block = cx.defer(async move {
                    let first = stub.takes(100).await?;
                    Ok::<_, TaskError<Error>>(first + stub.takes(100).await?)
                });
                cx.sleep(millis(150)).await?;
                // Its first operation was begun with it; its second is, when somebody looks.
                let before = block.is_done();
                cx.sleep(millis(200)).await?;
                format!("{before} {:?}", block.peek())
            }
            other => return Err(Error::new("Unknown", other.to_owned())),
        })
    }
}

/// What a request to cancel does to deferred results.
#[derive(Debug, Workflow)]
struct GivenUp {
    go: Channel<()>,
    seen: Prop<String>,
}

#[workflow]
impl GivenUp {
    #[run]
    async fn run(&self, cx: Cx, how: String) -> Result<()> {
        let task = cx.defer(letter(&cx, "done", 1_000));
        match how.as_str() {
            // Begun, looked at, and awaited in a race that was lost: nobody waits for it when the request comes.
            "passed by" => {
                assert!(!task.is_done());
                select! {
                    _ = task.clone() => {}
                    slept = cx.sleep(millis(1)) => slept?,
                }
                let waited = self.go.recv().await;
                assert!(!task.is_done());
                let text = task.await?;
                self.seen.set(format!("{} {text}", waited.is_err()));
            }
            _ => {
                let awaited = task.clone().await;
                let again = task.await;
                let is_cancelled = |result: &Result<String, TaskError<Error>>| {
                    result.as_ref().is_err_and(TaskError::is_cancelled)
                };
                let both = (is_cancelled(&awaited), is_cancelled(&again));
                self.seen.set(format!("{both:?}"));
            }
        }
        cx.check_cancelled()?;
        Ok(())
    }
}

fn kit() -> TestKit {
    TestKit::new()
        .service(Runner::default().into_service())
        .workflow::<Later>()
        .workflow::<GivenUp>()
}

async fn comes_to(what: &str, result: &str) {
    for bed in beds(kit).await {
        let run = bed.workflow::<Later>("1").execute(what.into()).await;
        assert_eq!(run.unwrap(), result, "{what}");
    }
}

#[tokio::test]
async fn d1_tasks_follow_one_another() {
    comes_to("sequence", "123").await;
}

#[tokio::test]
async fn d2_a_client_awaits_a_run_later() {
    for bed in beds(kit).await {
        let start = bed.workflow::<Later>("1").start("sequence".into());
        let run = start.await.unwrap();
        bed.advance_by(days(2)).await;
        assert_eq!(run.result().await.unwrap(), "123");
        assert_eq!(run.result().await.unwrap(), "123", "and again");
    }
}

#[tokio::test]
async fn d3_tasks_follow_one_another_by_their_handles() {
    comes_to("handles", "123").await;
}

#[tokio::test]
async fn d4_a_task_goes_on_while_others_are_done() {
    comes_to("beside", "23ba").await;
}

#[tokio::test]
async fn d5_two_tasks_are_awaited_in_the_wrong_order() {
    comes_to("wrong order", "600").await;
}

#[tokio::test]
async fn d6_a_step_behind_them_replays_as_well() {
    comes_to("and a step", "601").await;
}

#[tokio::test]
async fn d7_the_first_of_three_wins() {
    comes_to("first of three", "b").await;
}

#[tokio::test]
async fn d8_a_pair_and_a_single_one_race() {
    comes_to("pair wins", "ab").await;
    comes_to("single wins", "c").await;
}

#[tokio::test]
async fn d9_the_first_of_a_list_wins() {
    comes_to("first of a list", "1 at 4 of 5").await;
}

#[tokio::test]
async fn d10_after_a_race_each_says_whether_it_is_done() {
    comes_to("status", "no no ,no yes slow yes ").await;
}

#[tokio::test]
async fn d11_three_are_joined() {
    comes_to("three", "abc").await;
}

#[tokio::test]
async fn d12_a_list_is_joined() {
    comes_to("list", "0 1 2 3 ").await;
}

#[tokio::test]
async fn d13_twenty_are_joined() {
    let all: String = (0..20).map(|n| format!("{n} ")).collect();
    comes_to("twenty", &all).await;
}

#[tokio::test]
async fn d14_one_result_is_awaited_twice() {
    comes_to("twice", "40 40 in 40, 80 in 80").await;
}

#[tokio::test]
async fn d15_a_deferred_failure_is_the_same_each_time() {
    comes_to("failure", "rain Refused").await;
    comes_to("a block", "false Some(Ok(200))").await;
}

async fn given_up(bed: &TestBed, how: &str) -> String {
    let run = bed.workflow::<GivenUp>(how).start(how.into());
    let run = run.await.unwrap();
    bed.advance_by(millis(500)).await;
    run.cancel("enough").await.unwrap();
    let error = run.result().await.unwrap_err();
    assert!(matches!(error, RunError::Cancelled(_)), "{error:?}");
    run.prop(|w| &w.seen).await.unwrap().unwrap()
}

#[tokio::test]
async fn d16_a_request_to_cancel_ends_a_deferred_wait_only_if_somebody_waits() {
    for bed in beds(kit).await {
        assert_eq!(given_up(&bed, "passed by").await, "true done");
        assert_eq!(given_up(&bed, "awaited").await, "(true, true)");
    }
}

//! Receiving signals: from whom, under which conditions, in which order.

use super::beds;
use serde::{Deserialize, Serialize};
use trunkline::prelude::*;
use trunkline::testing::{TestBed, TestKit};
use trunkline::{RunHandle, WhichTimers};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Post {
    Card { from: String, words: u32 },
    Parcel { from: String, grams: u32 },
}

fn card(from: &str, words: u32) -> Post {
    let from = from.into();
    Post::Card { from, words }
}

fn parcel(from: &str, grams: u32) -> Post {
    let from = from.into();
    Post::Parcel { from, grams }
}

#[derive(Debug, Workflow)]
struct Letterbox {
    texts: Channel<String>,
    others: Channel<String>,
    post: Channel<Post>,
    state: Prop<String>,
}

impl Letterbox {
    async fn two_conditions(&self) -> Result<String> {
        let by_card = self
            .post
            .recv_where(|post| matches!(post, Post::Card { from, .. } if from == "ann"));
        let by_parcel = self
            .post
            .recv_where(|post| matches!(post, Post::Parcel { grams, .. } if *grams > 100));
        let (one, two) = try_join!(by_card, by_parcel).await?;
        Ok(format!("{one:?} {two:?}"))
    }
}

#[workflow]
impl Letterbox {
    #[run]
    async fn run(&self, cx: Cx, what: String) -> Result<String> {
        let least = cx.run_id().id.len() as u32 + 20;
        Ok(match what.as_str() {
            "one" => self.texts.recv().await?,
            "or an hour" => select! {
                text = self.texts.recv() => text?,
                slept = cx.sleep(hours(1)) => { slept?; "nothing".into() }
            },
            "late" => {
                cx.sleep(hours(1)).await?;
                select! {
                    text = self.texts.recv() => text?,
                    slept = cx.sleep(hours(1)) => { slept?; "nothing".into() }
                }
            }
            "object" => format!("{:?}", self.post.recv().await?),
            "condition" => {
                let from_ann = |post: &Post| match post {
                    Post::Card { from, .. } | Post::Parcel { from, .. } => from == "ann",
                };
                let found = self.post.recv_where(from_ann).await?;
                format!("{found:?}, {} left", self.post.len())
            }
            "computed" => {
                let heavy = move |post: &Post| match post {
                    Post::Card { words: much, .. } | Post::Parcel { grams: much, .. } => {
                        *much >= least
                    }
                };
                format!("{:?}", self.post.recv_where(heavy).await?)
            }
            "variant" => {
                let is_parcel = |post: &Post| matches!(post, Post::Parcel { .. });
                format!("{:?}", self.post.recv_where(is_parcel).await?)
            }
            "variant and condition" => {
                let wanted =
                    |post: &Post| matches!(post, Post::Parcel { from, .. } if from == "ann");
                format!("{:?}", self.post.recv_where(wanted).await?)
            }
            "variant and computed" => {
                let wanted = move |post: &Post| matches!(post, Post::Parcel { grams, .. } if *grams >= least);
                format!("{:?}", self.post.recv_where(wanted).await?)
            }
            "two conditions" => self.two_conditions().await?,
            "three" => {
                let mut text = String::new();
                for _ in 0..3 {
                    text += &self.texts.recv().await?;
                    self.state.set(text.clone());
                }
                text
            }
            "two and one more" => {
                let (one, two) = (self.texts.recv().await?, self.texts.recv().await?);
                self.state.set(format!("{one}{two}"));
                let three = self.texts.recv_timeout(hours(1)).await?;
                format!("{one}{two} {three:?}")
            }
            _ => {
                let mut missed = 0;
                let text = loop {
                    select! {
                        text = self.texts.recv() => break text?,
                        slept = cx.sleep(hours(1)) => { slept?; missed += 1; }
                    }
                };
                format!("{text} after {missed}")
            }
        })
    }
}

fn kit() -> TestKit {
    TestKit::new().workflow::<Letterbox>()
}

async fn begun(bed: &TestBed, what: &str) -> RunHandle<Letterbox> {
    let run = bed.workflow::<Letterbox>("1").tag("box");
    let run = run.start(what.into()).await.unwrap();
    bed.rest().await;
    run
}

async fn post(run: &RunHandle<Letterbox>, all: impl IntoIterator<Item = Post>) {
    for one in all {
        run.send(|w| &w.post, one).await.unwrap();
    }
}

async fn texts(run: &RunHandle<Letterbox>, all: &[&str]) {
    for text in all {
        run.send(|w| &w.texts, (*text).into()).await.unwrap();
    }
}

/// What a run that waits for post makes of this.
async fn picks(what: &str, sent: &[Post], result: &str) {
    for bed in beds(kit).await {
        let run = begun(&bed, what).await;
        post(&run, sent.to_vec()).await;
        assert_eq!(run.result().await.unwrap(), result, "{what}");
    }
}

#[tokio::test]
async fn c1_a_signal_sent_after_the_start_is_received() {
    for bed in beds(kit).await {
        let start = bed.workflow::<Letterbox>("1").start("one".into());
        let run = start.await.unwrap();
        texts(&run, &["a"]).await;
        assert_eq!(run.result().await.unwrap(), "a");
    }
}

#[tokio::test]
async fn c2_a_signal_finds_its_run_by_id() {
    for bed in beds(kit).await {
        begun(&bed, "one").await;
        let run = bed.client().run::<Letterbox>("1");
        texts(&run, &["a"]).await;
        assert_eq!(run.result().await.unwrap(), "a");
    }
}

#[tokio::test]
async fn c3_a_signal_finds_its_runs_by_a_tag() {
    for bed in beds(kit).await {
        let run = begun(&bed, "one").await;
        let other = bed.workflow::<Letterbox>("2").start("one".into());
        let other = other.await.unwrap();
        let sent = bed.client().send_tagged("Letterbox", "box", "texts", "a");
        assert_eq!(sent.await.unwrap(), 1);
        assert_eq!(run.result().await.unwrap(), "a");
        assert!(other.describe().await.unwrap().outcome.is_none());
    }
}

#[tokio::test]
async fn c4_a_signal_wins_against_a_timer() {
    for bed in beds(kit).await {
        let run = begun(&bed, "or an hour").await;
        texts(&run, &["a"]).await;
        assert_eq!(run.result().await.unwrap(), "a");
    }
}

#[tokio::test]
async fn c5_a_signal_to_another_channel_does_not_end_the_wait() {
    for bed in beds(kit).await {
        let run = begun(&bed, "or an hour").await;
        run.send(|w| &w.others, "a".into()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "nothing");
    }
}

#[tokio::test]
async fn c6_a_signal_that_comes_before_its_receive_is_kept() {
    for bed in beds(kit).await {
        let run = begun(&bed, "late").await;
        texts(&run, &["a"]).await;
        assert_eq!(run.result().await.unwrap(), "a");
    }
}

#[tokio::test]
async fn c7_a_signal_may_be_any_type_that_serde_knows() {
    let result = format!("{:?}", card("ann", 3));
    picks("object", &[card("ann", 3)], &result).await;
}

#[tokio::test]
async fn c8_a_receiver_takes_only_what_meets_its_condition() {
    let sent = [card("bob", 1), parcel("cat", 2), parcel("ann", 3)];
    let result = format!("{:?}, 2 left", parcel("ann", 3));
    picks("condition", &sent, &result).await;
}

#[tokio::test]
async fn c9_a_condition_may_use_what_the_run_knows() {
    let sent = [card("bob", 20), parcel("cat", 21)];
    picks("computed", &sent, &format!("{:?}", parcel("cat", 21))).await;
}

#[tokio::test]
async fn c10_a_receiver_takes_one_variant() {
    let sent = [card("ann", 20), parcel("bob", 1)];
    picks("variant", &sent, &format!("{:?}", parcel("bob", 1))).await;
}

#[tokio::test]
async fn c11_a_receiver_takes_one_variant_with_a_condition() {
    let sent = [card("ann", 1), parcel("bob", 1), parcel("ann", 2)];
    let result = format!("{:?}", parcel("ann", 2));
    picks("variant and condition", &sent, &result).await;
}

#[tokio::test]
async fn c12_a_receiver_takes_one_variant_with_a_computed_condition() {
    let sent = [card("ann", 50), parcel("bob", 20), parcel("cat", 50)];
    let result = format!("{:?}", parcel("cat", 50));
    picks("variant and computed", &sent, &result).await;
}

#[tokio::test]
async fn c14_receivers_with_conditions_get_theirs_in_whatever_order_they_come() {
    let mut sent = vec![
        parcel("bob", 101),
        parcel("ann", 100),
        card("bob", 1),
        card("ann", 2),
    ];
    let result = format!("{:?} {:?}", card("ann", 2), parcel("bob", 101));
    picks("two conditions", &sent, &result).await;
    sent.reverse();
    picks("two conditions", &sent, &result).await;
}

#[tokio::test]
async fn c15_receives_in_a_row_get_the_signals_in_order() {
    for bed in beds(kit).await {
        let start = bed.workflow::<Letterbox>("1").start("three".into());
        let run = start.await.unwrap();
        texts(&run, &["a", "b", "c"]).await;
        assert_eq!(run.result().await.unwrap(), "abc");
    }
}

#[tokio::test]
async fn c16_receives_in_a_row_wait_for_a_slow_sender() {
    for bed in beds(kit).await {
        let run = begun(&bed, "three").await;
        let mut so_far = String::new();
        for text in ["a", "b", "c"] {
            bed.advance_by(millis(300)).await;
            texts(&run, &[text]).await;
            bed.rest().await;
            so_far += text;
            let state = run.prop(|w| &w.state).await.unwrap();
            assert_eq!(state.as_deref(), Some(&*so_far));
        }
        assert_eq!(run.result().await.unwrap(), "abc");
    }
}

#[tokio::test]
async fn c18_a_receive_beyond_the_last_signal_waits_and_repeats_nothing() {
    for bed in beds(kit).await {
        let run = begun(&bed, "two and one more").await;
        texts(&run, &["a", "b"]).await;
        assert_eq!(run.result().await.unwrap(), "ab None");
    }
}

#[tokio::test]
async fn c19_a_receive_beyond_the_last_signal_gets_the_one_that_comes_late() {
    for bed in beds(kit).await {
        let run = begun(&bed, "two and one more").await;
        texts(&run, &["a", "b"]).await;
        bed.advance_by(minutes(59)).await;
        let state = run.prop(|w| &w.state).await.unwrap();
        assert_eq!(state.as_deref(), Some("ab"));
        texts(&run, &["c"]).await;
        assert_eq!(run.result().await.unwrap(), "ab Some(\"c\")");
    }
}

#[tokio::test]
async fn c21_receives_that_lose_against_a_timer_lose_no_signal() {
    for bed in beds(kit).await {
        let run = begun(&bed, "again and again").await;
        bed.advance_by(hours(2)).await;
        texts(&run, &["a"]).await;
        bed.rest().await;
        assert_eq!(run.result().await.unwrap(), "a after 2");
    }
    // In the very commit in which the timer fires, the signal is behind it: the next receive gets it.
    for bed in beds(kit).await {
        let run = begun(&bed, "again and again").await;
        let hold = bed.hold();
        assert_eq!(run.complete_timers(WhichTimers::All).await.unwrap(), 1);
        texts(&run, &["a"]).await;
        drop(hold);
        assert_eq!(run.result().await.unwrap(), "a after 1");
    }
}

//! Properties that the branches of a run share.

use super::beds;
use super::errands::{Errands, ErrandsStub, Runner};
use serde::Serialize;
use trunkline::prelude::*;
use trunkline::testing::TestKit;
use trunkline::{Deferred, Field};

#[derive(Debug, Workflow)]
struct Board {
    text: Prop<String>,
    woken: Channel<()>,
}

impl Board {
    fn write(&self, more: &str) {
        self.text.update(|text| text.push_str(more));
    }
}

#[workflow]
impl Board {
    #[run]
    async fn run(&self, cx: Cx, what: String) -> Result<String> {
        let errands = cx.service::<ErrandsStub>();
        let own = |more: &str, ms: u64| {
            let more = more.to_owned();
            cx.call_self::<Self, _, _>(|w| w.add(more, ms))
        };
        self.write("a");
        match what.as_str() {
            "awaited" => {
                own("b", 0).await?;
                self.write("c");
            }
            "started" => {
                let branch = own("b", 0).start();
                self.write("c");
                branch.await?;
                self.write("d");
            }
            "steps" => {
                let branch = own("b", 20).start();
                errands.takes(10).await?;
                self.write("c");
                branch.await?;
                self.write("d");
            }
            "slow" => {
                own("b", 1_000).detach();
                errands.takes(10).await?;
                self.write("c");
                errands.takes(10).await?;
                self.write("d");
            }
            "two" => {
                let (b, c) = (own("b", 20).start(), own("c", 10).start());
                self.write("d");
                try_join!(b, c).await?;
            }
            _ => {
                cx.call_self::<Self, _, _>(|w| w.add_and_wake("b".into()))
                    .detach();
                self.write("c");
                self.woken.recv().await?;
                self.write("d");
            }
        }
        Ok(self.text.get())
    }

    #[method]
    async fn add(&self, cx: Cx, more: String, ms: u64) -> Result<()> {
        if ms > 0 {
            cx.service::<ErrandsStub>().takes(ms).await?;
        }
        self.write(&more);
        Ok(())
    }

    #[method]
    async fn add_and_wake(&self, cx: Cx, more: String) -> Result<()> {
        let more = cx.service::<ErrandsStub>().reverse(more).await?;
        self.write(&more);
        let id = cx.run_id().id.clone();
        cx.other::<Self>(id).send(|w| &w.woken, &()).await?;
        Ok(())
    }
}

fn kit() -> TestKit {
    TestKit::new()
        .service(Runner::default().into_service())
        .workflow::<Board>()
}

/// The result, and what clients read in the end.
async fn comes_to(what: &str, result: &str, in_the_end: &str) {
    for bed in beds(kit).await {
        let run = bed.workflow::<Board>("1").start(what.into()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), result, "{what}");
        let text = run.prop(|w| &w.text).await.unwrap();
        assert_eq!(text.as_deref(), Some(in_the_end));
    }
}

#[tokio::test]
async fn p1_a_property_is_shared_with_a_method() {
    comes_to("awaited", "abc", "abc").await;
}

#[tokio::test]
async fn p2_a_started_method_runs_when_the_code_waits() {
    comes_to("started", "acbd", "acbd").await;
}

#[tokio::test]
async fn p3_branches_take_turns_over_several_steps() {
    comes_to("steps", "acbd", "acbd").await;
}

#[tokio::test]
async fn p4_what_a_slow_branch_sets_is_seen_only_then() {
    // The run ends when the branch has, with the result of its own code.
    comes_to("slow", "acd", "acdb").await;
}

#[tokio::test]
async fn p5_two_branches_write_in_the_order_of_time() {
    comes_to("two", "adcb", "adcb").await;
}

#[tokio::test]
async fn p10_what_a_branch_sets_before_it_signals_is_seen() {
    comes_to("woken", "acbd", "acbd").await;
}

/// A type for which a trait's function can be named although the trait is implemented for everything under one mark and
/// for some things under another is one of those that have only the first: else the name would be ambiguous, and this
/// would not compile.
trait NotSerializable<Mark> {
    fn is_none() {}
}

impl<T> NotSerializable<()> for T {}
impl<T: Serialize> NotSerializable<u8> for T {}

trait NotAField<Mark> {
    fn is_none() {}
}

impl<T> NotAField<()> for T {}
impl<T: Field> NotAField<u8> for T {}

#[test]
fn p6_a_deferred_result_can_be_neither_argument_nor_property() {
    // Whether the result is there or not: the type is the same.
    <Deferred<u32> as NotSerializable<_>>::is_none();
    <Deferred<u32> as NotAField<_>>::is_none();
}

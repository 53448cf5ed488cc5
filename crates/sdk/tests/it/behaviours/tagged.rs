//! Runs that are found by a tag or an id.

use super::beds;
use trunkline::core::code::Code;
use trunkline::core::peer::{Action, RunFilter};
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;
use trunkline::testing::{TestBed, TestKit};
use trunkline::{ClientError, RunError, RunHandle};

#[derive(Debug, Workflow)]
struct Member {
    points: Prop<u32>,
    leave: Channel<()>,
}

#[workflow]
impl Member {
    #[run]
    async fn run(&self, cx: Cx, points: u32) -> Result<u32> {
        let _ = cx;
        self.points.set(points);
        self.leave.recv().await?;
        Ok(self.points.get())
    }

    #[method]
    async fn add(&self, cx: Cx, more: u32) -> Result<u32> {
        cx.sleep(secs(1)).await?;
        self.points.update(|points| *points += more);
        Ok(self.points.get())
    }
}

fn kit() -> TestKit {
    TestKit::new().workflow::<Member>()
}

fn with_tag(tag: &str) -> RunFilter {
    RunFilter {
        workflow: Some("Member".into()),
        tag: Some(tag.into()),
        status: Some(RunStatus::Running),
        limit: 100,
        ..RunFilter::default()
    }
}

/// Three members, two of which are gold.
async fn club(bed: &TestBed) {
    for (id, tag, points) in [("a", "gold", 1), ("b", "plain", 2), ("c", "gold", 3)] {
        let member = bed.workflow::<Member>(id).tag(tag).start(points);
        member.await.unwrap();
    }
}

/// The runs that a client finds by the tag.
async fn found(bed: &TestBed, tag: &str) -> Vec<RunHandle<Member>> {
    let runs = bed.client().list(with_tag(tag)).await.unwrap();
    let mut ids: Vec<_> = runs.into_iter().map(|run| run.id.id).collect();
    ids.sort();
    let run = |id| bed.client().run::<Member>(id);
    ids.into_iter().map(run).collect()
}

#[tokio::test]
async fn t2_runs_are_counted_and_cancelled_by_a_tag() {
    for bed in beds(kit).await {
        club(&bed).await;
        let client = bed.client();
        assert_eq!(client.count(with_tag("gold")).await.unwrap(), 2);
        let runs = found(&bed, "gold").await;
        let reason = "the club closes".into();
        let told = client.act_on_tagged("Member", "gold", Action::Cancel { reason });
        assert_eq!(told.await.unwrap(), 2);
        for run in runs {
            let error = run.result().await.unwrap_err();
            assert!(matches!(error, RunError::Cancelled(_)));
        }
        assert_eq!(client.count(with_tag("gold")).await.unwrap(), 0);
        assert_eq!(client.count(with_tag("plain")).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn t3_a_second_start_with_an_id_is_answered() {
    for bed in beds(kit).await {
        let run = bed.workflow::<Member>("a").start(1).await.unwrap();
        let refused = bed.workflow::<Member>("a").start(2).await;
        let Err(ClientError::Rejected(rejection)) = refused else {
            panic!("one run has an id");
        };
        assert_eq!(rejection.code, Code::RunExists);
        let attached = bed.workflow::<Member>("a").attach().start(2).await.unwrap();
        let waiting = tokio::spawn(async move { attached.result().await });
        run.send(|w| &w.leave, ()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 1);
        assert_eq!(waiting.await.unwrap().unwrap(), 1, "of the first start");
        // Also late, and when somebody takes over the id.
        let late = bed.workflow::<Member>("a").attach().execute(3).await;
        assert_eq!(late.unwrap(), 1);
        let again = bed.workflow::<Member>("a").replace().start(4).await;
        again.unwrap().send(|w| &w.leave, ()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 4);
    }
}

#[tokio::test]
async fn e24_methods_are_called_on_the_runs_with_a_tag() {
    for bed in beds(kit).await {
        club(&bed).await;
        let mut points = Vec::new();
        for run in found(&bed, "gold").await {
            points.push(run.call(|w| w.add(10)).await.unwrap());
        }
        assert_eq!(points, [11, 13]);
    }
}

#[tokio::test]
async fn e25_methods_are_begun_on_the_runs_with_a_tag() {
    for bed in beds(kit).await {
        club(&bed).await;
        let before = bed.now();
        for run in found(&bed, "gold").await {
            run.call(|w| w.add(10)).start().await.unwrap();
        }
        assert_eq!(bed.now(), before, "nobody has waited");
        bed.advance_by(secs(1)).await;
        let mut points = Vec::new();
        for id in ["a", "b", "c"] {
            let run = bed.client().run::<Member>(id);
            points.extend(run.prop(|w| &w.points).await.unwrap());
        }
        assert_eq!(points, [11, 2, 13]);
    }
}

//! A task that a client answers.

use super::beds;
use super::errands::{Errands, ErrandsStub, Runner};
use trunkline::prelude::*;
use trunkline::testing::TestKit;

#[workflow]
async fn asking(cx: Cx, (): ()) -> Result<String> {
    Ok(cx.service::<ErrandsStub>().ask().await? + "!")
}

#[tokio::test]
async fn de1_a_client_answers_a_delegated_task() {
    let runner = Runner::default();
    let kit = || {
        TestKit::new()
            .service(runner.clone().into_service())
            .workflow::<asking>()
    };
    for bed in beds(kit).await {
        let run = bed.workflow::<asking>("1").start(()).await.unwrap();
        bed.advance_by(days(3)).await;
        let id = runner.asked.lock().unwrap().pop().unwrap();
        assert!(runner.asked.lock().unwrap().is_empty(), "one attempt");
        let task = bed.client().task(id).unwrap();
        task.complete("success").await.unwrap();
        assert_eq!(run.result().await.unwrap(), "success!");
    }
}

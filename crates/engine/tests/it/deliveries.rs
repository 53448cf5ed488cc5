//! Deliveries over real HTTP.

use crate::acceptor::{Acceptor, Manner};
use crate::{Folder, PATIENCE, eventually, player, start};
use std::time::Duration;
use trunkline_core::code::Code;
use trunkline_core::egress::{Destination, Job, JobState, Rule, Verdict};
use trunkline_core::ids::JobId;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{Op, Reply};
use trunkline_engine::Engine;

async fn put(engine: &Engine, url: &str) {
    let mut destination = Destination {
        name: Name::from("shop"),
        url: Name::from(url),
        timeout_ms: 300,
        ..Destination::default()
    };
    destination.retry.initial_ms = 10;
    destination.retry.max_ms = 10;
    let reply = engine
        .request(Op::PutDestination {
            destination: Box::new(destination),
        })
        .await;
    assert_eq!(reply, Ok(Reply::Done));
}

async fn create(engine: &Engine, count: u64) -> Vec<JobId> {
    let jobs: Vec<_> = (0..count)
        .map(|number| {
            let body = Payload::from(format!("{{\"number\":{number}}}").into_bytes());
            (
                JobId::of_key("shop", &number.to_string()),
                player::job("a", body),
            )
        })
        .collect();
    let ids = jobs.iter().map(|(id, _)| *id).collect();
    engine.request(Op::CreateJobs { jobs }).await.unwrap();
    ids
}

async fn settled(engine: &Engine, job: JobId) -> Job {
    let mut settled = None;
    eventually("the job is settled", async || {
        let op = Op::DescribeJob {
            destination: Name::from("shop"),
            job,
        };
        let Ok(Reply::Job { job, .. }) = engine.request(op).await else {
            panic!("a job");
        };
        let done = job.state != JobState::Pending;
        settled = done.then_some(*job);
        done
    })
    .await;
    settled.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_lane_arrive_in_order_over_one_connection() {
    let folder = Folder::new();
    let engine = folder.open();
    let shop = Acceptor::new(Vec::new()).await;
    put(&engine, &shop.url).await;
    let jobs = create(&engine, 20).await;
    for job in &jobs {
        assert_eq!(settled(&engine, *job).await.state, JobState::Succeeded);
    }
    let seen = shop.seen();
    assert_eq!(seen.len(), 20);
    for (number, (call, job)) in seen.iter().zip(&jobs).enumerate() {
        assert_eq!(call.key, job.to_string());
        assert_eq!(
            (&*call.attempt, &*call.content_type),
            ("1", "application/json")
        );
        assert_eq!(call.sequence, (number + 1).to_string());
        assert_eq!(call.port, seen[0].port, "the connection is kept");
        let envelope = serde_json::json!({
            "job": job.to_string(), "destination": "shop", "lane": "a", "sequence": number + 1,
            "action": "update", "object_type": "stock", "object_ids": ["85123A"], "attempt": 1,
            "source": null, "body": {"number": number},
        });
        assert_eq!(call.body, envelope);
    }
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_silent_or_broken_call_is_repeated_with_the_same_key() {
    let folder = Folder::new();
    let engine = folder.open();
    let shop = Acceptor::new(vec![
        Manner::Answer(503, None, "busy".into()),
        Manner::Silence,
        Manner::Drop,
    ])
    .await;
    put(&engine, &shop.url).await;
    let job = create(&engine, 1).await[0];
    assert_eq!(settled(&engine, job).await.state, JobState::Succeeded);
    let seen = shop.seen();
    let attempts: Vec<_> = seen.iter().map(|call| call.attempt.as_str()).collect();
    assert_eq!(attempts, ["1", "2", "3", "4"]);
    assert!(seen.iter().all(|call| call.key == job.to_string()));
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_429_is_heeded_for_as_long_as_it_asks() {
    let folder = Folder::new();
    let engine = folder.open();
    let shop = Acceptor::new(vec![Manner::Answer(429, Some("1"), "slow down".into())]).await;
    put(&engine, &shop.url).await;
    let jobs = create(&engine, 3).await;
    for job in jobs {
        settled(&engine, job).await;
    }
    let seen = shop.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen[1].at - seen[0].at >= Duration::from_secs(1));
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_good_makes_a_dead_letter_that_says_why() {
    let folder = Folder::new();
    let engine = folder.open();
    let long = "no such article ".repeat(1_000);
    let shop = Acceptor::new(vec![Manner::Answer(400, None, long)]).await;
    put(&engine, &shop.url).await;
    let job = create(&engine, 1).await[0];
    let job = settled(&engine, job).await;
    assert_eq!(job.state, JobState::Dead);
    let error = job.last_error.unwrap();
    assert!(
        error.contains("400") && error.contains("no such article"),
        "{error}"
    );
    assert!(error.len() < 2_300, "{} bytes", error.len());
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listening_is_a_failure_like_any_other() {
    let folder = Folder::new();
    let engine = folder.open();
    // A port that was free a moment ago.
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    put(&engine, &url).await;
    let job = create(&engine, 1).await[0];
    eventually("it has been tried", async || {
        let op = Op::DescribeJob {
            destination: Name::from("shop"),
            job,
        };
        let Ok(Reply::Job { job, .. }) = engine.request(op).await else {
            panic!("a job");
        };
        job.attempts >= 2
            && job
                .last_error
                .is_some_and(|error| error.contains("refused"))
    })
    .await;
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ships_a_job_from_shard_to_shard_exactly_once() {
    let folder = Folder::new();
    let engine = folder.open();
    let shop = Acceptor::new(Vec::new()).await;
    put(&engine, &shop.url).await;
    let _player = player::play(&engine);
    for id in 0..30 {
        let id = id.to_string();
        engine
            .request(start("ship", &id, &format!("\"{id}\"")))
            .await
            .unwrap();
    }
    eventually("all are delivered", async || {
        engine.counters().await.jobs_succeeded == 30
    })
    .await;
    eventually("all messages are acknowledged", async || {
        engine.counters().await.outbox == 0
    })
    .await;
    let seen = shop.seen();
    let mut sources: Vec<_> = seen
        .iter()
        .map(|call| call.body["source"].to_string())
        .collect();
    sources.sort();
    sources.dedup();
    assert_eq!((seen.len(), sources.len()), (30, 30));
    let sequences: Vec<u64> = seen
        .iter()
        .map(|call| call.sequence.parse().unwrap())
        .collect();
    assert_eq!(sequences, (1..=30).collect::<Vec<_>>());
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_judge_what_the_destination_answers() {
    let folder = Folder::new();
    let engine = folder.open();
    let shop = Acceptor::new(vec![
        Manner::Answer(409, None, r#"{"code":"later"}"#.into()),
        Manner::Answer(409, None, r#"{"code":"exists"}"#.into()),
        Manner::Answer(200, None, r#"{"errors":["no such sku"]}"#.into()),
    ])
    .await;
    let rule = |when: &str, then| Rule {
        when: Name::from(when),
        then,
    };
    let destination = Destination {
        name: Name::from("shop"),
        url: Name::from(shop.url.as_str()),
        rules: vec![
            rule(
                "status == 409 && body.code == \"later\"",
                Verdict::Retry { after_ms: Some(1) },
            ),
            rule("409", Verdict::Succeed),
            rule("has(body.errors) && size(body.errors) > 0", Verdict::Fail),
        ],
        ..Destination::default()
    };
    let reply = engine
        .request(Op::PutDestination {
            destination: Box::new(destination),
        })
        .await;
    assert_eq!(reply, Ok(Reply::Done));
    let jobs = create(&engine, 2).await;
    let exists = settled(&engine, jobs[0]).await;
    assert_eq!((exists.state, exists.attempts), (JobState::Succeeded, 2));
    let refused = settled(&engine, jobs[1]).await;
    assert_eq!((refused.state, refused.attempts), (JobState::Dead, 1));
    assert_eq!(
        refused.last_error.as_deref(),
        Some(r#"answered 200: {"errors":["no such sku"]}"#)
    );
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_with_a_broken_rule_is_refused_with_the_place() {
    let folder = Folder::new();
    let engine = folder.open();
    let destination = Destination {
        name: Name::from("shop"),
        url: Name::from("http://127.0.0.1:1/"),
        rules: vec![Rule {
            when: Name::from("status = 409"),
            then: Verdict::Succeed,
        }],
        ..Destination::default()
    };
    let refused = engine
        .request(Op::PutDestination {
            destination: Box::new(destination),
        })
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::DestinationInvalid);
    assert!(
        refused.detail.starts_with("rule 1: 1:8: "),
        "{}",
        refused.detail
    );
    engine.shutdown(PATIENCE).await;
}

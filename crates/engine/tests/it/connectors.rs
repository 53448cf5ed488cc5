//! Connectors over real HTTP: shared calls, answers for each item, bodies from a metadata API.

use crate::{Folder, PATIENCE, eventually};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use trunkline_core::egress::{
    Connector, Destination, Job, JobState, NewJob, Resolve, Rule, Verdict,
};
use trunkline_core::ids::JobId;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{Op, Reply};
use trunkline_engine::Engine;

/// What came in: the `Idempotency-Key` and the body.
type Seen = Arc<Mutex<Vec<(String, Value)>>>;

/// A server that answers each call as `answer` says: by its number, from 0, and its body.
async fn serve(
    answer: impl Fn(usize, &Value) -> (u16, Value) + Send + Sync + 'static,
) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (seen, answer) = (Seen::default(), Arc::new(answer));
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (seen, answer) = (Arc::clone(&noted), Arc::clone(&answer));
            let service = service_fn(move |request: Request<Incoming>| {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                async move {
                    let key = request.headers().get("idempotency-key");
                    let key = key.map_or("", |key| key.to_str().unwrap()).to_owned();
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let body: Value = serde_json::from_slice(&body).unwrap();
                    let number = {
                        let mut seen = seen.lock().unwrap();
                        seen.push((key, body.clone()));
                        seen.len() - 1
                    };
                    let (status, body) = answer(number, &body);
                    let response = Response::builder().status(status);
                    let body = Full::<Bytes>::from(body.to_string());
                    Ok::<_, Infallible>(response.body(body).unwrap())
                }
            });
            tokio::spawn(async move {
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    (url, seen)
}

/// An answer in which `of` says what became of each item.
fn items(call: &Value, of: impl Fn(&str) -> Option<Value>) -> (u16, Value) {
    let items: Vec<Value> = call["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| {
            let mut answer = of(item["object_ids"][0].as_str().unwrap())?;
            answer["id"] = item["id"].clone();
            Some(answer)
        })
        .collect();
    (200, json!({ "items": items }))
}

fn succeeded(_: &str) -> Option<Value> {
    Some(json!({"status": "succeeded"}))
}

fn failed(class: &str) -> Option<Value> {
    Some(json!({"status": "failed", "error": {"class": class, "message": "no"}}))
}

fn shop(url: &str) -> Destination {
    let mut shop = Destination {
        name: Name::from("shop"),
        url: Name::from(url),
        concurrency: 1,
        timeout_ms: 5_000,
        connector: Some(Connector {
            batch_max: 10,
            settings: Payload::from(&b"{\"channel\":\"de\"}"[..]),
            body_bytes_max: 1 << 20,
        }),
        ..Destination::default()
    };
    shop.retry.initial_ms = 10;
    shop.retry.max_ms = 10;
    shop.retry.attempts = 3;
    shop
}

async fn put(engine: &Engine, destination: Destination) {
    let reply = engine
        .request(Op::PutDestination {
            destination: Box::new(destination),
        })
        .await;
    assert_eq!(reply, Ok(Reply::Done));
}

fn id(object: &str) -> JobId {
    JobId::of_key("shop", object)
}

async fn create(engine: &Engine, objects: &[&str], resolve: bool) {
    let job = |object: &&str| {
        let job = NewJob {
            destination: Name::from("shop"),
            lane: Name::from(*object),
            object_type: Name::from("product"),
            object_ids: vec![Name::from(*object)],
            body: if resolve {
                Payload::null()
            } else {
                Payload::from(format!("{{\"sku\":\"{object}\"}}").into_bytes())
            },
            resolve: resolve.then_some(true),
            ..NewJob::default()
        };
        (id(object), job)
    };
    let jobs = objects.iter().map(job).collect();
    engine.request(Op::CreateJobs { jobs }).await.unwrap();
}

async fn job(engine: &Engine, object: &str) -> Job {
    let op = Op::DescribeJob {
        destination: Name::from("shop"),
        job: id(object),
    };
    let Ok(Reply::Job { job, .. }) = engine.request(op).await else {
        panic!("a job");
    };
    *job
}

async fn settled(engine: &Engine, object: &str) -> Job {
    eventually("the job is settled", async || {
        job(engine, object).await.state != JobState::Pending
    })
    .await;
    job(engine, object).await
}

/// The objects of each call.
fn objects(seen: &Seen) -> Vec<Vec<String>> {
    let seen = seen.lock().unwrap().clone();
    let of = |(_, call): &(String, Value)| {
        let items = call["items"].as_array().unwrap();
        let of = |item: &Value| item["object_ids"][0].as_str().unwrap().to_owned();
        items.iter().map(of).collect()
    };
    seen.iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_share_a_call_and_only_those_that_failed_or_were_not_mentioned_go_again() {
    let folder = Folder::new();
    let engine = folder.open();
    let (url, seen) = serve(|number, call| {
        items(call, |object| match object {
            "bad" => failed("invalid"),
            "busy" if number == 0 => failed("retryable"),
            "forgotten" if number == 0 => None,
            other => succeeded(other),
        })
    })
    .await;
    put(&engine, shop(&url)).await;
    create(&engine, &["a", "bad", "busy", "forgotten"], false).await;
    for (object, state, attempts) in [
        ("a", JobState::Succeeded, 1),
        ("bad", JobState::Dead, 1),
        ("busy", JobState::Succeeded, 2),
        ("forgotten", JobState::Succeeded, 2),
    ] {
        let job = settled(&engine, object).await;
        assert_eq!((job.state, job.attempts), (state, attempts), "{object}");
    }
    let forgotten = job(&engine, "forgotten").await.last_error.unwrap();
    assert!(forgotten.starts_with("unknown: TL0123: "), "{forgotten}");
    let calls = objects(&seen);
    assert_eq!(calls[0], ["a", "bad", "busy", "forgotten"]);
    let mut again = calls[1..].concat();
    again.sort();
    assert_eq!(again, ["busy", "forgotten"]);

    let seen = seen.lock().unwrap().clone();
    let (key, call) = &seen[0];
    let item = &call["items"][0];
    let expected = json!({
        "id": id("a").to_string(), "object_ids": ["a"], "lane": "a", "sequence": 1, "attempt": 1,
        "source": null, "body": {"sku": "a"},
    });
    assert_eq!(*item, expected);
    assert_eq!(call["settings"], json!({"channel": "de"}));
    let head = ["contract", "destination", "action", "object_type"].map(|name| call[name].clone());
    assert_eq!(
        head,
        [json!(1), json!("shop"), json!("update"), json!("product")]
    );
    assert_eq!(
        key.len(),
        32,
        "a call of several items has a key of its own"
    );
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_none_leaves_every_item_unknown_and_is_tried_again() {
    let folder = Folder::new();
    let engine = folder.open();
    let (url, _) = serve(|number, call| {
        if number == 0 {
            return (200, json!("thank you"));
        }
        items(call, succeeded)
    })
    .await;
    put(&engine, shop(&url)).await;
    create(&engine, &["a", "b"], false).await;
    for object in ["a", "b"] {
        let job = settled(&engine, object).await;
        assert_eq!((job.state, job.attempts), (JobState::Succeeded, 2));
    }
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_does_not_let_us_in_pauses_the_destination() {
    let folder = Folder::new();
    let engine = folder.open();
    let (url, seen) = serve(|_, _| (401, json!({}))).await;
    put(&engine, shop(&url)).await;
    create(&engine, &["a", "b"], false).await;
    eventually("both have been refused", async || {
        let errors = [job(&engine, "a").await, job(&engine, "b").await];
        errors.iter().all(|job| job.last_error.is_some())
    })
    .await;
    let waiting = job(&engine, "a").await;
    assert_eq!((waiting.state, waiting.attempts), (JobState::Pending, 0));
    assert_eq!(seen.lock().unwrap().len(), 1);
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_see_the_item_and_its_class() {
    let folder = Folder::new();
    let engine = folder.open();
    let (url, _) = serve(|_, call| {
        items(call, |object| match object {
            "there" => failed("invalid"),
            other => succeeded(other),
        })
    })
    .await;
    let mut shop = shop(&url);
    shop.rules = vec![
        Rule {
            when: Name::from("error == \"invalid\" && body.error.message == \"no\""),
            then: Verdict::Succeed,
        },
        Rule {
            when: Name::from("body.status == \"succeeded\""),
            then: Verdict::Fail,
        },
    ];
    put(&engine, shop).await;
    create(&engine, &["there", "new"], false).await;
    assert_eq!(settled(&engine, "there").await.state, JobState::Succeeded);
    assert_eq!(settled(&engine, "new").await.state, JobState::Dead);
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_come_from_the_metadata_api_with_one_question_for_a_call() {
    let folder = Folder::new();
    let engine = folder.open();
    let (metadata, asked) = serve(|_, question| {
        assert_eq!(question["object_type"], "product");
        let ids = question["ids"].as_array().unwrap();
        let known = ids.iter().filter(|id| *id != "gone");
        let objects = known.map(|id| (id.as_str().unwrap().to_owned(), json!({"of": id})));
        let objects: serde_json::Map<_, _> = objects.collect();
        (200, json!({ "objects": objects }))
    })
    .await;
    let (url, seen) = serve(|_, call| items(call, succeeded)).await;
    let mut shop = shop(&url);
    shop.resolve = Some(Resolve {
        url: Name::from(metadata),
        ttl_ms: 0,
    });
    put(&engine, shop).await;
    create(&engine, &["a", "b", "gone"], true).await;
    assert_eq!(settled(&engine, "a").await.state, JobState::Succeeded);
    assert_eq!(settled(&engine, "b").await.state, JobState::Succeeded);
    let dead = settled(&engine, "gone").await;
    assert_eq!((dead.state, dead.attempts), (JobState::Dead, 3));
    let error = dead.last_error.unwrap();
    assert_eq!(error.as_str(), "TL0124: there is no product `gone`");
    let first = asked.lock().unwrap()[0].1.clone();
    assert_eq!(first["ids"], json!(["a", "b", "gone"]));
    let seen = seen.lock().unwrap().clone();
    let bodies: Vec<&Value> = seen[0].1["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["body"])
        .collect();
    assert_eq!(bodies, [&json!({"of": "a"}), &json!({"of": "b"})]);
    assert_eq!(seen.len(), 1, "what could not be resolved is not sent");
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_comes_later_gets_the_newer_state_however_long_answers_are_kept() {
    let folder = Folder::new();
    let engine = folder.open();
    let (metadata, asked) = serve(|number, question| {
        let id = question["ids"][0].as_str().unwrap();
        (200, json!({"objects": {id: number}}))
    })
    .await;
    let (url, seen) = serve(|_, call| items(call, succeeded)).await;
    let mut shop = shop(&url);
    shop.connector = Some(Connector {
        batch_max: 1,
        ..shop.connector.unwrap()
    });
    shop.resolve = Some(Resolve {
        url: Name::from(metadata),
        ttl_ms: 3_600_000,
    });
    put(&engine, shop).await;
    for key in ["first", "second"] {
        let job = NewJob {
            destination: Name::from("shop"),
            lane: Name::from("a"),
            object_type: Name::from("product"),
            object_ids: vec![Name::from("a")],
            resolve: Some(true),
            ..NewJob::default()
        };
        let jobs = vec![(id(key), job)];
        engine.request(Op::CreateJobs { jobs }).await.unwrap();
        assert_eq!(settled(&engine, key).await.state, JobState::Succeeded);
    }
    let seen = seen.lock().unwrap().clone();
    let bodies: Vec<&Value> = seen
        .iter()
        .map(|(_, call)| &call["items"][0]["body"])
        .collect();
    assert_eq!(bodies, [&json!(0), &json!(1)]);
    assert_eq!(asked.lock().unwrap().len(), 2);
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_metadata_api_the_destination_is_paused_and_nothing_is_lost() {
    let folder = Folder::new();
    let engine = folder.open();
    let (url, seen) = serve(|_, call| items(call, succeeded)).await;
    put(&engine, shop(&url)).await;
    create(&engine, &["a"], true).await;
    eventually("it is refused", async || {
        job(&engine, "a").await.last_error.is_some()
    })
    .await;
    let waiting = job(&engine, "a").await;
    assert_eq!((waiting.state, waiting.attempts), (JobState::Pending, 0));
    assert!(seen.lock().unwrap().is_empty());
    engine.shutdown(PATIENCE).await;
}

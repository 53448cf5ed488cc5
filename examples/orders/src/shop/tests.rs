//! The shop over real connections.

use super::{Manners, Progress, Question, Shop};
use crate::http::Http;
use crate::judge::{Limits, Verdict};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpListener;

const KIND: Manners = Manners {
    limits: Limits {
        rate_per_second: 500,
        burst: 100,
    },
    unavailable_per_mille: 0,
    dropped_per_mille: 0,
    seed: 1,
};

/// Opens a shop and answers its address.
async fn open(manners: Manners) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Shop::new(manners).serve(listener));
    format!("http://{address}")
}

/// Delivers one line of an invoice, and answers with the status, or nothing if the connection broke.
async fn deliver(shop: &str, sequence: u64, attempt: u32) -> Option<u16> {
    let body = format!(
        r#"{{"job":"{sequence:032x}","destination":"shop","lane":"22041","sequence":{sequence},"action":"update","object_type":"stock","object_ids":["22041"],"attempt":{attempt},"source":"ProcessInvoice/1","body":{{"sku":"22041","delta":-2,"invoice":"{sequence}"}}}}"#
    );
    let request = Request::post(format!("{shop}/deliveries"))
        .header("idempotency-key", format!("{sequence:032x}"))
        .header("trunkline-lane-sequence", sequence.to_string())
        .header("trunkline-attempt", attempt.to_string())
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    Some(client.request(request).await.ok()?.status().as_u16())
}

async fn verdict(shop: &str, last: u64) -> Verdict {
    let expected: BTreeMap<String, u64> = (1..=last)
        .map(|n| (format!("stock|update|22041|22041|-2|{n}"), 1))
        .collect();
    let http = Http::new(shop, Duration::from_secs(10));
    http.send(Method::POST, "/judge", &Question { expected })
        .await
        .unwrap()
}

#[tokio::test]
async fn deliveries_are_noted_and_judged() {
    let shop = open(KIND).await;
    assert_eq!(deliver(&shop, 1, 1).await, Some(200));
    assert_eq!(deliver(&shop, 1, 2).await, Some(200));
    assert_eq!(deliver(&shop, 2, 1).await, Some(200));
    let progress: Progress = Http::new(&shop, Duration::from_secs(10))
        .get("/progress")
        .await
        .unwrap();
    assert_eq!(
        progress,
        Progress {
            requests: 3,
            delivered: 2
        }
    );
    let verdict = verdict(&shop, 2).await;
    assert_eq!(
        (
            verdict.delivered,
            verdict.repeats,
            verdict.order_violations,
            verdict.missing
        ),
        (2, 1, 0, 0),
        "{verdict:?}"
    );
}

#[tokio::test]
async fn a_dropped_connection_counts_as_accepted() {
    let shop = open(Manners {
        dropped_per_mille: 1_000,
        ..KIND
    })
    .await;
    assert_eq!(deliver(&shop, 1, 1).await, None);
    let verdict = verdict(&shop, 1).await;
    assert_eq!(
        (verdict.delivered, verdict.dropped, verdict.missing),
        (1, 1, 0),
        "{verdict:?}"
    );
}

#[tokio::test]
async fn an_unavailable_shop_accepts_nothing() {
    let shop = open(Manners {
        unavailable_per_mille: 1_000,
        ..KIND
    })
    .await;
    assert_eq!(deliver(&shop, 1, 1).await, Some(503));
    assert_eq!(verdict(&shop, 1).await.missing, 1);
}

#[tokio::test]
async fn beyond_the_burst_there_is_429() {
    let limits = Limits {
        rate_per_second: 1,
        burst: 2,
    };
    let shop = open(Manners { limits, ..KIND }).await;
    let mut answers = Vec::new();
    for attempt in 1..=3 {
        answers.push(deliver(&shop, 1, attempt).await);
    }
    assert_eq!(answers, [Some(200), Some(200), Some(429)]);
    assert_eq!(verdict(&shop, 1).await.too_many, 1);
}

#[tokio::test]
async fn nonsense_is_refused_and_counted() {
    let shop = open(KIND).await;
    let http = Http::new(&shop, Duration::from_secs(10));
    let refused = http
        .send::<()>(Method::POST, "/deliveries", &"nonsense")
        .await
        .unwrap_err();
    assert!(refused.contains("400"), "{refused}");
    assert_eq!(verdict(&shop, 0).await.misunderstood, 1);
}

//! Kept data folders: one that a build has written is opened by every later one.
//!
//! [`make`] has a server write a small folder with something of everything, kills it, and packs the folder into one file.
//! [`carry_on`] opens a copy with another build, looks over HTTP at what must be in it, and sees everything to its end.

use crate::asking::{Answered, ask};
use crate::server::Server;
use crate::tally::{Adder, Plan, Sums, Tally};
use axum::Router;
use axum::extract::{Json, Request, State};
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use trunkline::prelude::*;

pub mod archive;
mod carrying_on;

pub use carrying_on::carry_on;

/// A run that fails; or waits for two signals; or sleeps, and then asks for a task that nobody offers while the folder is made.
/// It never gives up waiting: a folder is kept for years.
#[derive(Debug, Workflow)]
pub struct Kept {
    /// How far it is.
    pub step: Prop<u32>,
    /// What it waits for.
    pub numbers: Channel<u64>,
}

#[workflow(version = 1)]
impl Kept {
    #[run]
    async fn run(&self, cx: Cx, what: String) -> Result<u64> {
        let job = |step: u32| cx.egress("receiver").lane("kept").body(&step);
        match what.as_str() {
            "fail" => Err(Error::new("Meant", "it was to fail")),
            "wait" => {
                job(1).send()?;
                let first = self.numbers.recv().await?;
                self.step.set(1);
                let second = self.numbers.recv().await?;
                job(2).send()?;
                Ok(10 * first + second)
            }
            _ => {
                cx.sleep(secs(2)).await?;
                self.step.set(1);
                Ok(cx.service::<LaterStub>().double(21).await?)
            }
        }
    }
}

/// A service that is there only later.
#[service]
pub trait Later {
    /// Twice the number.
    async fn double(&self, t: &TaskCx, number: u64) -> Result<u64>;
}

/// The service itself.
#[derive(Debug)]
pub struct Doubles;

impl Later for Doubles {
    async fn double(&self, t: &TaskCx, number: u64) -> Result<u64> {
        Ok(2 * number * u64::from(t.attempt().min(1)))
    }
}

/// A receiver of jobs that takes all of them and remembers their headers and bodies.
#[derive(Clone, Debug, Default)]
struct Taker {
    taken: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

/// Bytes of segments and the number of shards: small, so that the folder is.
const SMALL: [&str; 6] = [
    "--segment-bytes",
    "65536",
    "--shards",
    "2",
    "--threads",
    "1",
];
/// How long something may take that must come.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);
/// The token of the credential.
const SECRET: &str = "kept-and-sealed";
/// The files of an archive: the data, its keys, and the cursor of a reader of the feed.
const DATA: &str = "data";
const KEYS: &str = "keys";
const CURSOR: &str = "cursor";

impl Taker {
    async fn listen(&self) -> String {
        async fn take(
            State(taker): State<Taker>,
            headers: HeaderMap,
            Json(job): Json<Value>,
        ) -> StatusCode {
            let mut taken = taker.taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.push((headers, job));
            StatusCode::OK
        }
        async fn refuse(_: Request) -> StatusCode {
            StatusCode::BAD_REQUEST
        }
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let router = Router::new()
            .route("/", post(take))
            .route("/refuse", post(refuse))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/")
    }

    /// Lane, number, body and authorization of what it has taken for a destination.
    fn taken(&self, destination: &str) -> Vec<(String, u64, Value, Option<String>)> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = taken
            .iter()
            .filter(|(_, job)| job["destination"] == destination);
        jobs.map(|(headers, job)| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let authorization = headers.get("authorization");
            (
                text(&job["lane"]),
                job["sequence"].as_u64().unwrap_or_default(),
                job["body"].clone(),
                authorization
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned),
            )
        })
        .collect()
    }
}

/// Asks, and insists on an answer of 2xx.
///
/// # Panics
/// If there is another.
fn tell(server: &Server, method: &str, path: &str, body: &Value) -> Answered {
    let answered = ask(server.address(), method, path, body);
    let answered = answered.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    let is_well = (200..300).contains(&answered.status);
    assert!(is_well, "{method} {path} {body}: {answered:?}");
    answered
}

/// Waits until `what` is so.
///
/// # Panics
/// If it is not in time.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what} does not come");
        tokio::time::sleep(LOOK).await;
    }
}

fn status(server: &Server, workflow: &str, run: &str) -> Value {
    tell(
        server,
        "GET",
        &format!("/v1/workflows/{workflow}/runs/{run}"),
        &Value::Null,
    )
    .body["status"]
        .clone()
}

fn plan() -> Value {
    let plan = Plan {
        amounts: vec![3, 4],
        signals: 0,
        lane: "kept".to_owned(),
    };
    json!(plan)
}

/// Has `program` write the folder, and packs it into the file `out`; `folder` is empty, and for the work. A program that knows no
/// credentials writes none.
///
/// # Errors
/// If a file cannot be written.
///
/// # Panics
/// If the server does not do what it is told.
pub async fn make(
    program: &Path,
    folder: &Path,
    has_credentials: bool,
    out: &Path,
) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut server = Server::new(program, &folder.join(DATA)).with(&SMALL);
    if has_credentials {
        let keys = folder.join(KEYS);
        trunkline_engine::vault::Vault::load_or_create(&keys).map_err(io::Error::other)?;
        server = server.with(&["--key-file", &keys.to_string_lossy()]);
    }
    server.start();
    until("the server", || {
        ask(server.address(), "GET", "/readyz", &Value::Null).is_ok_and(|ready| ready.status == 200)
    })
    .await;
    let taker = Taker::default();
    let url = taker.listen().await;

    put_destinations(&server, &url, has_credentials);
    until("the deliveries", || taker.taken("open").len() == 3).await;
    until("the dead letter", || {
        let path = "/v1/egress/destinations/refusing";
        tell(&server, "GET", path, &Value::Null).body["dead"] == 1
    })
    .await;

    let worker = Worker::builder(server.url().as_str())
        .register(Sums.into_service())
        .workflow::<Tally>()
        .workflow::<Kept>();
    let worker = worker.start().await.expect("the URL is fine");
    let start = |workflow: &str, id: &str, input: Value| {
        let body = json!({"id": id, "input": input, "tags": [id]});
        let path = format!("/v1/workflows/{workflow}/runs");
        // Refused until the worker has said what it can.
        ask(server.address(), "POST", &path, &body).is_ok_and(|answered| answered.status < 300)
    };
    until("the first start", || start("Tally", "done", plan())).await;
    for run in ["waiting", "paused", "cancelled", "terminated"] {
        assert!(start("Kept", run, json!("wait")), "{run}");
    }
    assert!(start("Kept", "failed", json!("fail")));
    assert!(start("Kept", "sleeping", json!("sleep")));
    for run in ["waiting", "paused", "cancelled", "terminated"] {
        let path = format!("/v1/workflows/Kept/runs/{run}/signals/numbers");
        tell(&server, "POST", &path, &json!(7));
        let path = format!("/v1/workflows/Kept/runs/{run}/properties/step");
        until("a signal", || {
            ask(server.address(), "GET", &path, &Value::Null)
                .is_ok_and(|answered| answered.body.to_string().contains('1'))
        })
        .await;
    }
    for (run, what) in [
        ("paused", "pause"),
        ("cancelled", "cancel"),
        ("terminated", "terminate"),
    ] {
        let path = format!("/v1/workflows/Kept/runs/{run}/{what}");
        tell(&server, "POST", &path, &json!({"reason": "for the folder"}));
        until(run, || status(&server, "Kept", run) == run).await;
    }
    until("done", || status(&server, "Tally", "done") == "completed").await;
    until("failed", || status(&server, "Kept", "failed") == "failed").await;
    until("the sleeper's task", || {
        let path = "/v1/workflows/Kept/runs/sleeping/properties/step";
        ask(server.address(), "GET", path, &Value::Null)
            .is_ok_and(|answered| answered.status == 200)
    })
    .await;
    // Without a worker it does not get any further than this.
    drop(worker);
    until("a start without a worker", || {
        start("Kept", "unplayed", json!("wait"))
    })
    .await;
    let schedule = json!({
        "when": [{"cron": "0 3 29 2 *"}],
        "run": {"workflow": "Tally", "id": "nightly-{number}", "input": plan()},
        "paused": true,
    });
    tell(&server, "PUT", "/v1/schedules/nightly", &schedule);

    let feed = tell(&server, "GET", "/v1/events?limit=5", &Value::Null);
    let cursor = feed
        .header("trunkline-cursor")
        .expect("a page has a cursor");
    std::fs::write(folder.join(CURSOR), cursor)?;
    server.kill();
    std::fs::remove_file(server.log())?;
    std::fs::write(out, archive::pack(folder)?)
}

fn put_destinations(server: &Server, url: &str, has_credentials: bool) {
    let put = |name: &str, body: Value| {
        tell(
            server,
            "PUT",
            &format!("/v1/egress/destinations/{name}"),
            &body,
        );
    };
    put("open", json!({"url": url}));
    put("refusing", json!({"url": format!("{url}refuse")}));
    for name in ["shut", "receiver"] {
        put(name, json!({"url": url, "paused": true}));
    }
    if has_credentials {
        let bearer = json!({"authentication": {"bearer": {"token": SECRET}}});
        tell(server, "PUT", "/v1/credentials/api", &bearer);
        put(
            "sealed",
            json!({"url": url, "paused": true, "credential": "api"}),
        );
    }
    let job = |to: &str, lane: &str, number: u64| {
        let body = json!({
            "destination": to, "lane": lane, "object_type": "stock", "action": "update",
            "dedupe_key": format!("{lane}-{number}"), "body": {"number": number},
        });
        tell(server, "POST", "/v1/egress/jobs", &body);
    };
    for number in 1..=3 {
        job("open", "a", number);
        job("shut", "a", number);
        job("shut", "b", number);
    }
    job("refusing", "a", 1);
    if has_credentials {
        job("sealed", "a", 1);
    }
}

//! A subscriber on a real socket, which is out of order at first.

use super::*;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use trunkline::testing::TestKit;

/// A call as it arrived: its idempotency key and its body.
type Call = (String, String);

/// A subscriber that answers 503 so often before it works.
#[derive(Clone, Default)]
struct Subscriber(Arc<Mutex<Vec<Call>>>);

impl Subscriber {
    /// Begins to listen, and gives its URL.
    async fn listen(&self, failures: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let this = self.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move { this.answer(connection, failures).await });
            }
        });
        url
    }

    /// Answers the calls of a connection until it is closed.
    async fn answer(&self, connection: TcpStream, failures: usize) -> Option<()> {
        let mut connection = BufStream::new(connection);
        loop {
            let (mut key, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if connection.read_line(&mut line).await.ok()? == 0 {
                    return None;
                }
                let line = line.trim_end().to_lowercase();
                match line.split_once(": ") {
                    Some(("idempotency-key", value)) => value.clone_into(&mut key),
                    Some(("content-length", value)) => length = value.parse().ok()?,
                    Some(_) => {}
                    None if line.is_empty() => break,
                    None => {}
                }
            }
            let mut body = vec![0; length];
            connection.read_exact(&mut body).await.ok()?;
            let calls = {
                let mut calls = self.0.lock().unwrap();
                calls.push((key, String::from_utf8(body).ok()?));
                calls.len()
            };
            let status = if calls <= failures {
                "503 Service Unavailable"
            } else {
                "200 OK"
            };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            connection.write_all(answer.as_bytes()).await.ok()?;
            connection.flush().await.ok()?;
        }
    }

    fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_subscriber_that_answers_503_twice_gets_all_in_order_and_each_with_one_key() {
    let subscriber = Subscriber::default();
    let bed = TestKit::new().workflow::<publish>().start().await;
    let url = subscriber.listen(2).await;
    subscribe(bed.client(), &url).await.unwrap();
    let run = bed.workflow::<publish>("order-42");
    let keys = run.execute("order-42".into()).await.unwrap();
    // The pauses between attempts are skipped, like every other wait.
    bed.advance_by(minutes(5)).await;
    let calls = subscriber.calls();
    let called: Vec<&str> = calls.iter().map(|(key, _)| key.as_str()).collect();
    let [placed, paid, shipped] = [&keys[0], &keys[1], &keys[2]].map(String::as_str);
    assert_eq!(called, [placed, placed, placed, paid, shipped]);
    for ((_, body), status) in calls[2..].iter().zip(["placed", "paid", "shipped"]) {
        let told = format!("\"status\":\"{status}\"");
        assert!(body.contains(&told), "{body}");
    }
    let jobs = bed.engine().counters().await;
    assert_eq!((jobs.jobs_succeeded, jobs.jobs_dead), (3, 0));
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_overtakes_when_the_server_crashes_in_between() {
    let subscriber = Subscriber::default();
    let mut bed = TestKit::new().workflow::<publish>().start().await;
    let url = subscriber.listen(3).await;
    subscribe(bed.client(), &url).await.unwrap();
    let run = bed.workflow::<publish>("order-42");
    let keys = run.execute("order-42".into()).await.unwrap();
    bed.rest().await;
    bed.crash().await;
    bed.advance_by(minutes(5)).await;
    let mut called: Vec<String> = subscriber.calls().into_iter().map(|(key, _)| key).collect();
    assert!(called.len() > 5, "{called:?}");
    // At least once each: the key lets the subscriber tell a repeat.
    called.dedup();
    assert_eq!(called, keys);
}

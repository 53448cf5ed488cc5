//! Clients against a scripted engine, whose connections break.

use super::Client;
use crate::link::{Boxed, Connect, Endpoint, Inbound, Link, Outbound};
use crate::prelude::*;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use trunkline_api::core::code::Code;
use trunkline_api::core::ids::Nonce;
use trunkline_api::core::peer::{FromPeer, Op, Rejection, Reply, ToPeer};

/// What came over each connection, and how to answer or to break the newest.
#[derive(Clone, Default)]
struct Switchboard(Arc<Mutex<Board>>);

#[derive(Default)]
struct Board {
    heard: Vec<Vec<FromPeer>>,
    lines: Vec<Option<mpsc::UnboundedSender<Vec<ToPeer>>>>,
}

struct Line(Switchboard, usize);

impl Outbound for Line {
    fn send(&self, batch: Vec<FromPeer>) {
        self.0.0.lock().unwrap().heard[self.1].extend(batch);
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async {})
    }
}

struct Ear(mpsc::UnboundedReceiver<Vec<ToPeer>>);

impl Inbound for Ear {
    fn recv(&mut self) -> Boxed<'_, Option<Vec<ToPeer>>> {
        Box::pin(self.0.recv())
    }
}

impl Connect for Switchboard {
    fn connect(&self) -> Boxed<'_, Result<Link, Rejection>> {
        let mut board = self.0.lock().unwrap();
        let (sender, receiver) = mpsc::unbounded_channel();
        board.heard.push(Vec::new());
        board.lines.push(Some(sender));
        let line = Line(self.clone(), board.lines.len() - 1);
        Box::pin(std::future::ready(Ok(Link {
            outbound: Arc::new(line),
            inbound: Box::new(Ear(receiver)),
        })))
    }
}

impl Switchboard {
    /// The starts heard on a connection, once there are `count`.
    async fn starts(&self, connection: usize, count: usize) -> Vec<(u64, Nonce)> {
        for _ in 0..2_000 {
            let starts: Vec<_> = {
                let board = self.0.lock().unwrap();
                let heard = board.heard.get(connection).map_or(&[][..], Vec::as_slice);
                heard
                    .iter()
                    .filter_map(|message| match message {
                        FromPeer::Request(id, Op::Start(start)) => Some((id.0, start.nonce)),
                        _ => None,
                    })
                    .collect()
            };
            if starts.len() >= count {
                return starts;
            }
            tokio::time::sleep(millis(2)).await;
        }
        panic!("connection {connection} never heard {count} starts");
    }

    fn answer(&self, connection: usize, request: u64) {
        let reply = Reply::Started {
            created: true,
            version: 1,
        };
        let id = trunkline_api::core::ids::RequestId(request);
        let board = self.0.lock().unwrap();
        let line = board.lines[connection].as_ref().unwrap();
        line.send(vec![ToPeer::Reply(id, Ok(reply))]).unwrap();
    }

    fn cut(&self, connection: usize) {
        self.0.lock().unwrap().lines[connection] = None;
    }
}

#[workflow]
async fn nothing(_cx: Cx) -> Result<()> {
    Ok(())
}

#[tokio::test]
async fn what_was_not_answered_is_sent_again_with_the_same_nonce() {
    let board = Switchboard::default();
    let client = Client::connect(Endpoint::new("board", board.clone()))
        .await
        .unwrap();
    let start = |id: &str| {
        let start = client.workflow::<nothing>(id);
        tokio::spawn(async move { start.start(()).await.map(|_| ()) })
    };
    let first = start("1");
    board.starts(0, 1).await;
    let second = start("2");
    let before = board.starts(0, 2).await;
    board.answer(0, before[0].0);
    first.await.unwrap().unwrap();
    board.cut(0);
    let after = board.starts(1, 1).await;
    assert_eq!(after, before[1..], "the answered one is not sent again");
    board.answer(1, after[0].0);
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn requests_that_are_made_together_leave_together() {
    let board = Switchboard::default();
    let client = Client::connect(Endpoint::new("board", board.clone()))
        .await
        .unwrap();
    let starts: Vec<_> = (0..50)
        .map(|n: u32| {
            let start = client.workflow::<nothing>(n.to_string());
            tokio::spawn(async move { start.start(()).await.map(|_| ()) })
        })
        .collect();
    let heard = board.starts(0, 50).await;
    let mut nonces: Vec<Nonce> = heard.iter().map(|(_, nonce)| *nonce).collect();
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), 50, "every start has a nonce of its own");
    for (id, _) in heard {
        board.answer(0, id);
    }
    for start in starts {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_closed_client_refuses_what_waits_and_what_comes() {
    let board = Switchboard::default();
    let client = Client::connect(Endpoint::new("board", board.clone()))
        .await
        .unwrap();
    let start = client.workflow::<nothing>("1");
    let waiting = tokio::spawn(async move { start.start(()).await.map(|_| ()) });
    board.starts(0, 1).await;
    client.clone().close().await;
    assert_eq!(
        waiting.await.unwrap().unwrap_err().code(),
        Code::ServerUnreachable
    );
    let late = client.workflow::<nothing>("2").start(()).await;
    assert_eq!(late.unwrap_err().code(), Code::ServerUnreachable);
}

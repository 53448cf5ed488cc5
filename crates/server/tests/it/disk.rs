//! A disk that is full, and one that fails.

use crate::{Folder, PATIENCE, Server, small};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use trunkline_journal::SimDisk;
use trunkline_server::engine::Engine;
use trunkline_server::{Config, End};

async fn server_on(disk: &Arc<SimDisk>) -> Server {
    let folder = Folder::new();
    let mut config = small(&folder);
    config.threads = Some(1);
    let engine = Engine::open_on(disk.clone(), &config, Handle::current()).unwrap();
    Server::start_on(engine, folder, Config::default()).await
}

fn destination(number: u32) -> (String, String) {
    let url = format!("http://127.0.0.1:9/{}", "x".repeat(1_500));
    (
        format!("/v1/egress/destinations/d{number}"),
        format!(r#"{{"url":"{url}","paused":true}}"#),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_new_work_keeps_reading_and_heals() {
    let disk = Arc::new(SimDisk::new());
    let server = server_on(&disk).await;
    let (path, body) = destination(0);
    assert_eq!(server.put(&path, &body).await.status, 200);
    disk.set_capacity(Some(disk.used_bytes()));
    let mut refused = None;
    for number in 1..5_000 {
        let (path, body) = destination(number);
        let answer = server.put(&path, &body).await;
        if answer.status != 200 {
            refused = Some((number, answer));
            break;
        }
    }
    let (number, answer) = refused.expect("a full disk must refuse");
    assert_eq!(answer.status, 507);
    answer.refused_with("TL0025");
    assert!(answer.header("retry-after").is_some());
    server.get("/readyz").await.refused_with("TL0025");
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/v1/egress/destinations/d0").await.status, 200);
    // What was refused has left no trace, and works once there is space.
    let (path, body) = destination(number);
    server.get(&path).await.refused_with("TL0019");
    disk.set_capacity(None);
    let healed = async {
        while server.put(&path, &body).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, healed).await.unwrap();
    assert_eq!(server.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_ends_the_server_and_acknowledges_nothing() {
    let disk = Arc::new(SimDisk::new());
    let mut server = server_on(&disk).await;
    let (path, body) = destination(0);
    assert_eq!(server.put(&path, &body).await.status, 200);
    disk.stop_at(disk.operations());
    let (path, body) = destination(1);
    let address = server.address;
    let put = tokio::spawn(async move {
        let headers = [("content-type", "application/json")];
        crate::raw::request(address, "PUT", &path, &headers, body.as_bytes()).await
    });
    let End::Failed(reason) = server.end().await else {
        panic!("a server whose journal failed must say so");
    };
    assert!(!reason.is_empty());
    // Either the connection just ended, or the answer is a refusal.
    if let Ok(answer) = put.await {
        answer.refused_with("TL0043");
    }
}

//! What happens between the lines of a peer that comes and goes.

use super::*;
use crate::{Config, Engine};
use std::time::Duration;
use tokio::runtime::Handle;

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_disconnected_while_it_registers_gets_no_work() {
    let folder = std::env::temp_dir().join(format!("trunkline-session-{}", std::process::id()));
    let mut config = Config::new(&folder);
    config.shards = Some(1);
    config.threads = Some(1);
    let engine = Engine::open(config, Handle::current()).unwrap();
    let (session, _mailbox) = engine.connect();
    let node = session.engine.node();
    // What it has sent is taken before it is gone, and sorted after.
    node.disconnect(session.peer());
    let mut sorted = Sorted::new(node);
    session.register(Registration::default(), &mut sorted);
    let mut workers = usize::MAX;
    node.workers.dispatch(|offers| workers = offers.len());
    assert_eq!(workers, 0, "a dead worker is offered work");
    drop(session);
    engine.shutdown(Duration::from_secs(5)).await;
    let _ = std::fs::remove_dir_all(&folder);
}

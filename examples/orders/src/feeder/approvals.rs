//! Approvals: the feeder plays the person who looks at the orders that wait, and lets each pass after a second.
//!
//! Which orders wait is the server's to say: their runs have the tag [`WAITING_TAG`].

use super::patiently;
use crate::workflow::{Approval, ProcessInvoice, WAITING_TAG};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use trunkline::core::peer::RunFilter;
use trunkline::core::run::RunStatus;
use trunkline::{Client, Error, Name, RunError, Workflow};

/// How often the list is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long an order waits before it is approved.
const HESITATION: Duration = Duration::from_secs(1);
/// How many are looked at together. Those that are approved leave the list and make room.
const AT_ONCE: u32 = 1_000;

/// Approves what waits, until it is dropped.
///
/// # Errors
/// If the server refuses.
pub(super) async fn approve(client: &Client) -> Result<(), String> {
    let filter = RunFilter {
        workflow: Some(Name::from(ProcessInvoice::NAME)),
        status: Some(RunStatus::Running),
        tag: Some(Name::from(WAITING_TAG)),
        limit: AT_ONCE,
        ..RunFilter::default()
    };
    let mut seen_at: HashMap<Name, Instant> = HashMap::new();
    let mut approved: HashSet<Name> = HashSet::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let listed = async || {
            let listed = client.list(filter.clone()).await;
            listed.map_err(RunError::<Error>::Client)
        };
        for run in patiently(listed).await? {
            let id = run.id.id;
            let since = *seen_at.entry(id.clone()).or_insert_with(Instant::now);
            if since.elapsed() < HESITATION || approved.contains(&id) {
                continue;
            }
            let approval = Approval {
                granted: true,
                by: "the feeder".to_owned(),
            };
            let run = client.run::<ProcessInvoice>(id.clone());
            let sent = async || {
                let sent = run.send(|w| &w.approvals, approval.clone()).await;
                sent.map_err(RunError::<Error>::Client)
            };
            patiently(sent).await?;
            approved.insert(id);
        }
    }
}

//! Outages: a credential whose calls have no access token that is good for anything, and what the event feed tells of that.
//!
//! What is heard of tokens comes in here in its order and is looked at one after the other. Only a change is told: the first failure
//! after a success, and the first success after a failure. The outage is part of the credential's row, and the event that tells of
//! it comes with the same commit; so a restart in the middle of one neither forgets it nor tells it again.
//!
//! What this is not: nobody waits for it. A call goes on, or waits, by what [grants](super::grant) say. If the process ends before
//! the commit, the next call that wants a token says again what there is to say.

use super::authenticate::Reason;
use super::row;
use crate::node::Node;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use trunkline_core::payload::Name;
use trunkline_core::peer::CredentialNews;
use trunkline_vault::{Credential, Outage};

/// Bytes of a reason that are kept.
const REASON_BYTES_MAX: usize = 1_024;
/// What waits to be looked at. What comes beyond it is not heard: the next call says it again.
const REPORTS_MAX: usize = 10_000;

/// What is heard of the access tokens of a credential.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// The token endpoint gave none.
    NoToken(Reason),
    /// The token endpoint gave one.
    Token,
    /// A destination refused one that had been renewed because of a refusal.
    Refused,
    /// A destination accepted one for the first time.
    Accepted,
}

/// Who was heard of, and what.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Report {
    credential: Name,
    version: u32,
    heard: Heard,
}

/// What has been heard and not been looked at.
#[derive(Debug, Default)]
pub(super) struct Outages {
    node: OnceLock<Weak<Node>>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    reports: VecDeque<Report>,
    /// Somebody looks at them.
    attended: bool,
}

impl Outages {
    /// Says whose they are. Before that, nothing is heard.
    pub(super) fn belong_to(&self, node: &Arc<Node>) {
        // There is one node, and it says so once.
        let _ = self.node.set(Arc::downgrade(node));
    }

    /// Something is heard of the tokens of a credential's version.
    pub(super) fn hear(&self, credential: &Name, version: u32, heard: Heard) {
        let Some(node) = self.node.get().and_then(Weak::upgrade) else {
            return;
        };
        let report = Report {
            credential: credential.clone(),
            version,
            heard,
        };
        let mut waiting = self.lock();
        // Many calls may say the same at once.
        if waiting.reports.back() == Some(&report) || waiting.reports.len() >= REPORTS_MAX {
            return;
        }
        waiting.reports.push_back(report);
        if !std::mem::replace(&mut waiting.attended, true) {
            let runtime = node.deliveries.runtime().clone();
            runtime.spawn(attend(node));
        }
    }

    fn next(&self) -> Option<Report> {
        let mut waiting = self.lock();
        let next = waiting.reports.pop_front();
        waiting.attended = next.is_some();
        next
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at what has been heard, until there is nothing more.
async fn attend(node: Arc<Node>) {
    while let Some(report) = node.credentials.grants.outages.next() {
        let _change = node.credentials.changes.lock().await;
        let Some(found) = node.credentials.find(&report.credential) else {
            continue;
        };
        let mut credential = Credential::clone(&found);
        let before = credential.outage.clone();
        let news = learn(&mut credential, &report, node.clock.now().0);
        if credential.outage == before {
            continue;
        }
        if let Err(rejection) = row::keep(&node, credential, news).await {
            let why = rejection.detail.as_str();
            tracing::warn!(credential = %report.credential, why, "how its access tokens stand is not kept");
        }
    }
}

/// Changes the credential after what was heard; answers what is to be told. A version that is not used is nobody's outage.
fn learn(credential: &mut Credential, report: &Report, now_ms: u64) -> Option<CredentialNews> {
    let version = report.version;
    if credential.current().map(|current| current.number) != Some(version) {
        return None;
    }
    let (reason, refused) = match &report.heard {
        Heard::NoToken(reason) => (shortened(reason), false),
        Heard::Refused => (
            "a destination refused a renewed access token".to_owned(),
            true,
        ),
        Heard::Token | Heard::Accepted => {
            // Where tokens were refused, another one is no success before it was accepted.
            let outage = credential.outage.as_ref()?;
            if outage.refused != (report.heard == Heard::Accepted) {
                return None;
            }
            credential.outage = None;
            return Some(CredentialNews::RefreshRecovered { version });
        }
    };
    if let Some(outage) = &mut credential.outage
        && outage.version == version
    {
        outage.refused |= refused;
        return None;
    }
    credential.outage = Some(Outage {
        version,
        since_ms: now_ms,
        reason: reason.clone(),
        refused,
    });
    let reason = Name::from(reason);
    Some(CredentialNews::RefreshFailed { version, reason })
}

fn shortened(reason: &str) -> String {
    reason[..reason.floor_char_boundary(REASON_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests;

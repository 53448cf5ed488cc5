//! A pass: what a request or connection may do, and until when.
//!
//! The gate gives one to everything that comes with a token. What has none came in without, which the gate lets happen only on a
//! server that requires no tokens; then everything may be done, as the default tenant.

use crate::app::App;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use trunkline_api::access::TokenBody;
use trunkline_api::core::code::Code;
use trunkline_api::core::time::Timestamp;
use trunkline_api::problem::Problem;
use trunkline_api::scope::{Needs, Scope, Scopes};
use trunkline_engine::TokenRecord;
use trunkline_engine::vault::{ApiToken, TokenHash};

/// How long is slept at once until a token ends: the wall clock may be set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What a request or connection may do.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    scopes: Scopes,
    token: Option<Arc<Token>>,
}

/// A token that is valid, or was.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) scopes: Scopes,
    pub(crate) from_file: bool,
    hash: TokenHash,
    created_at_ms: u64,
    expires_at_ms: Option<u64>,
    /// When it was last used, in milliseconds since 1970; zero: never.
    pub(crate) used_ms: AtomicU64,
    /// The last use that is kept.
    pub(crate) noted_ms: AtomicU64,
    revoked: watch::Sender<bool>,
}

impl Token {
    pub(crate) fn new(record: &TokenRecord) -> Self {
        let used_ms = record.last_used_at_ms.unwrap_or(0);
        Self {
            id: record.id.clone(),
            name: record.name.clone(),
            tenant: record.tenant.clone(),
            scopes: Scopes::from_bits(record.scopes),
            from_file: record.from_file,
            hash: TokenHash::new(record.hash),
            created_at_ms: record.created_at_ms,
            expires_at_ms: record.expires_at_ms,
            used_ms: AtomicU64::new(used_ms),
            noted_ms: AtomicU64::new(used_ms),
            revoked: watch::Sender::new(false),
        }
    }

    /// True if it is the one that was presented, and has not ended.
    pub(crate) fn is(&self, presented: &ApiToken) -> bool {
        self.hash.is_of(presented) && !self.is_over()
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.revoked.borrow() || self.expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms())
    }

    pub(crate) fn revoke(&self) {
        self.revoked.send_replace(true);
    }

    /// Returns once it is over.
    async fn ended(&self) {
        let mut revoked = self.revoked.subscribe();
        loop {
            let left = self
                .expires_at_ms
                .map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms())));
            if self.is_over() {
                return;
            }
            let sleep = left.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN);
            tokio::select! {
                _ = revoked.wait_for(|revoked| *revoked) => return,
                () = tokio::time::sleep(sleep), if left.is_some() => {}
            }
        }
    }

    pub(crate) fn body(&self) -> TokenBody {
        let used_ms = self.used_ms.load(Ordering::Relaxed);
        TokenBody {
            id: self.id.clone(),
            name: self.name.clone(),
            tenant: self.tenant.clone(),
            scopes: self.scopes.iter().collect(),
            created_at: Timestamp(self.created_at_ms).into(),
            expires_at: self.expires_at_ms.map(|ms| Timestamp(ms).into()),
            last_used_at: (used_ms > 0).then(|| Timestamp(used_ms).into()),
            from_file: self.from_file,
        }
    }
}

/// The wall clock, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

impl Pass {
    /// What came without a token, where none is required.
    pub(crate) fn open() -> Self {
        Self {
            scopes: Scopes::all(),
            token: None,
        }
    }

    pub(crate) fn of(token: Arc<Token>) -> Self {
        Self {
            scopes: token.scopes,
            token: Some(token),
        }
    }

    pub(crate) fn scopes(&self) -> Scopes {
        self.scopes
    }

    pub(crate) fn token(&self) -> Option<&Arc<Token>> {
        self.token.as_ref()
    }

    /// Refuses what needs more than there is.
    pub(crate) fn check(&self, needs: Needs) -> Result<(), Problem> {
        match needs {
            Needs::Nothing | Needs::Token => Ok(()),
            Needs::Scope(scope) => self.check_scope(scope),
        }
    }

    pub(crate) fn check_scope(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.has(scope) {
            return Ok(());
        }
        let name = self.token.as_ref().map_or("", |token| &token.name);
        let held: Vec<&str> = self.scopes.iter().map(Scope::as_str).collect();
        let detail = format!(
            "it needs the scope `{scope}`; the token `{name}` has {}",
            held.join(", ")
        );
        Err(Problem::new(Code::ScopeMissing, detail))
    }

    /// True if nothing is ever refused for want of a scope, and it never ends.
    pub(crate) fn is_unlimited(&self) -> bool {
        self.token.is_none()
    }

    /// Returns once the token is over; never if there is none.
    pub(crate) async fn ended(&self) {
        match &self.token {
            Some(token) => token.ended().await,
            None => std::future::pending().await,
        }
    }
}

impl FromRequestParts<Arc<App>> for Pass {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Infallible> {
        // `frame` has refused what came without where there must be one.
        Ok(parts.extensions.get().cloned().unwrap_or_else(Self::open))
    }
}

/// What a request is told whose token is none, or has ended.
pub(crate) fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Code::Unauthenticated, detail)
}

//! What the engine keeps of API tokens and tenants: records, in memory and in shard 0.
//!
//! A change is durable before it is seen, and changes come one after the other. What this is not: it lets nobody in and opens no
//! tenant. That is the server's, which is the only one that knows connections.

use crate::engine::Engine;
use crate::list;
use crate::node::Node;
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use trunkline_core::code::Code;
use trunkline_core::ids::ShardId;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{Keep, Kept, Op, Rejection, Reply};

const HOME: ShardId = ShardId(0);

/// What is kept of a token.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct TokenRecord {
    /// Its id.
    #[n(0)]
    pub id: String,
    /// What it is for.
    #[n(1)]
    pub name: String,
    /// Whose it is.
    #[n(2)]
    pub tenant: String,
    /// What it may do, as bits.
    #[n(3)]
    pub scopes: u32,
    /// A hash of its text.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub hash: [u8; 32],
    /// When it was made, in milliseconds since 1970.
    #[n(5)]
    pub created_at_ms: u64,
    /// When it ends; absent: it does not.
    #[n(6)]
    pub expires_at_ms: Option<u64>,
    /// When it was last used, coarsely; absent: it was not.
    #[n(7)]
    pub last_used_at_ms: Option<u64>,
    /// True if it came from a file that a server was started with.
    #[n(8)]
    pub from_file: bool,
}

impl fmt::Debug for TokenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRecord")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// How far a tenant has come. Making and removing one takes more than one write, so each is carried on after a crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum TenantStage {
    /// Its data folder may not be there yet.
    #[n(0)]
    Making,
    /// It is there.
    #[n(1)]
    Ready,
    /// Its data folder may be gone already.
    #[n(2)]
    Removing,
}

/// What is kept of a tenant.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct TenantRecord {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// How far it has come.
    #[n(1)]
    pub stage: TenantStage,
    /// When it was made, in milliseconds since 1970.
    #[n(2)]
    pub created_at_ms: u64,
    /// The id of its data folder, once that is there: another folder in its place is not its data.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub folder: Option<[u8; 16]>,
    /// Requests in a second at most.
    #[n(4)]
    pub requests_per_second: Option<u32>,
    /// Runs that have not ended, at most.
    #[n(5)]
    pub open_runs: Option<u64>,
    /// Jobs that are not settled, at most.
    #[n(6)]
    pub open_jobs: Option<u64>,
    /// Bytes on the disk at most.
    #[n(7)]
    pub disk_bytes: Option<u64>,
}

/// The records of an engine.
#[derive(Debug, Default)]
pub(crate) struct Access {
    tokens: RwLock<BTreeMap<String, TokenRecord>>,
    tenants: RwLock<BTreeMap<String, TenantRecord>>,
    /// One change at a time.
    changes: Arc<tokio::sync::Mutex<()>>,
}

impl Access {
    /// Takes what the rows hold.
    pub(crate) fn recover(
        &self,
        tokens: Vec<Vec<u8>>,
        tenants: Vec<Vec<u8>>,
    ) -> Result<(), Rejection> {
        let damaged = |what: &str, error: minicbor::decode::Error| {
            Rejection::new(
                Code::StoreDamaged,
                format!("{what} does not decode: {error}"),
            )
        };
        for row in tokens {
            let record: TokenRecord =
                minicbor::decode(&row).map_err(|error| damaged("a token", error))?;
            lock(&self.tokens).insert(record.id.clone(), record);
        }
        for row in tenants {
            let record: TenantRecord =
                minicbor::decode(&row).map_err(|error| damaged("a tenant", error))?;
            lock(&self.tenants).insert(record.name.clone(), record);
        }
        Ok(())
    }
}

fn lock<T>(of: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    of.write().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// What is kept of tokens, by id.
    #[must_use]
    pub fn tokens(&self) -> Vec<TokenRecord> {
        let tokens = &self.node().access.tokens;
        let tokens = tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.values().cloned().collect()
    }

    /// What is kept of tenants, by name.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantRecord> {
        let tenants = &self.node().access.tenants;
        let tenants = tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.values().cloned().collect()
    }

    /// Keeps a token.
    ///
    /// # Errors
    /// If the engine stops or fails.
    pub async fn keep_token(&self, record: TokenRecord) -> Result<(), Rejection> {
        let bytes = minicbor::to_vec(&record).expect("writing to memory cannot fail");
        self.keep(Kept::ApiToken, record.id.clone(), Some(bytes), |access| {
            lock(&access.tokens).insert(record.id.clone(), record);
        })
        .await
    }

    /// Notes when a token was used, if it is still kept.
    ///
    /// # Errors
    /// If the engine stops or fails.
    pub async fn note_token_use(&self, id: &str, at_ms: u64) -> Result<(), Rejection> {
        let changes = Arc::clone(&self.node().access.changes);
        let _change = changes.lock().await;
        let found = lock(&self.node().access.tokens).get(id).cloned();
        let Some(mut record) = found else {
            return Ok(());
        };
        record.last_used_at_ms = Some(at_ms);
        let bytes = minicbor::to_vec(&record).expect("writing to memory cannot fail");
        put_row(self.node(), Kept::ApiToken, id, Some(bytes)).await?;
        lock(&self.node().access.tokens).insert(record.id.clone(), record);
        Ok(())
    }

    /// Forgets a token.
    ///
    /// # Errors
    /// If the engine stops or fails.
    pub async fn forget_token(&self, id: String) -> Result<(), Rejection> {
        self.keep(Kept::ApiToken, id.clone(), None, move |access| {
            lock(&access.tokens).remove(&id);
        })
        .await
    }

    /// Keeps a tenant.
    ///
    /// # Errors
    /// If the engine stops or fails.
    pub async fn keep_tenant(&self, record: TenantRecord) -> Result<(), Rejection> {
        let bytes = minicbor::to_vec(&record).expect("writing to memory cannot fail");
        self.keep(Kept::Tenant, record.name.clone(), Some(bytes), |access| {
            lock(&access.tenants).insert(record.name.clone(), record);
        })
        .await
    }

    /// Forgets a tenant.
    ///
    /// # Errors
    /// If the engine stops or fails.
    pub async fn forget_tenant(&self, name: String) -> Result<(), Rejection> {
        self.keep(Kept::Tenant, name.clone(), None, move |access| {
            lock(&access.tenants).remove(&name);
        })
        .await
    }

    /// Writes a row, and then what is seen. It is carried through even if whoever asked has gone.
    async fn keep(
        &self,
        kept: Kept,
        name: String,
        value: Option<Vec<u8>>,
        then: impl FnOnce(&Access) + Send + 'static,
    ) -> Result<(), Rejection> {
        let node = Arc::clone(self.node());
        let changed = self.runtime().spawn(async move {
            let _change = node.access.changes.lock().await;
            put_row(&node, kept, &name, value).await?;
            then(&node.access);
            Ok(())
        });
        let broken = |_| Rejection::new(Code::Internal, "the change broke off");
        changed.await.map_err(broken)?
    }
}

async fn put_row(
    node: &Node,
    kept: Kept,
    name: &str,
    value: Option<Vec<u8>>,
) -> Result<(), Rejection> {
    let keep = Keep {
        kept,
        name: Name::from(name),
        value: value.map(Payload::from),
        news: None,
    };
    match list::ask(node, HOME, Op::Keep(keep)).await? {
        Reply::Done => Ok(()),
        _ => Err(list::unexpected()),
    }
}

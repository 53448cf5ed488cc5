//! Credentials: what authenticates the calls of destinations, in memory and kept in shard 0.
//!
//! What is in memory is what is in the rows: sealed. A secret is [opened](authenticate) for one call, at the last moment, so the
//! next call after a rotation has the new one and nothing has to be told. Changes come one after the other, and are
//! durable before they count.
//!
//! What this is not: it decides nothing about jobs. If the credential of a call is not to be had, the job waits and that
//! costs no attempt; if the destination says 401, [`heard`](Credentials::heard) says whether another try makes sense.

mod authenticate;
mod grant;
mod outage;
mod row;
mod upkeep;

use crate::node::Node;
use grant::Grants;
use hashbrown::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use trunkline_core::code::Code;
use trunkline_core::payload::Name;
use trunkline_core::peer::Rejection;
use trunkline_vault::{Credential, Redactor, Vault, VaultError};

pub use grant::GrantFigures;
pub use upkeep::{CredentialStatus, NewCredential, TestCall, TestResult};

pub(crate) use authenticate::wait;
pub(crate) use upkeep::put_destination;

/// The credentials of an engine.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// Whose they are: part of every seal.
    tenant: String,
    vault: Option<Arc<Vault>>,
    all: RwLock<HashMap<Name, Arc<Credential>>>,
    grants: Grants,
    /// One change at a time.
    changes: Arc<tokio::sync::Mutex<()>>,
}

/// What a call was authenticated with.
#[derive(Debug)]
pub(crate) struct Used {
    credential: Name,
    version: u32,
    /// Which access token, if it was one.
    grant: Option<u64>,
    /// Knows what was sent.
    pub(crate) redactor: Redactor,
}

impl Credentials {
    pub(crate) fn new(tenant: &str, vault: Option<Arc<Vault>>) -> Self {
        Self {
            tenant: tenant.to_owned(),
            vault,
            all: RwLock::default(),
            grants: Grants::default(),
            changes: Arc::default(),
        }
    }

    /// Says whose they are: what becomes of their access tokens is told in its feed.
    pub(crate) fn belong_to(&self, node: &Arc<Node>) {
        self.grants.outages.belong_to(node);
    }

    /// Takes what the rows hold, and refuses a key ring that does not open it.
    pub(crate) fn recover(&self, rows: Vec<Vec<u8>>) -> Result<(), Rejection> {
        for row in rows {
            let credential: Credential = minicbor::decode(&row).map_err(|error| {
                let detail = format!("a credential does not decode: {error}");
                Rejection::new(Code::StoreDamaged, detail)
            })?;
            let checked = match &self.vault {
                Some(vault) => vault.check(&self.tenant, &credential),
                None => Err(VaultError::KeyFile("no key file is given".into())),
            };
            checked.map_err(|error| {
                let detail = format!("credential `{}`: {error}", credential.id);
                Rejection::new(Code::KeyRingWrong, detail)
            })?;
            self.remember(credential);
        }
        Ok(())
    }

    fn remember(&self, credential: Credential) -> Arc<Credential> {
        let credential = Arc::new(credential);
        self.all
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(Name::from(&*credential.id), Arc::clone(&credential));
        credential
    }

    fn forget(&self, id: &Name) {
        self.all
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        self.grants.forget(id);
    }

    fn find(&self, id: &Name) -> Option<Arc<Credential>> {
        self.all
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    fn get(&self, id: &Name) -> Result<Arc<Credential>, Rejection> {
        self.find(id)
            .ok_or_else(|| Rejection::new(Code::CredentialNotFound, format!("credential `{id}`")))
    }

    fn vault(&self) -> Result<&Arc<Vault>, Rejection> {
        self.vault.as_ref().ok_or_else(|| {
            let detail = "credentials are sealed with it: start the server with --key-file";
            Rejection::new(Code::NoKeyRing, detail)
        })
    }
}

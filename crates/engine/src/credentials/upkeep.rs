//! Upkeep: credentials are put, promoted, tested, sealed anew and deleted.
//!
//! Every change is durable before it counts, and is carried through even if whoever asked has gone.

use super::Used;
use super::authenticate::Reason;
use super::row;
use crate::engine::Engine;
use crate::list;
use crate::node::Node;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::HeaderName;
use hyper::{Method, Request};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use trunkline_core::code::Code;
use trunkline_core::egress::Destination;
use trunkline_core::ids::destination_shard;
use trunkline_core::payload::Name;
use trunkline_core::peer::{Op, Rejection, Reply};
use trunkline_vault::{
    Credential, Draft, KeyRing, Place, Settings, VaultError, Version, check_secret,
};

const CREDENTIALS_MAX: usize = 10_000;
const TEST_PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of an answer to a test that are shown.
const EXCERPT_BYTES_MAX: usize = 500;

/// A credential to put, or a new version of one.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// Its id.
    pub id: Name,
    /// What it is for; absent: as it was.
    pub description: Option<String>,
    /// How long a version goes on as the previous one, in milliseconds; absent: as it was, or a day.
    pub overlap_ms: Option<u64>,
    /// The version.
    pub draft: Draft,
}

/// A credential and how it stands. Nothing in it is secret.
#[derive(Clone, Debug)]
pub struct CredentialStatus {
    /// The credential.
    pub credential: Arc<Credential>,
    /// The destinations that use it, by name.
    pub used_by: Vec<Name>,
    /// Why its token endpoint gave no token when it was last asked; or why its outage began.
    pub failure: Option<String>,
    /// The time at which this was so: versions are over by it.
    pub now_ms: u64,
}

/// A call that shows whether a credential is accepted.
#[derive(Clone, Debug)]
pub struct TestCall {
    /// Where to; absent: the first destination that uses it.
    pub url: Option<Name>,
    /// The method, such as `GET`.
    pub method: Name,
    /// True: with the pending version.
    pub pending: bool,
}

/// What came of a test.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// Where to.
    pub url: Name,
    /// The version.
    pub version: u32,
    /// The HTTP status; absent: there was no answer.
    pub status: Option<u16>,
    /// The beginning of the answer, or why there was none. No secret is in it.
    pub detail: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl Engine {
    /// All credentials, by id.
    ///
    /// # Errors
    /// If the engine stops or fails.
    pub async fn credentials(&self) -> Result<Vec<CredentialStatus>, Rejection> {
        let node = self.node();
        let mut all: Vec<_> = {
            let all = node.credentials.all.read();
            let all = all.unwrap_or_else(PoisonError::into_inner);
            all.values().cloned().collect()
        };
        all.sort_by(|a, b| a.id.cmp(&b.id));
        let uses = uses(node).await?;
        Ok(all
            .into_iter()
            .map(|credential| status(node, credential, &uses))
            .collect())
    }

    /// A credential.
    ///
    /// # Errors
    /// `TL0130` if there is none.
    pub async fn credential(&self, id: &Name) -> Result<CredentialStatus, Rejection> {
        let node = self.node();
        let credential = node.credentials.get(id)?;
        Ok(status(node, credential, &uses(node).await?))
    }

    /// Puts a credential, or a new version of one.
    ///
    /// # Errors
    /// `TL0131` if it is not usable, `TL0133` if there is no key ring.
    pub async fn put_credential(&self, new: NewCredential) -> Result<CredentialStatus, Rejection> {
        self.change(move |node| async move {
            let node = &node;
            let here = &node.credentials;
            let vault = here.vault()?;
            check(&new)?;
            let now_ms = node.clock.now().0;
            let found = here.find(&new.id);
            if found.is_none() {
                let count = here
                    .all
                    .read()
                    .unwrap_or_else(PoisonError::into_inner)
                    .len();
                if count >= CREDENTIALS_MAX {
                    let detail = format!("{CREDENTIALS_MAX} credentials are kept");
                    return Err(Rejection::new(Code::CredentialInvalid, detail));
                }
            }
            let mut credential = found.map_or_else(
                || {
                    let mut fresh = Credential::new(&new.id, now_ms);
                    fresh.overlap_ms = 24 * 3_600_000;
                    fresh
                },
                |found| Credential::clone(&found),
            );
            if new.description.is_some() {
                credential.description = new.description;
            }
            if let Some(overlap_ms) = new.overlap_ms {
                credential.overlap_ms = overlap_ms;
            }
            vault
                .add(&here.tenant, &mut credential, &new.draft, now_ms)
                .map_err(invalid)?;
            let kept = row::keep(node, credential, None).await?;
            Ok(status(node, kept, &uses(node).await?))
        })
        .await
    }

    /// Makes the pending version of a credential the current one.
    ///
    /// # Errors
    /// `TL0130` if there is no such credential, `TL0137` if no version is pending.
    pub async fn promote_credential(&self, id: Name) -> Result<CredentialStatus, Rejection> {
        self.change(move |node| async move {
            let node = &node;
            let mut credential = Credential::clone(&*node.credentials.get(&id)?);
            if !credential.promote(node.clock.now().0) {
                let detail = format!("no version of credential `{id}` is pending");
                return Err(Rejection::new(Code::NoSuchVersion, detail));
            }
            let kept = row::keep(node, credential, None).await?;
            Ok(status(node, kept, &uses(node).await?))
        })
        .await
    }

    /// Drops the previous version of a credential before its overlap is over.
    ///
    /// # Errors
    /// `TL0130` if there is no such credential, `TL0137` if it has no previous version.
    pub async fn retire_credential(&self, id: Name) -> Result<CredentialStatus, Rejection> {
        self.change(move |node| async move {
            let node = &node;
            let mut credential = Credential::clone(&*node.credentials.get(&id)?);
            if !credential.retire(node.clock.now().0) {
                let detail = format!("credential `{id}` has no previous version");
                return Err(Rejection::new(Code::NoSuchVersion, detail));
            }
            let kept = row::keep(node, credential, None).await?;
            Ok(status(node, kept, &uses(node).await?))
        })
        .await
    }

    /// Deletes a credential that no destination uses.
    ///
    /// # Errors
    /// `TL0130` if there is no such credential, `TL0132` if it is used.
    pub async fn delete_credential(&self, id: Name) -> Result<(), Rejection> {
        self.change(move |node| async move {
            let node = &node;
            node.credentials.get(&id)?;
            let used_by = users(&uses(node).await?, &id);
            if !used_by.is_empty() {
                let names: Vec<&str> = used_by.iter().map(Name::as_str).take(10).collect();
                let detail = format!(
                    "{} destinations use credential `{id}`: {}",
                    used_by.len(),
                    names.join(", ")
                );
                return Err(Rejection::new(Code::CredentialInUse, detail));
            }
            row::delete(node, &id).await
        })
        .await
    }

    /// Seals every credential anew that is not sealed under the newest key of the ring. Answers how many were.
    ///
    /// # Errors
    /// `TL0133` if there is no key ring, `TL0134` if it does not open what is stored.
    pub async fn reseal_credentials(&self) -> Result<usize, Rejection> {
        self.change(move |node| async move {
            let node = &node;
            let here = &node.credentials;
            let vault = here.vault()?;
            let all: Vec<Arc<Credential>> = {
                let all = here.all.read().unwrap_or_else(PoisonError::into_inner);
                all.values().cloned().collect()
            };
            let mut count = 0;
            for credential in all {
                let mut credential = Credential::clone(&credential);
                let now_ms = node.clock.now().0;
                let changed = vault
                    .reseal(&here.tenant, &mut credential, now_ms)
                    .map_err(|error| Rejection::new(Code::KeyRingWrong, error.to_string()))?;
                if changed {
                    row::keep(node, credential, None).await?;
                    count += 1;
                }
            }
            Ok(count)
        })
        .await
    }

    /// The key ring. It prints its versions and nothing else.
    ///
    /// # Errors
    /// `TL0133` if there is none.
    pub fn key_ring(&self) -> Result<Arc<KeyRing>, Rejection> {
        Ok(self.node().credentials.vault()?.ring())
    }

    /// Adds a fresh key to the key file, or reads one that somebody else has added, and seals every credential anew. Answers how
    /// many were.
    ///
    /// # Errors
    /// `TL0133` if there is no key ring, `TL0135` if its file cannot be read or written.
    pub async fn rotate_keys(&self, grow: bool) -> Result<usize, Rejection> {
        let vault = Arc::clone(self.node().credentials.vault()?);
        // It reads and writes a file.
        let rotated = self
            .runtime()
            .spawn_blocking(move || if grow { vault.grow() } else { vault.reload() });
        rotated
            .await
            .map_err(|_| Rejection::new(Code::Internal, "the rotation broke off"))?
            .map_err(invalid)?;
        self.reseal_credentials().await
    }

    /// Makes a call with a credential, and says what came of it.
    ///
    /// # Errors
    /// `TL0130` and `TL0137` if there is nothing to test, `TL0131` if there is nowhere to call, `TL0136` if the credential is
    /// not to be had.
    pub async fn test_credential(
        &self,
        id: &Name,
        call: TestCall,
    ) -> Result<TestResult, Rejection> {
        let node = self.node();
        let credential = node.credentials.get(id)?;
        let version = if call.pending {
            credential.pending()
        } else {
            credential.current()
        };
        let version = version.ok_or_else(|| {
            let stage = if call.pending { "pending" } else { "current" };
            let detail = format!("no version of credential `{id}` is {stage}");
            Rejection::new(Code::NoSuchVersion, detail)
        })?;
        let url = match call.url {
            Some(url) => url,
            None => first_url(node, id).await?,
        };
        let refuse = |detail: String| Rejection::new(Code::CredentialInvalid, detail);
        crate::delivery::check_url(&url).map_err(refuse)?;
        let method: Method = call
            .method
            .parse()
            .map_err(|_| refuse("the method is none".into()))?;
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header("user-agent", crate::delivery::USER_AGENT)
            .body(Full::new(Bytes::new()))
            .map_err(|error| refuse(format!("the call cannot be made: {error}")))?;
        let message_id = format!("test-{}-{}", id, node.clock.now().0);
        let used = node
            .credentials
            .apply(
                node.deliveries.http(),
                &credential,
                version,
                &mut request,
                (&message_id, b""),
                node.clock.now().0,
            )
            .await
            .map_err(|reason| Rejection::new(Code::CredentialFailed, reason))?;
        Ok(exchange(node, request, used, version, url).await)
    }

    /// Carries a change through, one at a time, also if the caller goes away meanwhile.
    async fn change<T, F>(
        &self,
        change: impl FnOnce(Arc<Node>) -> F + Send + 'static,
    ) -> Result<T, Rejection>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Rejection>> + Send,
    {
        let node = Arc::clone(self.node());
        let carried = self.runtime().spawn(async move {
            let _change = Arc::clone(&node.credentials.changes).lock_owned().await;
            change(Arc::clone(&node)).await
        });
        carried
            .await
            .unwrap_or_else(|_| Err(Rejection::new(Code::Internal, "a change broke off")))
    }
}

async fn exchange(
    node: &Node,
    request: Request<Full<Bytes>>,
    used: Used,
    version: &Version,
    url: Name,
) -> TestResult {
    let began = Instant::now();
    let answer = tokio::time::timeout(TEST_PATIENCE, async {
        let response = node
            .deliveries
            .http()
            .request(request)
            .await
            .map_err(|error| crate::delivery::chain(&error))?;
        let status = response.status().as_u16();
        let body = http_body_util::Limited::new(response.into_body(), 64 << 10)
            .collect()
            .await
            .map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
        Ok::<_, Reason>((status, body))
    })
    .await
    .unwrap_or_else(|_| Err(format!("no answer within {} s", TEST_PATIENCE.as_secs())));
    let (status, detail) = match answer {
        Ok((status, body)) => {
            // Deliveries learn from it, too.
            let _ = node.credentials.heard(&used, Some(status), None);
            (Some(status), String::from_utf8_lossy(&body).into_owned())
        }
        Err(reason) => (None, reason),
    };
    let mut detail = used.redactor.redact_text(detail);
    detail.truncate(detail.floor_char_boundary(EXCERPT_BYTES_MAX));
    TestResult {
        url,
        version: version.number,
        status,
        detail,
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

/// Puts a destination that names a credential: it must be there, and cannot go while this is under way.
pub(crate) async fn put_destination(
    node: &Node,
    destination: Destination,
) -> Result<Reply, Rejection> {
    let _change = node.credentials.changes.lock().await;
    if let Some(credential) = &destination.credential {
        node.credentials.get(credential)?;
    }
    let shard = destination_shard(&destination.name, node.shards);
    let destination = Box::new(destination);
    list::ask(node, shard, Op::PutDestination { destination }).await
}

fn check(new: &NewCredential) -> Result<(), Rejection> {
    crate::door::check_name("the credential", &new.id)?;
    let refuse = |detail: &str| Err(Rejection::new(Code::CredentialInvalid, detail));
    match &new.draft.settings {
        Settings::Basic { user } if user.contains(':') || user.chars().any(char::is_control) => {
            return refuse("a user name has no colon and no control character");
        }
        Settings::ApiKey { name, place } => {
            let is_usable = match place {
                Place::Header => HeaderName::from_bytes(name.as_bytes()).is_ok(),
                Place::Query => !name.is_empty() && name.len() <= 256,
            };
            if !is_usable {
                return refuse("the name of the header or parameter is not usable");
            }
        }
        Settings::ClientCredentials { token_url, .. } => {
            crate::delivery::check_url(token_url).map_err(|why| {
                let detail = format!("the token endpoint: {why}");
                Rejection::new(Code::CredentialInvalid, detail)
            })?;
        }
        _ => {}
    }
    check_secret(&new.draft.settings, &new.draft.secret).map_err(invalid)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn invalid(error: VaultError) -> Rejection {
    let code = match error {
        VaultError::SecretInvalid(_) => Code::CredentialInvalid,
        VaultError::KeyFile(_) => Code::KeyRingInvalid,
        VaultError::KeyMissing(_) | VaultError::NotOpened(_) => Code::KeyRingWrong,
        VaultError::NoRandomness(_) => Code::Internal,
    };
    Rejection::new(code, error.to_string())
}

/// Which destination uses which credential.
async fn uses(node: &Node) -> Result<Vec<(Name, Name)>, Rejection> {
    let all = list::list_destinations(node).await?;
    Ok(all
        .into_iter()
        .filter_map(|status| Some((status.destination.credential?, status.destination.name)))
        .collect())
}

fn users(uses: &[(Name, Name)], id: &str) -> Vec<Name> {
    uses.iter()
        .filter(|(credential, _)| credential.as_str() == id)
        .map(|(_, destination)| destination.clone())
        .collect()
}

fn status(node: &Node, credential: Arc<Credential>, uses: &[(Name, Name)]) -> CredentialStatus {
    let grants = &node.credentials.grants;
    let outage = credential.outage.as_ref();
    CredentialStatus {
        used_by: users(uses, &credential.id),
        failure: grants
            .failure(&Name::from(&*credential.id))
            .or_else(|| outage.map(|outage| outage.reason.clone())),
        now_ms: node.clock.now().0,
        credential,
    }
}

async fn first_url(node: &Node, id: &Name) -> Result<Name, Rejection> {
    let all = list::list_destinations(node).await?;
    let mut using = all
        .into_iter()
        .filter(|status| status.destination.credential.as_ref() == Some(id));
    let detail = "no destination uses it, so the test needs an address";
    let first = using.next().map(|status| status.destination.url);
    first.ok_or_else(|| Rejection::new(Code::CredentialInvalid, detail))
}

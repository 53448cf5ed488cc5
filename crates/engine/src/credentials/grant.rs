//! Grants: access tokens that a token endpoint gives for a client's own credentials (RFC 6749, 4.4).
//!
//! A token is fetched when a call first needs it, and anew when four fifths of its time are over, when the credential has another
//! version, or when a destination refuses it. However many calls want it, one request is under way; the others wait for its
//! answer. Tokens are in memory only: after a restart they are fetched again.

use super::authenticate::{Http, Reason, base64, encoded};
use super::outage::{Heard, Outages};
use crate::engine::Engine;
use hashbrown::HashMap;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use hyper_util::client::legacy::connect::Connect;
use serde::Deserialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trunkline_core::payload::Name;
use trunkline_vault::{ClientAuth, Redactor, Secret, Settings, Version};

/// How long a token endpoint may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of its answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// After a failure the endpoint is left alone for so long: calls that wait must not ask one after the other.
const PAUSE_MS: u64 = 1_000;

/// A token for one call.
#[derive(Clone, Debug)]
pub(super) struct AccessToken {
    pub(super) token: Secret,
    /// Which one it is: they are counted.
    pub(super) number: u64,
}

impl Engine {
    /// How it goes with the access tokens that credentials fetch.
    #[must_use]
    pub fn grants(&self) -> GrantFigures {
        self.node().credentials.grants.figures()
    }
}

/// The access tokens by credential.
#[derive(Debug, Default)]
pub(super) struct Grants {
    /// Hears how it goes.
    pub(super) outages: Outages,
    all: Mutex<HashMap<Name, Arc<Grant>>>,
    /// How often an endpoint gave a token, and how often none.
    granted: AtomicU64,
    refused: AtomicU64,
}

/// How it goes with access tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GrantFigures {
    /// Tokens that endpoints gave.
    pub granted: u64,
    /// Times that an endpoint was asked and gave none.
    pub refused: u64,
    /// Credentials whose endpoint gave none when it was last asked, now.
    pub failing: u64,
}

#[derive(Debug, Default)]
struct Grant {
    /// Whoever asks the endpoint holds it.
    flight: tokio::sync::Mutex<()>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<Token>,
    /// Tokens so far.
    count: u64,
    /// The next one is fetched because a destination refused the last.
    forced: bool,
    /// The endpoint failed, and is left alone until then.
    failed: Option<(u64, Reason)>,
}

#[derive(Debug)]
struct Token {
    access: AccessToken,
    /// The version of the credential that it was fetched for.
    version: u32,
    /// From then on another one is wanted.
    renew_at_ms: u64,
    /// From then on it is worth nothing.
    ends_at_ms: u64,
    /// It was fetched because the one before was refused.
    forced: bool,
    /// A destination has accepted it.
    proved: bool,
}

impl Grants {
    fn of(&self, credential: &Name) -> Arc<Grant> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(credential.clone()).or_default())
    }

    pub(super) fn forget(&self, credential: &Name) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(credential);
    }

    /// Why the endpoint gave no token when it was last asked.
    pub(super) fn failure(&self, credential: &Name) -> Option<Reason> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let grant = all.get(credential)?;
        let held = grant.lock();
        held.failed.as_ref().map(|(_, reason)| reason.clone())
    }

    /// How it goes.
    pub(super) fn figures(&self) -> GrantFigures {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let is_failing = |grant: &&Arc<Grant>| grant.lock().failed.is_some();
        GrantFigures {
            granted: self.granted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            failing: all.values().filter(is_failing).count() as u64,
        }
    }

    /// A token for `version` of a credential, from memory or from the endpoint.
    pub(super) async fn token<C>(
        &self,
        http: &Http<C>,
        credential: &Name,
        version: &Version,
        secret: &Secret,
        now_ms: u64,
    ) -> Result<AccessToken, Reason>
    where
        C: Connect + Clone + Send + Sync + 'static,
    {
        let grant = self.of(credential);
        if let Some(token) = grant.lock().fresh(version.number, now_ms) {
            return Ok(token);
        }
        let _flight = grant.flight.lock().await;
        {
            let held = grant.lock();
            if let Some(token) = held.fresh(version.number, now_ms) {
                return Ok(token);
            }
            if let Some((until_ms, reason)) = &held.failed
                && now_ms < *until_ms
            {
                let reason = reason.clone();
                return held.last(version.number, now_ms).ok_or(reason);
            }
        }
        let fetched = tokio::time::timeout(PATIENCE, fetch(http, &version.settings, secret))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())));
        let mut held = grant.lock();
        match fetched {
            Ok(granted) => {
                self.granted.fetch_add(1, Ordering::Relaxed);
                self.outages.hear(credential, version.number, Heard::Token);
                Ok(held.take(granted, version.number, now_ms))
            }
            Err(reason) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                // Its words are a stranger's.
                let mut redactor = Redactor::default();
                redactor.add(secret);
                let reason = redactor.redact_text(format!("the token endpoint: {reason}"));
                tracing::warn!(credential = %credential, reason, "an access token cannot be had");
                let heard = Heard::NoToken(reason.clone());
                self.outages.hear(credential, version.number, heard);
                held.failed = Some((now_ms + PAUSE_MS, reason.clone()));
                held.last(version.number, now_ms).ok_or(reason)
            }
        }
    }

    /// A destination has accepted the token.
    pub(super) fn proved(&self, credential: &Name, number: u64) {
        let grant = self.of(credential);
        let mut held = grant.lock();
        if let Some(token) = &mut held.token
            && token.access.number == number
            && !std::mem::replace(&mut token.proved, true)
        {
            self.outages
                .hear(credential, token.version, Heard::Accepted);
        }
    }

    /// A destination has refused the token. True if there is another one, or is to be: then another try makes sense.
    pub(super) fn refused(&self, credential: &Name, number: u64) -> bool {
        let grant = self.of(credential);
        let mut held = grant.lock();
        let Some(token) = &held.token else {
            return true;
        };
        if token.access.number != number {
            return true;
        }
        // A token that was fetched because of a refusal, and is refused at once, says that the endpoint cannot help.
        if token.forced && !token.proved {
            self.outages.hear(credential, token.version, Heard::Refused);
            return false;
        }
        held.token = None;
        held.forced = true;
        true
    }
}

impl Grant {
    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn fresh(&self, version: u32, now_ms: u64) -> Option<AccessToken> {
        let token = self.token.as_ref()?;
        let is_fresh = token.version == version && now_ms < token.renew_at_ms;
        is_fresh.then(|| token.access.clone())
    }

    /// The token that there is, if it is still worth something.
    fn last(&self, version: u32, now_ms: u64) -> Option<AccessToken> {
        let token = self.token.as_ref()?;
        let is_worth = token.version == version && now_ms < token.ends_at_ms;
        is_worth.then(|| token.access.clone())
    }

    fn take(&mut self, granted: Granted, version: u32, now_ms: u64) -> AccessToken {
        self.count += 1;
        let access = AccessToken {
            token: Secret::new(granted.access_token),
            number: self.count,
        };
        let life_ms = granted
            .expires_in
            .map_or(u64::MAX, |seconds| seconds.saturating_mul(1_000));
        self.token = Some(Token {
            access: access.clone(),
            version,
            renew_at_ms: now_ms.saturating_add(life_ms / 5 * 4),
            ends_at_ms: now_ms.saturating_add(life_ms),
            forced: std::mem::take(&mut self.forced),
            proved: false,
        });
        self.failed = None;
        access
    }
}

/// The answer of a token endpoint (RFC 6749, 5.1), as far as it is looked at.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<u64>,
}

/// The refusal of a token endpoint (RFC 6749, 5.2), as far as it is looked at.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

async fn fetch<C>(http: &Http<C>, settings: &Settings, secret: &Secret) -> Result<Granted, Reason>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let request = request(settings, secret)?;
    let response = http
        .request(request)
        .await
        .map_err(|error| crate::delivery::chain(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await
        .map_err(|_| "its answer broke off, or is too long".to_owned())?
        .to_bytes();
    if !status.is_success() {
        // Only the word that the specification has for it: the rest may repeat what was sent.
        let word = serde_json::from_slice::<Refused>(&body)
            .ok()
            .map(|refused| refused.error)
            .filter(|word| {
                word.len() <= 64
                    && word
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            });
        return Err(match word {
            Some(word) => format!("it answers {} {word}", status.as_u16()),
            None => format!("it answers {}", status.as_u16()),
        });
    }
    let granted: Granted =
        serde_json::from_slice(&body).map_err(|_| "its answer is no access token".to_owned())?;
    let is_bearer = granted
        .token_type
        .as_deref()
        .is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    if !is_bearer || HeaderValue::from_str(&granted.access_token).is_err() {
        return Err("its token is none that a header could carry".into());
    }
    Ok(granted)
}

fn request(settings: &Settings, secret: &Secret) -> Result<Request<Full<Bytes>>, Reason> {
    let Settings::ClientCredentials {
        token_url,
        client_id,
        scope,
        client_auth,
    } = settings
    else {
        return Err("the credential has no token endpoint".into());
    };
    let mut form = String::from("grant_type=client_credentials");
    if let Some(scope) = scope {
        form.push_str("&scope=");
        form.push_str(&encoded(scope));
    }
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(token_url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json");
    match client_auth {
        ClientAuth::Basic => {
            // Both in percent form first, as RFC 6749, 2.3.1 has it.
            let pair = format!("{}:{}", encoded(client_id), encoded(secret.reveal()));
            let mut value = HeaderValue::from_str(&format!("Basic {}", base64(pair.as_bytes())))
                .map_err(|_| "the secret cannot stand in a header".to_owned())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        ClientAuth::Body => {
            form.push_str("&client_id=");
            form.push_str(&encoded(client_id));
            form.push_str("&client_secret=");
            form.push_str(&encoded(secret.reveal()));
        }
    }
    request
        .body(Full::new(Bytes::from(form)))
        .map_err(|_| "its address is not usable".to_owned())
}

#[cfg(test)]
mod tests;

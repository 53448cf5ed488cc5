//! Authentication: adds what a credential says to a call that is about to leave.

use super::grant::AccessToken;
use super::{Credentials, Used};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::Connect;
use std::fmt::Write;
use trunkline_core::egress::Verdict;
use trunkline_core::payload::Name;
use trunkline_vault::{
    Credential, Place, Redactor, Secret, Settings, Version, WebhookKey, signatures,
};

/// How long a job waits if its credential is not to be had.
const WAIT_MS: u64 = 5_000;

/// Why a call cannot be authenticated, for a person and without a secret.
pub(crate) type Reason = String;

/// The client that calls a token endpoint: the one that makes the deliveries.
pub(crate) type Http<C> = Client<C, Full<Bytes>>;

impl Credentials {
    /// Authenticates `request`, whose body is `body`. A signature names the message `id`.
    pub(crate) async fn authenticate<C>(
        &self,
        http: &Http<C>,
        credential: &Name,
        request: &mut Request<Full<Bytes>>,
        message: (&str, &[u8]),
        now_ms: u64,
    ) -> Result<Used, Reason>
    where
        C: Connect + Clone + Send + Sync + 'static,
    {
        let found = self
            .find(credential)
            .ok_or_else(|| format!("there is no credential `{credential}`"))?;
        let version = found
            .current()
            .ok_or_else(|| format!("no version of the credential `{credential}` is current"))?;
        self.apply(http, &found, version, request, message, now_ms)
            .await
            .map_err(|reason| format!("credential `{credential}`: {reason}"))
    }

    pub(super) async fn apply<C>(
        &self,
        http: &Http<C>,
        credential: &Credential,
        version: &Version,
        request: &mut Request<Full<Bytes>>,
        (id, body): (&str, &[u8]),
        now_ms: u64,
    ) -> Result<Used, Reason>
    where
        C: Connect + Clone + Send + Sync + 'static,
    {
        let open = |version: &Version| -> Result<Secret, Reason> {
            let vault = self
                .vault()
                .map_err(|rejection| rejection.detail.to_string())?;
            vault
                .open(&self.tenant, credential, version)
                .map_err(|error| error.to_string())
        };
        let secret = open(version)?;
        let mut used = Used {
            credential: Name::from(&*credential.id),
            version: version.number,
            grant: None,
            redactor: Redactor::default(),
        };
        used.redactor.add(&secret);
        match &version.settings {
            Settings::Basic { user } => {
                let pair = Secret::new(format!("{user}:{}", secret.reveal()));
                used.redactor.add(&pair);
                put(request, AUTHORIZATION, &basic(&pair))?;
            }
            Settings::Bearer => put(request, AUTHORIZATION, &bearer(&secret))?,
            Settings::ApiKey {
                place: Place::Header,
                name,
            } => {
                let header = HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| format!("`{name}` is no name of a header"))?;
                put(request, header, &secret)?;
            }
            Settings::ApiKey {
                place: Place::Query,
                name,
            } => {
                used.redactor.add(&Secret::new(encoded(secret.reveal())));
                *request.uri_mut() = with_parameter(request.uri(), name, &secret)?;
            }
            Settings::Webhook => {
                let mut keys = vec![WebhookKey::parse(&secret).map_err(|error| error.to_string())?];
                // Whoever verifies may still have the previous key.
                if let Some(previous) = credential.previous(now_ms)
                    && previous.settings == Settings::Webhook
                {
                    let secret = open(previous)?;
                    used.redactor.add(&secret);
                    keys.push(WebhookKey::parse(&secret).map_err(|error| error.to_string())?);
                }
                let timestamp_s = now_ms / 1_000;
                let signed = Secret::new(signatures(&keys, id, timestamp_s, body));
                put(
                    request,
                    HeaderName::from_static("webhook-id"),
                    &Secret::from(id),
                )?;
                put(
                    request,
                    HeaderName::from_static("webhook-timestamp"),
                    &Secret::new(timestamp_s.to_string()),
                )?;
                put(
                    request,
                    HeaderName::from_static("webhook-signature"),
                    &signed,
                )?;
            }
            Settings::ClientCredentials { .. } => {
                let AccessToken { token, number } = self
                    .grants
                    .token(http, &used.credential, version, &secret, now_ms)
                    .await?;
                used.grant = Some(number);
                used.redactor.add(&token);
                put(request, AUTHORIZATION, &bearer(&token))?;
            }
        }
        Ok(used)
    }

    /// Hears how a call ended that was authenticated with `used`, and what the rules say. What it answers takes the place of that.
    pub(crate) fn heard(
        &self,
        used: &Used,
        status: Option<u16>,
        verdict: Option<Verdict>,
    ) -> Option<Verdict> {
        let is_refused =
            verdict == Some(Verdict::RefreshCredential) || status == Some(401) && verdict.is_none();
        if !is_refused {
            if let (Some(number), Some(_)) = (used.grant, status) {
                self.grants.proved(&used.credential, number);
            }
            return verdict;
        }
        // Another version has become the current one while the call was on its way.
        let is_rotated = self
            .find(&used.credential)
            .and_then(|credential| credential.current().map(|version| version.number))
            .is_some_and(|current| current != used.version);
        let is_renewed = used
            .grant
            .is_some_and(|number| self.grants.refused(&used.credential, number));
        if is_rotated || is_renewed {
            Some(Verdict::Retry { after_ms: Some(0) })
        } else {
            Some(Verdict::Fail)
        }
    }
}

/// What becomes of a job whose call could not be authenticated: nothing has left, so it waits.
pub(crate) fn wait() -> Verdict {
    Verdict::Wait { after_ms: WAIT_MS }
}

fn basic(pair: &Secret) -> Secret {
    Secret::new(format!("Basic {}", base64(pair.reveal().as_bytes())))
}

fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.reveal()))
}

/// Adds a header that is neither logged nor indexed.
fn put(request: &mut Request<Full<Bytes>>, name: HeaderName, value: &Secret) -> Result<(), Reason> {
    let mut value = HeaderValue::from_str(value.reveal())
        .map_err(|_| "the secret cannot stand in a header".to_owned())?;
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
    Ok(())
}

fn with_parameter(uri: &Uri, name: &str, secret: &Secret) -> Result<Uri, Reason> {
    let mut parts = uri.clone().into_parts();
    let (path, query) = (uri.path(), uri.query());
    let separator = if query.is_none_or(str::is_empty) {
        ""
    } else {
        "&"
    };
    let text = format!(
        "{path}?{}{separator}{}={}",
        query.unwrap_or_default(),
        encoded(name),
        encoded(secret.reveal())
    );
    let invalid = || "the key does not fit into the address".to_owned();
    parts.path_and_query = Some(text.parse().map_err(|_| invalid())?);
    Uri::from_parts(parts).map_err(|_| invalid())
}

/// `text` with all but the unreserved characters in percent form (RFC 3986).
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

pub(super) fn base64(bytes: &[u8]) -> String {
    trunkline_vault::base64(bytes)
}

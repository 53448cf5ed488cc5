//! A credential: what authenticates calls, found by its id, with versions so that it can change while calls go on.
//!
//! ```text
//! put, pending ──▶ pending ──promote──▶ current ──the next becomes current──▶ previous ──the overlap is over──▶ gone
//! put ────────────────────────────────────┘
//! ```

use crate::authentication::Settings;
use crate::error::VaultError;
use crate::ring::KeyRing;
use crate::sealed::{Sealed, fingerprint};
use crate::secret::Secret;
use crate::webhook::WebhookKey;
use minicbor::{Decode, Encode};

/// Bytes of a secret.
const SECRET_BYTES_MAX: usize = 8 << 10;

/// A credential as it is stored: no part of it is a secret in the clear.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Credential {
    /// Its id.
    #[n(0)]
    pub id: String,
    /// What it is for, in the words of whoever put it.
    #[n(1)]
    pub description: Option<String>,
    /// How long a version goes on as the previous one, in milliseconds.
    #[n(2)]
    pub overlap_ms: u64,
    /// When it was put first.
    #[n(3)]
    pub created_at_ms: u64,
    /// The number of the newest version.
    #[n(4)]
    last: u32,
    /// The versions that are kept, in the order of their numbers.
    #[n(5)]
    versions: Vec<Version>,
    /// Present while no access token is to be had, or none that helps.
    #[n(6)]
    pub outage: Option<Outage>,
}

/// A time without access tokens that are good for anything.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Outage {
    /// The version whose tokens they are.
    #[n(0)]
    pub version: u32,
    /// When it was noticed.
    #[n(1)]
    pub since_ms: u64,
    /// Why, in words without a secret.
    #[n(2)]
    pub reason: String,
    /// There are tokens, and a destination refuses them: only one that is accepted ends this.
    #[n(3)]
    pub refused: bool,
}

/// A version of a credential.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Version {
    /// Its number, from 1.
    #[n(0)]
    pub number: u32,
    /// How far it has come.
    #[n(1)]
    pub stage: Stage,
    /// What of it is no secret.
    #[n(2)]
    pub settings: Settings,
    /// Equal for equal secrets of a tenant.
    #[n(3)]
    pub fingerprint: String,
    /// When it was put.
    #[n(4)]
    pub created_at_ms: u64,
    /// When it has had its time, if it is the previous one.
    #[n(5)]
    pub until_ms: Option<u64>,
    #[n(6)]
    sealed: Sealed,
}

/// How far a version has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Stage {
    /// It can be tested and is not used.
    #[n(0)]
    Pending,
    /// It is used.
    #[n(1)]
    Current,
    /// It was used until a moment ago: signatures carry it too.
    #[n(2)]
    Previous,
}

/// A version that is to be.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What of it is no secret.
    pub settings: Settings,
    /// The secret.
    pub secret: Secret,
    /// True: it is not used until it is promoted.
    pub pending: bool,
}

impl Version {
    /// The version of the key ring under which it is sealed.
    #[must_use]
    pub fn key(&self) -> u32 {
        self.sealed.key()
    }
}

impl Credential {
    /// A credential without versions.
    #[must_use]
    pub fn new(id: &str, now_ms: u64) -> Self {
        Self {
            id: id.to_owned(),
            description: None,
            overlap_ms: 0,
            created_at_ms: now_ms,
            last: 0,
            versions: Vec::new(),
            outage: None,
        }
    }

    /// Adds a version. A pending one takes the place of the one that was pending; another becomes the current one at once.
    ///
    /// # Errors
    /// If the secret does not have the form that its kind asks for.
    pub(crate) fn add(
        &mut self,
        ring: &KeyRing,
        tenant: &str,
        draft: &Draft,
        now_ms: u64,
    ) -> Result<(), VaultError> {
        check_secret(&draft.settings, &draft.secret)?;
        let number = self.last + 1;
        let version = Version {
            number,
            stage: Stage::Pending,
            settings: draft.settings.clone(),
            fingerprint: fingerprint(ring, tenant, &draft.secret)?,
            created_at_ms: now_ms,
            until_ms: None,
            sealed: Sealed::seal(ring, tenant, &self.about(tenant, number), &draft.secret)?,
        };
        self.versions
            .retain(|version| version.stage != Stage::Pending);
        self.last = number;
        self.versions.push(version);
        if !draft.pending {
            self.promote(now_ms);
        }
        self.tidy(now_ms);
        Ok(())
    }

    /// Makes the pending version the current one, and that the previous one. False if none is pending.
    pub fn promote(&mut self, now_ms: u64) -> bool {
        if self.of(Stage::Pending).is_none() {
            return false;
        }
        let until = now_ms.saturating_add(self.overlap_ms);
        for version in &mut self.versions {
            match version.stage {
                Stage::Pending => version.stage = Stage::Current,
                Stage::Current => {
                    version.stage = Stage::Previous;
                    version.until_ms = Some(until);
                }
                // There is one previous version: an older one would make a leaked secret last.
                Stage::Previous => version.until_ms = Some(0),
            }
        }
        self.tidy(now_ms);
        true
    }

    /// Drops the previous version before its time. False if there is none.
    pub fn retire(&mut self, now_ms: u64) -> bool {
        let there_was = self.previous(now_ms).is_some();
        self.versions
            .retain(|version| version.stage != Stage::Previous);
        there_was
    }

    /// Drops a previous version that has had its time.
    fn tidy(&mut self, now_ms: u64) {
        self.versions
            .retain(|version| version.until_ms.is_none_or(|until| until > now_ms));
    }

    /// The versions, without one that has had its time.
    pub fn versions(&self, now_ms: u64) -> impl Iterator<Item = &Version> {
        self.versions
            .iter()
            .filter(move |version| version.until_ms.is_none_or(|until| until > now_ms))
    }

    /// The version that is used.
    #[must_use]
    pub fn current(&self) -> Option<&Version> {
        self.of(Stage::Current)
    }

    /// The version that waits for its promotion.
    #[must_use]
    pub fn pending(&self) -> Option<&Version> {
        self.of(Stage::Pending)
    }

    /// The version that was used until a moment ago.
    #[must_use]
    pub fn previous(&self, now_ms: u64) -> Option<&Version> {
        self.versions(now_ms)
            .find(|version| version.stage == Stage::Previous)
    }

    fn of(&self, stage: Stage) -> Option<&Version> {
        self.versions.iter().find(|version| version.stage == stage)
    }

    /// The secret of one of its versions.
    pub(crate) fn open(
        &self,
        ring: &KeyRing,
        tenant: &str,
        version: &Version,
    ) -> Result<Secret, VaultError> {
        version
            .sealed
            .open(ring, tenant, &self.about(tenant, version.number))
    }

    /// Opens all versions, to see whether the ring is the right one.
    pub(crate) fn check(&self, ring: &KeyRing, tenant: &str) -> Result<(), VaultError> {
        self.versions
            .iter()
            .try_for_each(|version| self.open(ring, tenant, version).map(drop))
    }

    /// Seals anew whatever is not sealed under the newest key, and drops what has had its time. True if anything has changed.
    pub(crate) fn reseal(
        &mut self,
        ring: &KeyRing,
        tenant: &str,
        now_ms: u64,
    ) -> Result<bool, VaultError> {
        let before = self.versions.len();
        self.tidy(now_ms);
        let mut changed = self.versions.len() != before;
        for place in 0..self.versions.len() {
            let version = &self.versions[place];
            if version.sealed.key() == ring.newest() {
                continue;
            }
            let secret = self.open(ring, tenant, version)?;
            let about = self.about(tenant, version.number);
            let sealed = Sealed::seal(ring, tenant, &about, &secret)?;
            let fingerprint = fingerprint(ring, tenant, &secret)?;
            let version = &mut self.versions[place];
            version.sealed = sealed;
            version.fingerprint = fingerprint;
            changed = true;
        }
        Ok(changed)
    }

    /// What a seal is bound to.
    fn about(&self, tenant: &str, number: u32) -> Vec<u8> {
        let mut about = Vec::new();
        for part in [
            b"trunkline credential 1",
            tenant.as_bytes(),
            self.id.as_bytes(),
        ] {
            about.extend_from_slice(&(part.len() as u64).to_be_bytes());
            about.extend_from_slice(part);
        }
        about.extend_from_slice(&number.to_be_bytes());
        about
    }
}

/// Refuses a secret that could never be sent.
///
/// # Errors
/// In words that do not repeat it.
pub fn check_secret(settings: &Settings, secret: &Secret) -> Result<(), VaultError> {
    let text = secret.reveal();
    let invalid = |why| Err(VaultError::SecretInvalid(why));
    if text.is_empty() {
        return invalid("the secret is empty");
    }
    if text.len() > SECRET_BYTES_MAX {
        return invalid("the secret is longer than 8 KiB");
    }
    let is_plain = |byte: u8| (0x21..0x7f).contains(&byte);
    match settings {
        Settings::Bearer if !text.bytes().all(is_plain) => {
            invalid("a token has visible ASCII characters only")
        }
        Settings::ApiKey { .. } if !text.bytes().all(|byte| is_plain(byte) || byte == b' ') => {
            invalid("an API key has ASCII characters only")
        }
        Settings::Webhook => WebhookKey::parse(secret).map(drop),
        _ if text.chars().any(char::is_control) => invalid("the secret has a control character"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

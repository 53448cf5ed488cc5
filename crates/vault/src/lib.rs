//! Secrets: the keys that protect them, how they are sealed, and what a credential is.
//!
//! A secret is stored only [sealed](Sealed): with XChaCha20-Poly1305, under a key of its tenant, which is derived from the newest
//! key of the [ring](KeyRing). What is sealed says by which version of the ring, so a ring can grow while everything goes on.
//! The seal is bound to the tenant, the credential and the version, so a row that is copied elsewhere does not open there.
//!
//! What this crate is not: it stores nothing and calls nobody. The one file it touches is the [key file](Vault::load).
//!
//! **Architecture Invariants**
//!
//! * An opened secret is a [`Secret`]: it is not printed, not encoded, and its memory is wiped.
//! * Nothing is sealed under a key that is not in the ring's file, so what is stored can be opened after a restart.
//! * Comparisons with what a stranger sent take the same time wherever they differ.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod authentication;
mod credential;
mod error;
mod key_file;
mod redactor;
mod ring;
mod sealed;
mod secret;
mod token;
mod webhook;

pub use authentication::{ClientAuth, Place, Settings};
pub use credential::{Credential, Draft, Outage, Stage, Version, check_secret};
pub use error::VaultError;
pub use key_file::Vault;
pub use redactor::{REDACTED, Redactor};
pub use ring::KeyRing;
pub use sealed::Sealed;
pub use secret::Secret;
pub use token::{ApiToken, TokenHash};
pub use webhook::{WebhookKey, signatures};

/// Random bytes from the operating system.
///
/// # Errors
/// If it has none to give, which a running Linux never says.
pub fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| VaultError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

/// `bytes` in base64, with padding.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

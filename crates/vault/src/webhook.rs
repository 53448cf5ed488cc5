//! Signatures after Standard Webhooks (1.0.0): HMAC-SHA256 over id, time and body, under a key that both sides have.

use crate::error::VaultError;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// What a symmetric signing secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a key, as the specification has it.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A key that signs.
pub struct WebhookKey(Zeroizing<Vec<u8>>);

impl WebhookKey {
    /// Reads `whsec_` and base64.
    ///
    /// # Errors
    /// If it is not that, or not between 24 and 64 bytes long.
    pub fn parse(secret: &Secret) -> Result<Self, VaultError> {
        let invalid = || {
            VaultError::SecretInvalid("a signing secret is `whsec_` and 24 to 64 bytes in base64")
        };
        let encoded = secret.reveal().strip_prefix(PREFIX).ok_or_else(invalid)?;
        let key = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| invalid())?);
        if !KEY_BYTES.contains(&key.len()) {
            return Err(invalid());
        }
        Ok(Self(key))
    }

    fn sign(&self, id: &str, timestamp_s: u64, body: &[u8]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp_s.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// The value of `webhook-signature`: a signature for each key, the current one first, so that whoever verifies may still have the
/// previous one.
#[must_use]
pub fn signatures(keys: &[WebhookKey], id: &str, timestamp_s: u64, body: &[u8]) -> String {
    let all: Vec<String> = keys
        .iter()
        .map(|key| key.sign(id, timestamp_s, body))
        .collect();
    all.join(" ")
}

#[cfg(test)]
mod tests;

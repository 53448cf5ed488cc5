//! Signatures of Standard Webhooks (1.0.0, symmetric): HMAC-SHA256 over `{id}.{timestamp}.{body}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// How far the clocks of sender and receiver may be apart, and how old a repeat may be, in seconds.
pub const TOLERANCE_S: u64 = 300;

/// A key that both sides have: `whsec_` and base64 of 24 to 64 bytes.
#[derive(Clone, Debug)]
pub struct Key(hmac::Key);

impl Key {
    /// Reads a secret.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(secret: &str) -> Result<Self, String> {
        let wrong = || "a secret is whsec_ and 24 to 64 bytes in base64".to_owned();
        let encoded = secret.strip_prefix("whsec_").ok_or_else(wrong)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| wrong())?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(wrong());
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The header `webhook-signature`.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: u64, body: &[u8]) -> String {
        let tag = hmac::sign(&self.0, &signed(id, timestamp_s, body));
        format!("v1,{}", STANDARD.encode(tag))
    }

    /// Verifies the three headers against the body and the receiver's clock. Several signatures may be there, one for each key of
    /// the sender's; one that fits is enough.
    ///
    /// # Errors
    /// What does not fit.
    pub fn verify(
        &self,
        (id, timestamp, signatures): (&str, &str, &str),
        body: &[u8],
        now_s: u64,
    ) -> Result<(), &'static str> {
        let timestamp_s: u64 = timestamp.parse().map_err(|_| "the timestamp is none")?;
        if timestamp_s.abs_diff(now_s) > TOLERANCE_S {
            return Err("the timestamp is too far from now");
        }
        let signed = signed(id, timestamp_s, body);
        let fits = signatures.split(' ').any(|signature| {
            let encoded = signature.strip_prefix("v1,").unwrap_or_default();
            // Compared in constant time.
            let tag = STANDARD.decode(encoded);
            tag.is_ok_and(|tag| hmac::verify(&self.0, &signed, &tag).is_ok())
        });
        if fits {
            Ok(())
        } else {
            Err("no signature fits")
        }
    }
}

fn signed(id: &str, timestamp_s: u64, body: &[u8]) -> Vec<u8> {
    let mut signed = format!("{id}.{timestamp_s}.").into_bytes();
    signed.extend_from_slice(body);
    signed
}

#[cfg(test)]
mod tests;

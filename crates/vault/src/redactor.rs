//! Redaction: secrets that come back in what a stranger answers are taken out before anybody sees it.

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What stands where a secret was.
pub const REDACTED: &str = "<secret>";
/// A secret shorter than this would be found by chance in everything.
const BYTES_MIN: usize = 4;

/// Knows the secrets of one call, in every form in which it was sent.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    secrets: Vec<Secret>,
}

impl Redactor {
    /// Takes out `secret` from now on, also in base64.
    pub fn add(&mut self, secret: &Secret) {
        let text = secret.reveal();
        self.push(text.to_owned());
        self.push(STANDARD.encode(text));
    }

    fn push(&mut self, text: String) {
        if text.len() >= BYTES_MIN {
            self.secrets.push(Secret::new(text));
            // A secret may be the beginning of another form of it: the longest goes first.
            self.secrets
                .sort_by_key(|secret| std::cmp::Reverse(secret.reveal().len()));
        }
    }

    /// `bytes` without the secrets; nothing if there are none in it.
    #[must_use]
    pub fn redact(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut redacted: Option<Vec<u8>> = None;
        for secret in &self.secrets {
            let needle = secret.reveal().as_bytes();
            let source = redacted.as_deref().unwrap_or(bytes);
            if let Some(replaced) = replace(source, needle) {
                redacted = Some(replaced);
            }
        }
        redacted
    }

    /// The same for a text.
    #[must_use]
    pub fn redact_text(&self, text: String) -> String {
        match self.redact(text.as_bytes()) {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => text,
        }
    }
}

fn replace(source: &[u8], needle: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = source;
    while let Some(at) = rest
        .windows(needle.len())
        .position(|window| window == needle)
    {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(REDACTED.as_bytes());
        rest = &rest[at + needle.len()..];
    }
    if rest.len() == source.len() {
        return None;
    }
    out.extend_from_slice(rest);
    Some(out)
}

#[cfg(test)]
mod tests;

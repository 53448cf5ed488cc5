//! API tokens: how they are made, what is kept of one, and how one is recognised.
//!
//! ```text
//! tl_ 5f0c1a9be37d4e02 _ 43 characters of base64 (URL alphabet, no padding)
//!     the id, public     256 random bits
//! ```
//!
//! What is kept is a SHA-256 of the text. A slow hash would protect what people choose and attackers guess; nobody guesses 256
//! random bits, so a fast one gives nothing away, and each request has to be checked. It has no key either: that would have to
//! be kept beside the hashes, and whoever reads the rows has it too.

use crate::error::VaultError;
use crate::random;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fmt::Write as _;
use subtle::ConstantTimeEq;

#[cfg(test)]
mod tests;

/// What every token begins with, so that scanners for secrets find one that leaked.
const PREFIX: &str = "tl_";
/// Sets the hashes of tokens apart from whatever else may be hashed.
const CONTEXT: &[u8] = b"trunkline api token 1\0";
const ID_BYTES: usize = 8;
const ID_CHARACTERS: usize = 2 * ID_BYTES;
const SECRET_BYTES: usize = 32;

/// An API token in the clear. It prints as its id.
#[derive(Clone)]
pub struct ApiToken(Secret);

/// What is kept of a token.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl ApiToken {
    /// A fresh one.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    pub fn fresh() -> Result<Self, VaultError> {
        let mut text = PREFIX.to_owned();
        for byte in random::<ID_BYTES>()? {
            write!(text, "{byte:02x}").expect("a String takes everything");
        }
        text.push('_');
        // Growing would leave a copy behind in memory that is not wiped.
        text.reserve_exact(SECRET_BYTES.div_ceil(3) * 4);
        URL_SAFE_NO_PAD.encode_string(random::<SECRET_BYTES>()?, &mut text);
        Ok(Self(Secret::new(text)))
    }

    /// The token that `text` is; nothing if it has not the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_id = id.len() == ID_CHARACTERS && id.bytes().all(is_hex);
        let is_secret = URL_SAFE_NO_PAD
            .decode(secret)
            .is_ok_and(|bytes| bytes.len() == SECRET_BYTES);
        (is_id && is_secret).then(|| Self(text.into()))
    }

    /// Its id, which is no secret: it is what lists show and what it is revoked by.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.reveal()[PREFIX.len()..PREFIX.len() + ID_CHARACTERS]
    }

    /// The token itself, for whoever is to have it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        let digest = Sha256::new()
            .chain_update(CONTEXT)
            .chain_update(self.0.reveal());
        TokenHash(digest.finalize().into())
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiToken({}…)", self.id())
    }
}

impl TokenHash {
    /// A hash as it was kept.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// True if it is the hash of `token`; it takes the same time wherever they differ.
    #[must_use]
    pub fn is_of(&self, token: &ApiToken) -> bool {
        self.0.ct_eq(&token.hash().0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash")
    }
}

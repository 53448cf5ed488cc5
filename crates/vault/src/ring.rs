//! The key ring: the keys under which secrets are sealed, by version.
//!
//! The newest version seals; the others only open. A ring grows by a version and never changes one, so what was sealed
//! before opens until it has been sealed anew.

use crate::error::VaultError;
use crate::random;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
/// Sets the derivation of tenants' keys apart from whatever else may one day be made of a key of the ring.
const TENANT_KEY: &[u8] = b"trunkline tenant key 1\0";
/// What a key file begins with.
const HEAD: &str = "\
# The key ring of a Trunkline server. Whoever has it can read the stored secrets; without it nobody can. Keep a copy.
# One key a line: its version, a colon, 32 bytes in base64. The highest version seals, the others only open.
";

/// A key in the clear; wiped when it goes.
pub(crate) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// The keys by version. There is at least one.
#[derive(Clone)]
pub struct KeyRing {
    keys: BTreeMap<u32, Key>,
}

impl KeyRing {
    /// A ring with one fresh key.
    ///
    /// # Errors
    /// If the operating system has no random bytes.
    pub fn generate() -> Result<Self, VaultError> {
        let keys = BTreeMap::from([(1, Zeroizing::new(random()?))]);
        Ok(Self { keys })
    }

    /// The ring with a fresh key above all others.
    ///
    /// # Errors
    /// If the operating system has no random bytes.
    pub fn grown(&self) -> Result<Self, VaultError> {
        let mut keys = self.keys.clone();
        keys.insert(self.newest() + 1, Zeroizing::new(random()?));
        Ok(Self { keys })
    }

    /// The version that seals.
    #[must_use]
    pub fn newest(&self) -> u32 {
        self.keys
            .last_key_value()
            .map_or(0, |(version, _)| *version)
    }

    /// Every version, in order.
    pub fn versions(&self) -> impl Iterator<Item = u32> {
        self.keys.keys().copied()
    }

    /// Reads what a key file says.
    ///
    /// # Errors
    /// With the line, if it is no ring. The line's text is not repeated: it may be a key.
    pub fn parse(text: &str) -> Result<Self, VaultError> {
        let mut keys = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let broken = |why: &str| VaultError::KeyFile(format!("line {}: {why}", number + 1));
            let (version, key) = line
                .split_once(':')
                .ok_or_else(|| broken("there is no colon between version and key"))?;
            let version: u32 = version
                .trim()
                .parse()
                .ok()
                .filter(|version| *version > 0)
                .ok_or_else(|| broken("the version is no number from 1"))?;
            let bytes = Zeroizing::new(
                STANDARD
                    .decode(key.trim())
                    .map_err(|_| broken("the key is not in base64"))?,
            );
            let key: [u8; KEY_BYTES] = bytes
                .as_slice()
                .try_into()
                .map_err(|_| broken("the key does not have 32 bytes"))?;
            if keys.insert(version, Zeroizing::new(key)).is_some() {
                return Err(broken("the version is there twice"));
            }
        }
        if keys.is_empty() {
            return Err(VaultError::KeyFile("there is no key in it".into()));
        }
        Ok(Self { keys })
    }

    /// What stands in its file.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::from(HEAD));
        for (version, key) in &self.keys {
            let encoded = Zeroizing::new(STANDARD.encode(key.as_slice()));
            text.push_str(&version.to_string());
            text.push(':');
            text.push_str(&encoded);
            text.push('\n');
        }
        text
    }

    /// The key of `tenant` under a version of the ring.
    pub(crate) fn tenant_key(&self, version: u32, tenant: &str) -> Result<Key, VaultError> {
        let key = self
            .keys
            .get(&version)
            .ok_or(VaultError::KeyMissing(version))?;
        Ok(derive(key, &[TENANT_KEY, tenant.as_bytes()]))
    }

    /// True if every key of `other` is in this ring too.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        other
            .keys
            .iter()
            .all(|(version, key)| self.keys.get(version).is_some_and(|own| own == key))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing {{ versions: {:?} }}", self.keys.keys())
    }
}

/// HMAC-SHA256 as a key derivation (RFC 5869, one block): good because the key is uniformly random.
pub(crate) fn derive(key: &[u8; KEY_BYTES], parts: &[&[u8]]) -> Key {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;

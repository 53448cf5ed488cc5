//! Sealing: a secret becomes bytes that are worth nothing without the key, and cannot be changed or moved unnoticed.

use crate::error::VaultError;
use crate::random;
use crate::ring::{KEY_BYTES, KeyRing, derive};
use crate::secret::Secret;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key as CipherKey, XChaCha20Poly1305, XNonce};
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

/// Bytes of a nonce. They are so many that random ones never meet.
const NONCE_BYTES: usize = 24;
/// Bytes of a fingerprint.
const FINGERPRINT_BYTES: usize = 6;

/// A sealed secret, as it is stored.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Sealed {
    /// The version of the key ring.
    #[n(0)]
    key: u32,
    #[n(1)]
    nonce: ByteArray<NONCE_BYTES>,
    #[n(2)]
    bytes: ByteVec,
}

impl Sealed {
    /// The version of the key ring under which it is sealed.
    #[must_use]
    pub fn key(&self) -> u32 {
        self.key
    }

    /// Seals `secret` for `tenant` under the newest key. It opens only with the same `about`.
    pub(crate) fn seal(
        ring: &KeyRing,
        tenant: &str,
        about: &[u8],
        secret: &Secret,
    ) -> Result<Self, VaultError> {
        let version = ring.newest();
        let key = ring.tenant_key(version, tenant)?;
        let nonce: [u8; NONCE_BYTES] = random()?;
        let bytes = cipher(&key)
            .encrypt(
                XNonce::from_slice(&nonce),
                Payload {
                    msg: secret.reveal().as_bytes(),
                    aad: about,
                },
            )
            .map_err(|_| VaultError::SecretInvalid("the secret is too long"))?;
        Ok(Self {
            key: version,
            nonce: ByteArray::from(nonce),
            bytes: ByteVec::from(bytes),
        })
    }

    /// Opens it.
    pub(crate) fn open(
        &self,
        ring: &KeyRing,
        tenant: &str,
        about: &[u8],
    ) -> Result<Secret, VaultError> {
        let key = ring.tenant_key(self.key, tenant)?;
        let opened = cipher(&key)
            .decrypt(
                XNonce::from_slice(&*self.nonce),
                Payload {
                    msg: self.bytes.as_slice(),
                    aad: about,
                },
            )
            .map_err(|_| VaultError::NotOpened(self.key))?;
        // It was a string when it was sealed, and the seal says that it is still the same.
        String::from_utf8(opened)
            .map(Secret::new)
            .map_err(|_| VaultError::NotOpened(self.key))
    }
}

/// A short text by which equal secrets of a tenant are recognised, and nothing else is learnt.
pub(crate) fn fingerprint(
    ring: &KeyRing,
    tenant: &str,
    secret: &Secret,
) -> Result<String, VaultError> {
    let key = ring.tenant_key(ring.newest(), tenant)?;
    let mac = derive(&key, &[b"fingerprint\0", secret.reveal().as_bytes()]);
    Ok(mac[..FINGERPRINT_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn cipher(key: &[u8; KEY_BYTES]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(CipherKey::from_slice(key))
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<sealed under {}>", self.key)
    }
}

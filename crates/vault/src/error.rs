//! What can go wrong with keys and seals. None of it says anything about a secret.

use std::fmt;

/// Why a key ring or a seal cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VaultError {
    /// The key file cannot be read or written, or its contents are not usable.
    KeyFile(String),
    /// What is stored was sealed under a version that the ring does not have.
    KeyMissing(u32),
    /// The key of that version does not open what was sealed under it: it is another key, or the row was changed.
    NotOpened(u32),
    /// A secret does not have the form that its kind asks for.
    SecretInvalid(&'static str),
    /// The operating system gave no random bytes.
    NoRandomness(String),
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyFile(why) | Self::NoRandomness(why) => f.write_str(why),
            Self::KeyMissing(version) => {
                write!(
                    f,
                    "the key ring has no version {version}, under which it was sealed"
                )
            }
            Self::NotOpened(version) => {
                write!(f, "version {version} of the key ring does not open it")
            }
            Self::SecretInvalid(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for VaultError {}

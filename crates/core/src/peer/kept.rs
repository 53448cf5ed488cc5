//! What the engine keeps in a shard for itself: rows that the core carries and never looks into.

use crate::payload::{Name, Payload};
use crate::row::Kind;
use minicbor::{Decode, Encode};

/// What a row is that only the engine reads. All of them lie in shard 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Kept {
    /// A credential, sealed.
    #[n(0)]
    Credential,
    /// An API token, hashed.
    #[n(1)]
    ApiToken,
    /// A tenant.
    #[n(2)]
    Tenant,
}

/// A request to keep something.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Keep {
    /// What it is.
    #[n(0)]
    pub kept: Kept,
    /// Its name.
    #[n(1)]
    pub name: Name,
    /// Its value; absent: it is forgotten.
    #[n(2)]
    pub value: Option<Payload>,
    /// What the feed tells of it, in the same commit. Only credentials have news.
    #[n(3)]
    pub news: Option<CredentialNews>,
}

/// What the feed is to tell of a credential. No secret is in it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum CredentialNews {
    /// No access token is to be had, or none that helps.
    #[n(0)]
    RefreshFailed {
        /// For which version.
        #[n(0)]
        version: u32,
        /// Why.
        #[n(1)]
        reason: Name,
    },
    /// There is one again.
    #[n(1)]
    RefreshRecovered {
        /// For which version.
        #[n(0)]
        version: u32,
    },
}

impl Kept {
    /// The kind of its rows.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Credential => Kind::Credential,
            Self::ApiToken => Kind::ApiToken,
            Self::Tenant => Kind::Tenant,
        }
    }
}

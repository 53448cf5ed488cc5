//! The kinds of authentication, and what of them is no secret.

use minicbor::{Decode, Encode};

/// How a credential authenticates, its secret aside. All of this may be shown.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Settings {
    /// User and password, in the header `authorization` (RFC 7617). The secret is the password.
    #[n(0)]
    Basic {
        /// The user's name.
        #[n(0)]
        user: String,
    },
    /// A token in the header `authorization` (RFC 6750). The secret is the token.
    #[n(1)]
    Bearer,
    /// A key in a header or in the query. The secret is the key.
    #[n(2)]
    ApiKey {
        /// Where it goes.
        #[n(0)]
        place: Place,
        /// The name of the header, or of the parameter.
        #[n(1)]
        name: String,
    },
    /// A signature over each message (Standard Webhooks). The secret is `whsec_` and the key in base64.
    #[n(3)]
    Webhook,
    /// A token that a token endpoint gives for the client's own credentials (RFC 6749, 4.4). The secret is the client's.
    #[n(4)]
    ClientCredentials {
        /// The token endpoint.
        #[n(0)]
        token_url: String,
        /// Who asks.
        #[n(1)]
        client_id: String,
        /// What for, as the endpoint understands it.
        #[n(2)]
        scope: Option<String>,
        /// How client and secret are sent.
        #[n(3)]
        client_auth: ClientAuth,
    },
}

impl Settings {
    /// The kind in a word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Basic { .. } => "basic",
            Self::Bearer => "bearer",
            Self::ApiKey { .. } => "api_key",
            Self::Webhook => "webhook",
            Self::ClientCredentials { .. } => "client_credentials",
        }
    }
}

/// Where an API key goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Place {
    /// Into a header.
    #[n(0)]
    Header,
    /// Into the query.
    #[n(1)]
    Query,
}

/// How a client proves itself to the token endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum ClientAuth {
    /// In the header `authorization`.
    #[default]
    #[n(0)]
    Basic,
    /// In the body.
    #[n(1)]
    Body,
}

//! Credentials on the wire. Secrets go in and never come out.

use crate::timestamp::Time;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest description.
pub const DESCRIPTION_BYTES_MAX: usize = 1_024;

/// A secret in a request. It does not print.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// `PUT /v1/credentials/{id}`: a credential, or a new version of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutCredential {
    /// How it authenticates.
    pub authentication: AuthenticationBody,
    /// What it is for; absent: as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How long a version goes on as the previous one, in milliseconds; absent: as it was, or a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_ms: Option<u64>,
    /// True: the version is not used until it is promoted.
    #[serde(default)]
    pub pending: bool,
}

/// How a credential authenticates, with its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthenticationBody {
    /// User and password.
    Basic {
        /// The user's name.
        user: String,
        /// The password.
        password: SecretText,
    },
    /// A token in the header `authorization`.
    Bearer {
        /// The token.
        token: SecretText,
    },
    /// A key in a header or in the query.
    ApiKey {
        /// Where it goes.
        #[serde(rename = "in", default)]
        place: PlaceBody,
        /// The name of the header, or of the parameter.
        name: String,
        /// The key.
        key: SecretText,
    },
    /// A signature over each message (Standard Webhooks).
    Webhook {
        /// `whsec_` and 24 to 64 bytes in base64.
        secret: SecretText,
    },
    /// A token from a token endpoint (OAuth 2.0, client credentials).
    ClientCredentials {
        /// The token endpoint.
        token_url: String,
        /// Who asks.
        client_id: String,
        /// The client's secret.
        client_secret: SecretText,
        /// What for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
        /// How client and secret are sent.
        #[serde(default)]
        client_auth: ClientAuthBody,
    },
}

/// Where an API key goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceBody {
    /// Into a header.
    #[default]
    Header,
    /// Into the query.
    Query,
}

/// How a client proves itself to a token endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthBody {
    /// In the header `authorization`.
    #[default]
    Basic,
    /// In the body.
    Body,
}

/// A credential as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CredentialBody {
    /// Its id.
    pub id: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How long a version goes on as the previous one, in milliseconds.
    pub overlap_ms: u64,
    /// When it was put first.
    pub created_at: Time,
    /// Its versions, the newest last.
    pub versions: Vec<VersionBody>,
    /// The destinations that use it.
    pub used_by: Vec<String>,
    /// Why its token endpoint gave no token when it was last asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A version of a credential as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VersionBody {
    /// Its number, from 1.
    pub number: u32,
    /// `pending`, `current` or `previous`.
    pub stage: String,
    /// `basic`, `bearer`, `api_key`, `webhook` or `client_credentials`.
    pub kind: String,
    /// What of its settings is no secret, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Equal for equal secrets.
    pub fingerprint: String,
    /// When it was put.
    pub created_at: Time,
    /// When it has had its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// The version of the key ring under which it is sealed.
    pub sealed_under: u32,
}

/// All credentials, by id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CredentialList {
    /// The credentials.
    pub credentials: Vec<CredentialBody>,
}

/// `POST /v1/credentials/{id}/test`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TestCredential {
    /// Where to; absent: the first destination that uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The method; absent: `GET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// True: with the pending version.
    pub pending: bool,
}

/// What came of a test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CredentialTested {
    /// True if there was an answer and it was neither 401 nor 403.
    pub accepted: bool,
    /// Where to.
    pub url: String,
    /// The version.
    pub version: u32,
    /// The HTTP status; absent: there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The beginning of the answer, or why there was none.
    pub detail: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// The key ring, without its keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyRingBody {
    /// The versions in it.
    pub versions: Vec<u32>,
    /// The version that seals.
    pub newest: u32,
    /// Credentials that were sealed anew just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resealed: Option<usize>,
}

/// `POST /v1/key-ring/rotate`
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RotateKeys {
    /// True: no key is added; somebody has added one to the file.
    pub reload: bool,
}

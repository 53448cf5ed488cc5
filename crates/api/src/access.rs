//! Tokens and tenants on the wire. A token's text comes out once, when it is made.

use crate::credential::SecretText;
use crate::scope::Scope;
use crate::timestamp::Time;
use serde::{Deserialize, Serialize};

/// The tenant whose data lies in the data folder itself, and who looks after the others.
pub const HOME: &str = "default";

/// `GET /v1/access`: who is asking.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessBody {
    /// The tenant.
    pub tenant: String,
    /// What may be done.
    pub scopes: Vec<Scope>,
    /// The token; absent: there was none, and none is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenBody>,
    /// True if nothing is done without a token.
    pub tokens_required: bool,
}

/// A token, without its text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenBody {
    /// Its id: the part of it that is no secret.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub tenant: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Time,
    /// When it ends; absent: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// When it was last used, as exactly as an hour; absent: it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Time>,
    /// True if it came from the file that the server was started with.
    pub from_file: bool,
}

/// `GET /v1/tokens`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenList {
    /// By name.
    pub tokens: Vec<TokenBody>,
}

/// `POST /v1/tokens`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What it is for.
    pub name: String,
    /// Whose it is; absent: of the tenant that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// After how many milliseconds it ends; absent: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
}

/// A token that was made. This is the only time that its text is seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenCreated {
    /// The text.
    pub token: SecretText,
    /// What it is.
    #[serde(flatten)]
    pub about: TokenBody,
}

/// What a tenant may have at most; absent: as much as there is room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantLimits {
    /// Requests in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// Runs that have not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_runs: Option<u64>,
    /// Jobs that are neither delivered nor cancelled; dead letters count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_jobs: Option<u64>,
    /// Bytes of its files on the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
}

/// `PUT /v1/tenants/{name}`: makes it if it is not there, and sets its limits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutTenant {
    /// All its limits; absent: as they were, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<TenantLimits>,
}

/// A tenant and how it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TenantBody {
    /// Its name.
    pub name: String,
    /// `ready`, `removing`, or `unavailable`.
    pub state: String,
    /// Why it is unavailable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was made; absent: it was always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// Its limits.
    pub limits: TenantLimits,
    /// How many tokens it has.
    pub tokens: u64,
    /// What it has; absent if it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TenantUse>,
}

/// What a tenant has.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct TenantUse {
    /// Runs that have not ended.
    pub open_runs: u64,
    /// Runs that are kept.
    pub runs: u64,
    /// Jobs that are neither delivered nor cancelled.
    pub open_jobs: u64,
    /// Clients and workers that are connected.
    pub peers: u64,
    /// Bytes of its files on the disk.
    pub disk_bytes: u64,
}

/// `GET /v1/tenants`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TenantList {
    /// By name.
    pub tenants: Vec<TenantBody>,
}

/// `DELETE /v1/tenants/{name}`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveTenant {
    /// True: its data is deleted, whatever there is.
    #[serde(default)]
    pub force: bool,
}

//! The part of a destination's settings that make it a connector, and where bodies come from that jobs do not carry.

use crate::core::code::Code;
use crate::core::egress::{Connector, Resolve};
use crate::core::payload::{Name, Payload};
use crate::json::{json_of, payload_of};
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Jobs of one call to a connector.
pub const BATCH_MAX: u32 = 1_000;
/// How long an answer of a metadata API may be used again, in milliseconds.
pub const TTL_MS_MAX: u64 = 3_600_000;
/// Bytes of the bodies of one call, unless said otherwise.
const BODY_BYTES: u64 = 1 << 20;

/// How a connector is called. What is left out has its default.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectorBody {
    /// Jobs that one call takes at most; absent: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_max: Option<u32>,
    /// Bytes that the bodies of one call have together at most; absent: 1 MiB. A job alone may have more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes_max: Option<u64>,
    /// The connector's own settings; they go along with every call. Absent: `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Box<RawValue>>,
}

/// The metadata API that bodies come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolveBody {
    /// Its address.
    pub url: String,
    /// How long an answer may be used again, in milliseconds; absent: 1 s. Never for a job that was accepted after it was asked for.
    #[serde(default = "ttl_ms")]
    pub ttl_ms: u64,
}

fn ttl_ms() -> u64 {
    1_000
}

impl ConnectorBody {
    /// The settings.
    ///
    /// # Errors
    /// `TL0020` if one is out of its range, `TL0004` if they are too large.
    pub fn into_connector(self) -> Result<Connector, Problem> {
        let batch_max = self.batch_max.unwrap_or(1);
        if !(1..=BATCH_MAX).contains(&batch_max) {
            let detail =
                format!("`connector.batch_max` is {batch_max}; it goes from 1 to {BATCH_MAX}");
            return Err(Problem::new(Code::DestinationInvalid, detail));
        }
        Ok(Connector {
            batch_max,
            settings: match &self.settings {
                Some(settings) => payload_of("connector.settings", settings)?,
                None => Payload::null(),
            },
            body_bytes_max: self.body_bytes_max.unwrap_or(BODY_BYTES),
        })
    }
}

impl From<&Connector> for ConnectorBody {
    fn from(connector: &Connector) -> Self {
        Self {
            batch_max: Some(connector.batch_max),
            body_bytes_max: Some(connector.body_bytes_max),
            settings: Some(json_of(&connector.settings)),
        }
    }
}

impl ResolveBody {
    /// The settings.
    ///
    /// # Errors
    /// `TL0020` if the lifetime is out of its range.
    pub fn into_resolve(self) -> Result<Resolve, Problem> {
        if self.ttl_ms > TTL_MS_MAX {
            let detail = format!(
                "`resolve.ttl_ms` is {}; it goes from 0 to {TTL_MS_MAX}",
                self.ttl_ms
            );
            return Err(Problem::new(Code::DestinationInvalid, detail));
        }
        Ok(Resolve {
            url: Name::from(self.url),
            ttl_ms: self.ttl_ms,
        })
    }
}

impl From<&Resolve> for ResolveBody {
    fn from(resolve: &Resolve) -> Self {
        Self {
            url: resolve.url.to_string(),
            ttl_ms: resolve.ttl_ms,
        }
    }
}

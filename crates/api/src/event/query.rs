//! What a request for events may say.

use super::{cursor, types_named};
use crate::core::code::Code;
use crate::core::feed::{EventFilter, FeedFrom, ReadEvents};
use crate::core::limits::PAGE_MAX;
use crate::core::payload::Name;
use crate::problem::Problem;
use crate::{name, timestamp};
use serde::{Deserialize, Serialize};

/// How many events a page has at most, if the request does not say.
const LIMIT_DEFAULT: u32 = 100;

/// `GET /v1/events?…`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Where to go on: the `id` of an event of the stream, or the header `trunkline-cursor` of a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Where to begin, without a cursor: `oldest` (if nothing is said), `newest`, or a time in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Only about runs of this workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Only about the run with this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Only of these types: names or groups, separated by commas, such as `run.completed,task.*`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub types: Option<String>,
    /// At most so many in a page; absent: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// How long to wait if there is nothing, in milliseconds; absent: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

impl EventQuery {
    /// The engine's request.
    ///
    /// # Errors
    /// `TL0030`, `TL0003`, `TL0006` or `TL0093` if a parameter is not usable.
    pub fn request(&self) -> Result<ReadEvents, Problem> {
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        if limit == 0 || limit > PAGE_MAX {
            let detail = format!("`limit` is {limit}; it is 1 to {PAGE_MAX}");
            return Err(Problem::new(Code::WrongType, detail));
        }
        Ok(ReadEvents {
            from: self.from()?,
            filter: self.filter()?,
            limit,
            wait_ms: self.wait_ms.unwrap_or(0),
            shard: None,
        })
    }

    fn from(&self) -> Result<FeedFrom, Problem> {
        if let Some(text) = &self.cursor {
            return Ok(FeedFrom::At(cursor::read(text)?));
        }
        match self.since.as_deref() {
            None | Some("oldest") => Ok(FeedFrom::Oldest),
            Some("newest") => Ok(FeedFrom::Newest),
            Some(text) => timestamp::parse(text).map(FeedFrom::Since).ok_or_else(|| {
                let detail =
                    format!("`since` is `{text}`, not `oldest`, `newest` or a time in RFC 3339");
                Problem::new(Code::WrongType, detail)
            }),
        }
    }

    fn filter(&self) -> Result<EventFilter, Problem> {
        let named = |what: &str, text: &Option<String>| -> Result<Option<Name>, Problem> {
            text.as_deref()
                .map(|text| name::name(what, text))
                .transpose()
        };
        let mut types = Vec::new();
        for text in self.types.iter().flat_map(|types| types.split(',')) {
            let of_text = types_named(text.trim());
            if of_text.is_empty() {
                let detail = format!("`type` has `{text}`, and no event has this type");
                return Err(Problem::new(Code::EventTypeUnknown, detail));
            }
            types.extend(of_text);
        }
        Ok(EventFilter {
            workflow: named("workflow", &self.workflow)?,
            id: named("id", &self.id)?,
            types,
        })
    }
}

//! Which runs are meant: the query of lists and counts, and the filter of bulk operations.
//!
//! Both say the same things under the same names; in a query `tag` and `property.NAME` may be repeated, in JSON they are
//! `tags` and `properties`.

use crate::core::code::Code;
use crate::core::ids::RunKey;
use crate::core::payload::{Name, Payload};
use crate::core::peer::RunFilter;
use crate::core::run::{Phase, RunStatus};
use crate::json::payload_of;
use crate::name;
use crate::problem::Problem;
use crate::run::limit_of;
use crate::timestamp::{self, Time};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Which runs are meant. What is absent is not looked at; all that is given must match.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterBody {
    /// Only of this workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Only in this status, or `scheduled` or `suspended`, which are kinds of `running`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Only with all of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Only with this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Only with an id that begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_prefix: Option<String>,
    /// Only if accepted at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_after: Option<Time>,
    /// Only if accepted before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_before: Option<Time>,
    /// Only if ended at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_after: Option<Time>,
    /// Only if ended before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_before: Option<Time>,
    /// Only with properties of exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, Box<RawValue>>,
}

impl FilterBody {
    /// The engine's filter.
    ///
    /// # Errors
    /// If a name, the status or a value is not usable.
    pub fn filter(&self) -> Result<RunFilter, Problem> {
        let name_of = |what, text: &Option<String>| {
            text.as_deref()
                .map(|text| name::name(what, text))
                .transpose()
        };
        let (status, phase) = match self.status.as_deref() {
            Some(text) => standing_of(text)?,
            None => (None, None),
        };
        let mut tags = name::tags(&self.tags)?;
        let tag = (!tags.is_empty()).then(|| tags.remove(0));
        let properties = self
            .properties
            .iter()
            .map(|(property, value)| {
                let value = payload_of("property", value)?;
                Ok((name::name("property", property)?, value))
            })
            .collect::<Result<Vec<(Name, Payload)>, Problem>>()?;
        Ok(RunFilter {
            workflow: name_of("workflow", &self.workflow)?,
            status,
            tag,
            id: name_of("id", &self.id)?,
            after: None,
            limit: 0,
            tags,
            phase,
            id_prefix: name_of("id_prefix", &self.id_prefix)?,
            started_after: self.started_after.map(|time| time.0),
            started_before: self.started_before.map(|time| time.0),
            finished_after: self.finished_after.map(|time| time.0),
            finished_before: self.finished_before.map(|time| time.0),
            properties,
            fit_for: None,
        })
    }
}

/// The query of `GET /v1/runs` and `GET /v1/runs/count`.
#[derive(Clone, Debug, Default)]
pub struct RunQuery {
    /// Which runs.
    pub of: FilterBody,
    /// At most so many; absent: 100.
    pub limit: Option<u32>,
    /// Where to go on.
    pub cursor: Option<String>,
}

impl RunQuery {
    /// Reads a query's names and values, in their order.
    ///
    /// # Errors
    /// If a name is not known, given twice, or its value has the wrong type.
    pub fn parse(pairs: Vec<(String, String)>) -> Result<Self, Problem> {
        let mut query = Self::default();
        for (field, value) in pairs {
            query.take(&field, value)?;
        }
        Ok(query)
    }

    fn take(&mut self, field: &str, value: String) -> Result<(), Problem> {
        let of = &mut self.of;
        match field {
            "workflow" => once(field, &mut of.workflow, value),
            "status" => once(field, &mut of.status, value),
            "tag" => {
                of.tags.push(value);
                Ok(())
            }
            "id" => once(field, &mut of.id, value),
            "id_prefix" => once(field, &mut of.id_prefix, value),
            "started_after" => once(field, &mut of.started_after, time_of(field, &value)?),
            "started_before" => once(field, &mut of.started_before, time_of(field, &value)?),
            "finished_after" => once(field, &mut of.finished_after, time_of(field, &value)?),
            "finished_before" => once(field, &mut of.finished_before, time_of(field, &value)?),
            "limit" => {
                let limit = value.parse().map_err(|_| {
                    Problem::new(Code::WrongType, format!("`limit` is `{value}`, no number"))
                })?;
                once(field, &mut self.limit, limit)
            }
            "cursor" => once(field, &mut self.cursor, value),
            _ => match field.strip_prefix("property.") {
                Some(property) => {
                    let value = value_of(&value)?;
                    let before = of.properties.insert(property.to_owned(), value);
                    before.map_or(Ok(()), |_| Err(twice(field)))
                }
                None => Err(Problem::new(
                    Code::UnknownField,
                    format!("the query has the unknown field `{field}`"),
                )),
            },
        }
    }

    /// The engine's filter, going on behind the cursor's run.
    ///
    /// # Errors
    /// If a name, the status, the limit or the cursor is not usable.
    pub fn filter(&self) -> Result<RunFilter, Problem> {
        let after = match &self.cursor {
            Some(cursor) => Some(RunKey(crate::cursor::read(
                cursor,
                &[Some(&self.digested())],
            )?)),
            None => None,
        };
        Ok(RunFilter {
            after,
            limit: limit_of(self.limit)?,
            ..self.of.filter()?
        })
    }

    /// The cursor that goes on behind the run `after`.
    #[must_use]
    pub fn next_cursor(&self, after: RunKey) -> String {
        crate::cursor::write(after.0, &[Some(&self.digested())])
    }

    /// What a cursor belongs to: the filter alone, however it was written.
    fn digested(&self) -> String {
        serde_json::to_string(&self.of).unwrap_or_default()
    }
}

/// A property's value as it stands in a query: JSON, or a text without its quotes.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn value_of(text: &str) -> Result<Box<RawValue>, Problem> {
    serde_json::from_str(text)
        .or_else(|_| serde_json::value::to_raw_value(text))
        .map_err(|error| Problem::new(Code::WrongType, error.to_string()))
}

fn once<T>(field: &str, place: &mut Option<T>, value: T) -> Result<(), Problem> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(twice(field)),
    }
}

fn twice(field: &str) -> Problem {
    Problem::new(Code::WrongType, format!("`{field}` is given twice"))
}

fn time_of(field: &str, text: &str) -> Result<Time, Problem> {
    timestamp::parse(text).map(Time).ok_or_else(|| {
        let detail = format!("`{field}` is `{text}`; a time is written 2026-11-21T14:03:07Z");
        Problem::new(Code::WrongType, detail)
    })
}

/// A stored status, or one that is derived.
fn standing_of(text: &str) -> Result<(Option<RunStatus>, Option<Phase>), Problem> {
    if let Some(phase) = Phase::ALL.into_iter().find(|phase| phase.as_str() == text) {
        return Ok((Some(RunStatus::Running), Some(phase)));
    }
    RunStatus::ALL
        .into_iter()
        .find(|status| status.as_str() == text)
        .map(|status| (Some(status), None))
        .ok_or_else(|| {
            let statuses = RunStatus::ALL.map(RunStatus::as_str).join(", ");
            let phases = Phase::ALL.map(Phase::as_str).join(", ");
            let detail = format!("`status` is `{text}`; it is one of {statuses}, {phases}");
            Problem::new(Code::WrongType, detail)
        })
}

/// The answer of `GET /v1/runs/count`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunCount {
    /// So many runs.
    pub count: u64,
}

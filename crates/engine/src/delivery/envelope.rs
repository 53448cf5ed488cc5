//! The body of a delivery: one JSON object that says what happened to what, with the job's own body in it.

use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use trunkline_core::egress::Job;

#[derive(Serialize)]
struct Envelope<'a> {
    job: String,
    destination: &'a str,
    lane: &'a str,
    sequence: u64,
    action: &'a str,
    object_type: &'a str,
    object_ids: Vec<&'a str>,
    attempt: u32,
    source: Option<&'a str>,
    body: Cow<'a, RawValue>,
}

/// The envelope of `job` for the attempt `attempt`.
pub(super) fn of(job: &Job, attempt: u32) -> Vec<u8> {
    let envelope = Envelope {
        job: job.id.to_string(),
        destination: &job.new.destination,
        lane: &job.new.lane,
        sequence: job.lane_sequence,
        action: &job.new.action,
        object_type: &job.new.object_type,
        object_ids: job.new.object_ids.iter().map(|id| id.as_str()).collect(),
        attempt,
        source: job.source.as_deref(),
        body: json(&job.new.body),
    };
    serde_json::to_vec(&envelope).expect("an envelope has string keys only")
}

/// A payload as it is; one that is no JSON, which no client of ours makes, as a text.
pub(super) fn json(payload: &[u8]) -> Cow<'_, RawValue> {
    serde_json::from_slice::<&RawValue>(payload).map_or_else(
        |_| {
            let text = String::from_utf8_lossy(payload);
            Cow::Owned(serde_json::value::to_raw_value(&text).expect("a text is JSON"))
        },
        Cow::Borrowed,
    )
}

//! A history as a file: what `trunkline run export` writes and `trunkline replay` reads.
//!
//! One JSON object. `entries` is for people: it is [`EntryBody`] by entry, and leaves things out. `chunks` is for programs:
//! the history as the engine keeps it (CBOR, in base64), so that nothing is lost and a new kind of entry needs nothing here.
//! Only `chunks` is read back.
//!
//! ```json
//! {
//!   "trunkline_history": 1,
//!   "workflow": "Checkout", "id": "order-42", "version": 2,
//!   "started_at": "2026-11-21T14:51:27.120Z", "status": "completed",
//!   "entries": [{"index": 0, "type": "started", "input": {"cents": 1999}}],
//!   "chunks": ["gYIAgg…"]
//! }
//! ```
//!
//! A field may be added; the number of the format grows when an old program could no longer read the file rightly.

use crate::core::code::Code;
use crate::core::entry::{Entry, Notification};
use crate::core::ids::RunId;
use crate::core::payload::Payload;
use crate::core::time::Timestamp;
use crate::history::{EntryBody, decode_chunk, entries_in};
use crate::problem::Problem;
use crate::timestamp::Time;
use serde::{Deserialize, Serialize};

mod base64;

/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// A history with what identifies its run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistoryFile {
    /// The number of the format.
    pub trunkline_history: u32,
    /// The workflow.
    pub workflow: String,
    /// The run's id.
    pub id: String,
    /// The version of the workflow that the run is pinned to.
    pub version: u32,
    /// When the run was accepted.
    pub started_at: Time,
    /// Where it stood when this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The entries for people. They are not read back.
    #[serde(default)]
    pub entries: Vec<EntryBody>,
    /// The entries: CBOR arrays in base64.
    pub chunks: Vec<String>,
}

/// What of a file matters to the reader: the people's entries may be of a kind that it does not know.
#[derive(Deserialize)]
struct Head {
    trunkline_history: u32,
}

impl HistoryFile {
    /// The file of a run's whole history, whose chunks are as the engine gives them out.
    ///
    /// # Errors
    /// If a chunk cannot be read.
    pub fn new(
        run: &RunId,
        version: u32,
        started_at: Timestamp,
        status: Option<&str>,
        chunks: &[Payload],
    ) -> Result<Self, Problem> {
        Ok(Self {
            trunkline_history: FORMAT,
            workflow: run.workflow.to_string(),
            id: run.id.to_string(),
            version,
            started_at: Time(started_at),
            status: status.map(str::to_owned),
            entries: entries_in(0, chunks, 0).map_err(|error| unusable(&error.to_string()))?,
            chunks: chunks.iter().map(|chunk| base64::encode(chunk)).collect(),
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `TL0094` if it is none, or one of a later format.
    pub fn parse(json: &[u8]) -> Result<Self, Problem> {
        let head: Head = serde_json::from_slice(json).map_err(|error| {
            unusable(&format!("it is no file of `trunkline run export`: {error}"))
        })?;
        if head.trunkline_history != FORMAT {
            return Err(unusable(&format!(
                "it has format {}, and this version reads format {FORMAT}",
                head.trunkline_history
            )));
        }
        serde_json::from_slice(json).map_err(|error| unusable(&error.to_string()))
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        RunId::new(self.workflow.as_str(), self.id.as_str())
    }

    /// The entries, as the engine keeps them.
    ///
    /// # Errors
    /// `TL0094` if they cannot be read, or do not begin with the run's start.
    pub fn decode(&self) -> Result<Vec<Entry>, Problem> {
        let mut entries = Vec::new();
        for (index, chunk) in self.chunks.iter().enumerate() {
            let bytes = base64::decode(chunk)
                .ok_or_else(|| unusable(&format!("chunk {index} is no base64")))?;
            let chunk = decode_chunk(&Payload::from(bytes))
                .map_err(|error| unusable(&format!("chunk {index}: {error}")))?;
            entries.extend(chunk);
        }
        match entries.first() {
            Some(Entry::Notification(_, Notification::Started { .. })) => Ok(entries),
            _ => Err(unusable("it does not begin with the run's start")),
        }
    }
}

fn unusable(reason: &str) -> Problem {
    Problem::new(Code::HistoryFileInvalid, reason)
}

#[cfg(test)]
mod tests;

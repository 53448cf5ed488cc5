//! Limits. Everything has one, and passing it is refused with a code, at the door.

/// Bytes of one payload: 4 MiB. Larger values belong into an object store, with a reference here.
pub const PAYLOAD_BYTES_MAX: usize = 4 << 20;
/// Bytes of a name, id, tag or lane.
pub const NAME_BYTES_MAX: usize = 256;
/// Entries in the history of one run. A run that needs more uses children or continues as new.
pub const HISTORY_ENTRIES_MAX: u32 = 50_000;
/// Bytes of the history of one run: 32 MiB, so that a worker can be sent the whole of it in one message.
pub const HISTORY_BYTES_MAX: usize = 32 << 20;
/// Tags of one run.
pub const TAGS_MAX: usize = 1_000;
/// Properties of one run.
pub const PROPERTIES_MAX: usize = 1_000;
/// Methods of one run that have not returned.
pub const METHODS_MAX: usize = 1_000;
/// Queries of a shard that have not been answered.
pub const QUERIES_MAX: usize = 10_000;
/// How long a query waits for its answer if nothing is said, in milliseconds.
pub const QUERY_TIMEOUT_MS: u64 = 10_000;
/// How long a query waits for its answer at most, in milliseconds.
pub const QUERY_TIMEOUT_MS_MAX: u64 = 60_000;
/// Commands in one turn.
pub const TURN_COMMANDS_MAX: usize = 10_000;
/// Jobs in one request.
pub const JOBS_PER_REQUEST_MAX: usize = 10_000;
/// Rows in one page of a list.
pub const PAGE_MAX: u32 = 1_000;
/// Rows that one look through a list reads at most, so that no request holds a shard for long.
pub const SCAN_MAX: usize = 10_000;
/// Entries of one history chunk: a chunk is read whole, so it stays small.
pub const CHUNK_ENTRIES_MAX: usize = 64;

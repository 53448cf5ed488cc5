//! The model: what every row must be, kept naively beside the engine, and what must follow from it.
//!
//! It sees what the engine gives out: commits, and effects. It holds all rows in one map, takes every history apart from its
//! first entry whenever it changes, and finds what it looks for by looking at everything. It shares no code with what it
//! checks but the vocabulary.

use crate::listener::Listener;
use crate::marks::Marks;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use trunkline_core::egress::Rate;
use trunkline_core::entry::Entry;
use trunkline_core::ids::{CommandId, JobId, Nonce, PeerId, RunId, RunKey, ShardId, Token};
use trunkline_core::output::changes_in;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::row::{Keys, Kind, run_of_key};
use trunkline_core::run::Run;
use trunkline_core::shard::{BulkRow, DestinationRow, Violation};
use trunkline_core::time::Timestamp;
use trunkline_engine::driver::{Batch, Commit};
use trunkline_journal::Position;

mod answers;
mod belts;
mod book;
mod bulks;
mod children;
mod coalescing;
mod effects;
mod egress;
mod generations;
mod heard;
mod history;
mod job_bulks;
mod job_changes;
pub mod limiters;
mod methods;
mod open;
mod order;
mod recovery;
mod rewinds;
mod schedules;
mod standing;
mod tagged;
mod tasks;

pub use answers::OUTSIDE;
pub use book::{Book, Fork};
use heard::Flying;
pub use heard::{Heard, meaning};
pub use history::Reading;
use job_bulks::Moved;
pub use recovery::{apply_batch, compare_rows};
pub use schedules::BACKFILLS;
use schedules::ScheduleChange;

/// All rows.
pub type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What must be.
#[derive(Debug)]
pub struct Model {
    shards: u16,
    retention_ms: u64,
    /// The rows as the newest batches left them.
    pub live: Rows,
    /// The rows as of what is durable for certain.
    durable: Rows,
    /// Commits that are not known to be durable, by thread.
    pending: Vec<VecDeque<(Position, Commit)>>,
    /// The highest position known to be durable, by thread.
    positions: Vec<Position>,
    /// The position before the last sync, by thread: what later frames say was durable.
    vouched: Vec<Position>,
    /// What was said to the engine.
    pub book: Book,
    /// The newest attempt of each task that nobody has taken back, and who has it.
    leases: BTreeMap<(RunKey, CommandId), (Token, PeerId)>,
    /// Deliveries under way.
    flying: BTreeMap<JobId, Flying>,
    /// Attempts of jobs that were made in this life of the process.
    attempted: BTreeSet<(JobId, u64, u32)>,
    /// When calls left, by destination, since its rate was set.
    sends: BTreeMap<Name, (Option<Rate>, Vec<Timestamp>)>,
    /// What left under quotas and the shared limiter.
    limited: limiters::Limited,
    /// The newest token that each shard has let out.
    tokens: BTreeMap<ShardId, Token>,
    /// Destinations that the newest batch has changed, as they were before.
    before: BTreeMap<Name, DestinationRow>,
    /// What the thread heard that has made the newest batch.
    heard: Heard,
    /// Bulk operations on jobs that the newest batch has moved.
    moved: Vec<Moved>,
    /// Jobs of which calls have left.
    left: BTreeSet<JobId>,
    /// How often operators have let each job begin anew.
    releases: BTreeMap<JobId, u64>,
    /// How each history was when it was last read.
    seen: BTreeMap<RunKey, Seen>,
    /// What came first.
    order: order::Order,
    /// The histories of the runs that have failed, and when they were started.
    failed: BTreeMap<RunKey, (Timestamp, Vec<Entry>)>,
    /// Every job that a run has ever asked for.
    ever_asked: BTreeSet<JobId>,
    /// What came along when each run last continued as new, and when that was.
    carried: BTreeMap<RunKey, (Timestamp, BTreeSet<Nonce>)>,
    /// How many runs each slice of a bulk operation with a rate has had, since the process was opened.
    bulk_acts: BTreeMap<(Name, ShardId), Vec<(Timestamp, u64)>>,
    /// The timers that were due when each thread last worked, and had not fired.
    overdue: Vec<BTreeSet<Vec<u8>>>,
    /// When each thread last worked.
    worked_at: Vec<Timestamp>,
    /// Who follows the event feeds.
    pub listener: Listener,
    /// What was seen on the way.
    pub marks: Marks,
}

/// What was last read of a run's history.
#[derive(Clone, Debug, Default)]
struct Seen {
    began_at: Timestamp,
    started_at: Timestamp,
    entries: u32,
    /// Every place from which it has gone on again, and the newest of them.
    marks: Vec<Entry>,
    rewound: Option<Entry>,
}

impl Seen {
    /// How it is, after it was as `before` says.
    fn of(run: &Run, entries: &[Entry], before: &Self) -> Self {
        let marks = rewinds::all_rewound(entries);
        Self {
            began_at: run.began_at(),
            started_at: run.started_at,
            entries: entries.len() as u32,
            rewound: rewinds::newest_rewound(&marks, &before.marks, before.rewound.as_ref()),
            marks,
        }
    }
}

/// Found, or nothing.
pub type Checked = Result<(), Violation>;

/// A broken invariant.
pub fn broken<T>(invariant: &'static str, detail: impl Into<String>) -> Result<T, Violation> {
    Err(Violation {
        invariant,
        detail: detail.into(),
    })
}

impl Model {
    /// Nothing yet.
    #[must_use]
    pub fn new(shards: u16, threads: u16, retention_ms: u64) -> Self {
        let threads = usize::from(threads);
        Self {
            shards,
            retention_ms,
            live: Rows::new(),
            durable: Rows::new(),
            pending: vec![VecDeque::new(); threads],
            positions: vec![Position::ZERO; threads],
            vouched: vec![Position::ZERO; threads],
            book: Book::default(),
            leases: BTreeMap::new(),
            flying: BTreeMap::new(),
            attempted: BTreeSet::new(),
            sends: BTreeMap::new(),
            limited: limiters::Limited::default(),
            tokens: BTreeMap::new(),
            before: BTreeMap::new(),
            heard: Heard::default(),
            moved: Vec::new(),
            left: BTreeSet::new(),
            releases: BTreeMap::new(),
            seen: BTreeMap::new(),
            order: order::Order::default(),
            failed: BTreeMap::new(),
            ever_asked: BTreeSet::new(),
            carried: BTreeMap::new(),
            bulk_acts: BTreeMap::new(),
            overdue: vec![BTreeSet::new(); threads],
            worked_at: vec![Timestamp(0); threads],
            listener: Listener::default(),
            marks: Marks::default(),
        }
    }

    /// Takes a batch that a thread has made at `now` of what it heard, whose last commit has the position `last`: its commits are the rows now, and everything that follows is looked at.
    ///
    /// # Errors
    /// The first broken invariant.
    pub fn batch(
        &mut self,
        thread: usize,
        (now, last): (Timestamp, Position),
        heard: Heard,
        batch: &Batch,
    ) -> Checked {
        let mut touched = Touched::default();
        self.order.next_batch();
        self.before.clear();
        self.moved.clear();
        self.hear(heard, thread, now);
        self.note_limits(now);
        self.forget_released();
        let count = batch.commits.len() as u64;
        for (position, commit) in (last.0 + 1 - count..).zip(&batch.commits) {
            self.commit(commit, now, &mut touched)?;
            self.pending[thread].push_back((Position(position), commit.clone()));
        }
        let effects = || batch.effects.iter().flat_map(|(_, effects)| effects);
        self.take_back(effects());
        for (shard, key) in touched.runs {
            let gone = touched.gone.remove(&key).unwrap_or_default();
            self.check_run(shard, key, &gone)?;
        }
        self.note_changes(&touched.jobs)?;
        for job in &touched.jobs {
            self.check_job(job, now)?;
        }
        self.check_destinations(now)?;
        for change in touched.schedules {
            self.check_schedule(&change, now)?;
        }
        for (shard, row) in touched.bulks {
            self.check_bulk_done(shard, &row)?;
        }
        self.check_timers_due(thread, now)?;
        for (peer, shard) in std::mem::take(&mut self.heard.gone) {
            self.peer_gone(peer, shard);
        }
        for effect in effects() {
            self.check_begun(effect, now)?;
        }
        self.worked_at[thread] = now;
        Ok(())
    }

    /// Applies the changes of a commit to the newest rows.
    fn commit(&mut self, commit: &Commit, now: Timestamp, touched: &mut Touched) -> Checked {
        let Some(changes) = changes_in(&commit.body) else {
            return broken("LOG-COMMIT", "a commit is not a list of changes");
        };
        for change in changes {
            let key = commit.body[change.key].to_vec();
            let value = change.value.map(|value| commit.body[value].to_vec());
            let kind = [key[0], key[1]];
            if key[2..4] != commit.shard.0.to_be_bytes() {
                return broken(
                    "LOG-COMMIT",
                    format!("{:?} writes {key:02x?}", commit.shard),
                );
            }
            let old = match value.clone() {
                Some(value) => self.live.insert(key.clone(), value),
                None => self.live.remove(&key),
            };
            if change.created && old.is_some() && value.is_some() {
                return broken("LOG-COMMIT", format!("{key:02x?} is created twice"));
            }
            match &kind {
                b"ru" | b"rh" | b"ti" | b"ch" => {
                    let run = run_of_key(&key).expect("a run's key");
                    touched.runs.insert((commit.shard, run));
                    if kind == *b"rh"
                        && value.is_none()
                        && let Some(old) = &old
                    {
                        let gone = touched.gone.entry(run).or_default();
                        gone.extend(decode::<Vec<Entry>>(old));
                    }
                    if kind == *b"ru" {
                        self.check_final(old.as_deref(), value.as_deref(), now)?;
                    }
                }
                b"ta" => {
                    let run = run_of_key(&key).expect("a run's key");
                    touched.runs.insert((commit.shard, run));
                    self.note_task(value.as_deref());
                    self.check_task(&key, old.as_deref(), value.as_deref(), now)?;
                }
                b"ed" => {
                    let before = old.as_deref().map(decode::<DestinationRow>);
                    let after = value.as_deref().map(decode::<DestinationRow>);
                    if let Some((before, after)) = before.zip(after) {
                        let patience = after.held_until > before.held_until;
                        let mark = "a destination asked for patience";
                        self.marks.set_if(patience, mark);
                        self.before.insert(after.destination.name, before);
                    }
                }
                b"bk" => {
                    let done =
                        self.check_bulk(commit.shard, old.as_deref(), value.as_deref(), now)?;
                    touched.bulks.extend(done.map(|row| (commit.shard, row)));
                }
                b"sc" => {
                    if let (Some((0, name)), Some(old), Some(new)) =
                        (key[4..].split_last(), old, value)
                    {
                        let name = String::from_utf8_lossy(name).into_owned();
                        let shard = commit.shard;
                        touched.schedules.push(ScheduleChange {
                            shard,
                            name,
                            old,
                            new,
                        });
                    }
                }
                b"lw" => self.mark_wait(value.as_deref()),
                b"ej" => touched.jobs.push(JobChange { old, new: value }),
                _ => {}
            }
        }
        Ok(())
    }

    /// Everything up to `position` is durable: the engine said so.
    pub fn synced(&mut self, thread: usize, position: Position) {
        if position > self.positions[thread] {
            self.vouched[thread] = self.positions[thread];
            self.positions[thread] = position;
        }
        while let Some((_, commit)) = self.pending[thread].pop_front_if(|(at, _)| *at <= position) {
            apply(&mut self.durable, &commit);
        }
    }

    /// The run with this key, in the newest rows.
    #[must_use]
    pub fn run(&self, key: RunKey) -> Option<Run> {
        let row = self.live.get(&Keys::new(key.shard(self.shards)).run(key))?;
        Some(decode(row))
    }

    /// All runs, in the newest rows.
    #[must_use]
    pub fn runs(&self) -> Vec<(RunKey, Run)> {
        let mut runs = Vec::new();
        for shard in (0..self.shards).map(ShardId) {
            let (from, to) = Keys::new(shard).all(Kind::Run);
            for (key, value) in self.live.range(from..to) {
                runs.push((run_of_key(key).expect("a run's key"), decode(value)));
            }
        }
        runs
    }

    /// A run and its history in chunks, as far as they are durable: what a reader is told.
    #[must_use]
    pub fn durable_history(&self, id: &RunId) -> Option<(Run, Vec<Payload>)> {
        let key = id.key();
        let keys = Keys::new(key.shard(self.shards));
        let run = decode(self.durable.get(&keys.run(key))?);
        let (from, to) = keys.under(Kind::History, &[&key.0.to_be_bytes()]);
        let chunks = self.durable.range(from..to);
        let chunks = chunks.map(|(_, chunk)| Payload::from(chunk.clone()));
        Some((run, chunks.collect()))
    }

    /// The whole history of a run, in the newest rows.
    #[must_use]
    pub fn history(&self, key: RunKey) -> Vec<Entry> {
        let keys = Keys::new(key.shard(self.shards));
        let (from, to) = keys.under(Kind::History, &[&key.0.to_be_bytes()]);
        self.live
            .range(from..to)
            .flat_map(|(_, chunk)| decode::<Vec<Entry>>(chunk))
            .collect()
    }
}

/// What a batch has changed.
#[derive(Debug, Default)]
struct Touched {
    runs: BTreeSet<(ShardId, RunKey)>,
    /// Histories that are gone.
    gone: BTreeMap<RunKey, Vec<Entry>>,
    jobs: Vec<JobChange>,
    bulks: Vec<(ShardId, BulkRow)>,
    schedules: Vec<ScheduleChange>,
}

/// A job's row, before and after.
#[derive(Debug)]
struct JobChange {
    old: Option<Vec<u8>>,
    new: Option<Vec<u8>>,
}

fn apply(rows: &mut Rows, commit: &Commit) {
    for change in changes_in(&commit.body).expect("taken before") {
        let key = commit.body[change.key].to_vec();
        match change.value {
            Some(value) => rows.insert(key, commit.body[value].to_vec()),
            None => rows.remove(&key),
        };
    }
}

/// Decodes a row of the core's.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn decode<T: for<'b> minicbor::Decode<'b, ()>>(bytes: &[u8]) -> T {
    minicbor::decode(bytes).expect("a row of this kind")
}

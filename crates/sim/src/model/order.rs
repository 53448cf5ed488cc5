//! Order: what was there first, by the batches that brought it. Times do not say it once the clock was set back.

use super::{Model, Seen};
use std::collections::{BTreeMap, BTreeSet};
use trunkline_core::egress::{Job, JobState};
use trunkline_core::entry::{Command, Entry};
use trunkline_core::ids::{CommandId, JobId, RunKey, ShardId};
use trunkline_core::payload::Name;
use trunkline_core::run::Run;
use trunkline_core::time::Timestamp;

/// Which batch brought what.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The number of the newest batch.
    batch: u64,
    /// Each run, as it was started then.
    runs: BTreeMap<RunKey, (Timestamp, u64)>,
    /// Runs that were forgotten. Their names may since belong to others.
    forgotten: BTreeSet<RunKey>,
    /// Signals by tag.
    tagged: BTreeMap<(RunKey, CommandId), u64>,
    /// A shard's part of each bulk operation.
    bulks: BTreeMap<(Name, ShardId), u64>,
    jobs: BTreeMap<JobId, JobNote>,
}

/// What is known of a job.
#[derive(Clone, Copy, Debug)]
struct JobNote {
    created_at: Timestamp,
    /// The batch in which it was accepted, and its place among those that clients wanted accepted with it. Nothing if nobody
    /// knows.
    accepted: Option<(u64, Option<u32>)>,
    state: JobState,
    /// Since which batch it has been in this state.
    since: u64,
    /// Since which batch it has waited, parked or not.
    waiting_since: u64,
}

impl Order {
    /// Another batch comes.
    pub(super) fn next_batch(&mut self) {
        self.batch += 1;
    }

    /// A shard begins a bulk operation.
    pub(super) fn bulk_began(&mut self, bulk: &Name, shard: ShardId) {
        self.bulks.insert((bulk.clone(), shard), self.batch);
    }

    /// A job has changed.
    pub(super) fn job_changed(&mut self, old: Option<&Job>, new: &Job, place: Option<u32>) {
        let batch = self.batch;
        let fresh = JobNote {
            created_at: new.created_at,
            accepted: Some((batch, place)),
            state: new.state,
            since: batch,
            waiting_since: batch,
        };
        let is_fresh = old.is_none_or(|old| {
            !old.state.is_waiting()
                && old.state != JobState::Dead
                && old.created_at != new.created_at
        });
        let note = self.jobs.entry(new.id).or_insert(fresh);
        if is_fresh {
            *note = fresh;
        }
        let is_replayed = old.is_some_and(|old| old.lane_sequence != new.lane_sequence);
        note.turn(new.state, batch, is_replayed);
    }

    /// A job takes the place of a dead letter: what it waits for, and what waits for it, is as if it had been accepted then.
    pub(super) fn job_replaces(&mut self, replaced: &Job, new: &Job) {
        let accepted = self.jobs.get(&replaced.id).and_then(|note| note.accepted);
        if let Some(note) = self.jobs.get_mut(&new.id) {
            note.accepted = accepted;
        }
    }

    /// True if one job was certainly accepted before the other.
    pub(super) fn was_accepted_before(&self, one: &Job, other: &Job) -> bool {
        let note = |job: &Job| {
            let note = self.jobs.get(&job.id)?;
            (note.created_at == job.created_at).then_some(note.accepted?)
        };
        match (note(one), note(other)) {
            (Some((first, place)), Some((then, behind))) if first == then => place
                .zip(behind)
                .is_some_and(|(place, behind)| place < behind),
            (Some((first, _)), Some((then, _))) => first < then,
            _ => false,
        }
    }

    /// True if one job has certainly ended after the other was accepted.
    pub(super) fn has_ended_after(&self, one: &Job, other: &Job) -> bool {
        let ended = self.jobs.get(&one.id).map(|note| note.since);
        let accepted = self.jobs.get(&other.id).and_then(|note| note.accepted);
        ended
            .zip(accepted)
            .is_some_and(|(ended, (accepted, _))| ended > accepted)
    }

    /// True if a job was accepted in this batch.
    pub(super) fn is_new(&self, job: &Job) -> bool {
        let note = self.jobs.get(&job.id);
        note.and_then(|note| note.accepted)
            .is_some_and(|(batch, _)| batch == self.batch)
    }

    /// True if a job has been waiting, or dead, from before its shard began the bulk operation; in `exactly` its state, if it says
    /// so, and not parked and pending by turns.
    pub(super) fn was_so_for_bulk(
        &self,
        (job, exactly): (&Job, bool),
        bulk: &Name,
        shard: ShardId,
    ) -> bool {
        let began = self.bulks.get(&(bulk.clone(), shard));
        let note = self.jobs.get(&job.id);
        note.zip(began).is_some_and(|(note, began)| {
            let since = if job.state.is_waiting() && !exactly {
                note.waiting_since
            } else {
                note.since
            };
            since < *began
        })
    }

    /// What is known of the jobs that a crash has left: of one that is not as it was last seen, not since when.
    fn jobs_came_back(&mut self, live: &[Job]) {
        let ids: BTreeSet<JobId> = live.iter().map(|job| job.id).collect();
        self.jobs.retain(|id, _| ids.contains(id));
        for job in live {
            let unknown = JobNote {
                created_at: job.created_at,
                accepted: None,
                state: job.state,
                since: self.batch,
                waiting_since: self.batch,
            };
            let note = self.jobs.entry(job.id).or_insert(unknown);
            if note.created_at != job.created_at {
                *note = unknown;
            }
            note.turn(job.state, self.batch, false);
        }
    }

    /// A run has changed, and has these entries. Those from `known` on came with this batch.
    pub(super) fn run_changed(&mut self, key: RunKey, run: &Run, entries: &[Entry], known: u32) {
        let came = self.runs.get(&key);
        if came.is_none_or(|(started_at, _)| *started_at != run.started_at) {
            self.runs.insert(key, (run.started_at, self.batch));
        }
        for (index, entry) in entries.iter().enumerate() {
            if let Entry::Command(Command::SignalTagged { command, .. }) = entry {
                let sent = self.tagged.entry((key, *command)).or_insert(self.batch);
                if index >= known as usize {
                    *sent = self.batch;
                }
            }
        }
    }

    /// A run is forgotten.
    pub(super) fn run_forgotten(&mut self, key: RunKey) {
        self.forgotten.insert(key);
    }

    /// A run is there again that a crash has brought back: it is new to what comes, and nothing is known of what it has sent.
    fn run_came_back(&mut self, key: RunKey, run: &Run, entries: &[Entry]) {
        self.runs.insert(key, (run.started_at, self.batch));
        for entry in entries {
            if let Entry::Command(Command::SignalTagged { command, .. }) = entry {
                self.tagged.insert((key, *command), 0);
            }
        }
    }

    /// True if the run was there when the signal by tag was sent.
    pub(super) fn was_there_for_signal(&self, run: RunKey, sent: (RunKey, CommandId)) -> bool {
        let came = self.runs.get(&run);
        came.is_some_and(|(_, came)| *came < self.tagged.get(&sent).copied().unwrap_or_default())
    }

    /// True if the run was there when its shard began the bulk operation.
    pub(super) fn was_there_for_bulk(&self, run: RunKey, bulk: &Name, shard: ShardId) -> bool {
        let began = self.bulks.get(&(bulk.clone(), shard));
        let came = self.runs.get(&run);
        came.zip(began)
            .is_some_and(|((_, came), began)| came < began)
    }
}

impl JobNote {
    fn turn(&mut self, state: JobState, batch: u64, is_replayed: bool) {
        if self.state != state || is_replayed {
            self.since = batch;
        }
        if self.state.is_waiting() != state.is_waiting() || is_replayed {
            self.waiting_since = batch;
        }
        self.state = state;
    }
}

impl Model {
    /// True if a run of this name was forgotten: what was sent to it may have gone to different ones.
    #[must_use]
    pub fn was_forgotten(&self, run: RunKey) -> bool {
        self.order.forgotten.contains(&run)
    }

    /// What was seen of the runs, after a crash: of those that are left, and of those that it has brought back.
    pub(super) fn recover_seen(&mut self) {
        self.order.next_batch();
        let jobs = self.jobs();
        self.order.jobs_came_back(&jobs);
        let live: BTreeMap<RunKey, Run> = self.runs().into_iter().collect();
        self.seen.retain(|key, _| live.contains_key(key));
        for (key, run) in live {
            let entries = self.history(key);
            self.note_rewindable(key, &run, &entries);
            let seen = self.seen.entry(key).or_default();
            if seen.began_at == run.began_at() {
                seen.entries = run.entries.min(seen.entries);
            } else {
                *seen = Seen::of(&run, &entries, &Seen::default());
                self.order.run_came_back(key, &run, &entries);
            }
        }
    }
}

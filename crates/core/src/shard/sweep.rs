//! Retention: finished runs and settled jobs are kept for a while, and then go.
//!
//! There is no index of what expires when: once the oldest may have expired, a pass looks through the rows, a slice at a time,
//! removes what is due and notes what is the oldest then. A shard without finished work never wakes for it.

use super::Shard;
use super::hot::Hot;
use crate::egress::{Job, JobState};
use crate::ids::RunKey;
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::row::{Kind, run_of_key};
use crate::run::Run;
use crate::time::Timestamp;
use alloc::vec::Vec;

/// Where the sweep stands.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// When the oldest thing that expires does so, at the earliest.
    next: Option<Timestamp>,
    /// The pass under way.
    pass: Option<Pass>,
}

#[derive(Debug)]
struct Pass {
    kind: Kind,
    /// Go on behind this key.
    after: Option<Vec<u8>>,
    /// The oldest thing seen that has not expired.
    oldest: Option<Timestamp>,
}

/// Rows that one slice looks at.
const SLICE_ROWS: usize = 1_000;
/// A pass is not worth it for less than this: so many expire together.
const PASS_INTERVAL_MS: u64 = 60_000;

impl Sweep {
    /// Something was settled at `at` and expires after `retention_ms`.
    pub(crate) fn expect(&mut self, at: Timestamp, retention_ms: u64) {
        let expires = at.plus_ms(retention_ms);
        self.next = Some(self.next.map_or(expires, |next| next.min(expires)));
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        if self.pass.is_some() {
            Some(Timestamp(0))
        } else {
            self.next
        }
    }
}

impl JobState {
    /// True if a job in this state goes after the retention time. Dead letters stay until somebody decides.
    pub(crate) fn expires(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Cancelled | Self::Superseded | Self::Expired
        ) || (matches!(self, Self::Dead) && mutant::is(Mutant::DeadLettersExpire))
    }
}

impl Shard {
    /// Begins a pass when it is time, and does one slice of it.
    pub(super) fn sweep(&mut self, io: &mut Io<'_>) {
        if self.sweep.pass.is_none() && self.sweep.next.is_some_and(|next| next <= io.now) {
            self.sweep.next = None;
            self.sweep.pass = Some(Pass {
                kind: Kind::Run,
                after: None,
                oldest: None,
            });
        }
        let Some(mut pass) = self.sweep.pass.take() else {
            return;
        };
        let (mut from, to) = self.keys.all(pass.kind);
        if let Some(after) = pass.after.take() {
            from = after;
            from.push(0);
        }
        let retention_ms = self.settings.retention_ms;
        let (mut seen, mut expired) = (0, Vec::new());
        io.scan((&from, &to), &mut |key, value| {
            if seen == SLICE_ROWS {
                return false;
            }
            seen += 1;
            pass.after = Some(key.to_vec());
            let settled_at = if pass.kind == Kind::Run {
                decode::<Run>(value).finished_at
            } else {
                let job: Job = decode(value);
                job.settled_at.filter(|_| job.state.expires())
            };
            if let Some(at) = settled_at {
                if at.plus_ms(retention_ms) <= io.now {
                    expired.push(key.to_vec());
                } else {
                    pass.oldest = Some(pass.oldest.map_or(at, |oldest| oldest.min(at)));
                }
            }
            true
        });
        for key in expired {
            if pass.kind == Kind::Run {
                self.purge(io, run_of_key(&key).expect("a run's key"));
            } else {
                let job: Job = io.get(&key).expect("it was there just now");
                if self.stands_for_another(io, &job) {
                    // Once that has ended, another pass is due.
                    continue;
                }
                self.part_with_job(io, &job);
                io.delete(&key);
                // What waits looks whether its row is there.
                self.forget_failure(io, &job);
            }
        }
        if seen == SLICE_ROWS {
            self.sweep.pass = Some(pass);
        } else if pass.kind == Kind::Run {
            self.sweep.pass = Some(Pass {
                kind: Kind::Job,
                after: None,
                oldest: pass.oldest,
            });
        } else if let Some(oldest) = pass.oldest {
            let earliest = io.now.plus_ms(PASS_INTERVAL_MS.min(retention_ms));
            self.sweep
                .expect(earliest.max(oldest.plus_ms(retention_ms)), 0);
        }
    }

    /// Removes every row of a finished run.
    pub(super) fn purge(&mut self, io: &mut Io<'_>, key: RunKey) {
        let Some(mut hot) = self.load(io, key) else {
            return;
        };
        if !hot.run.status.is_final() {
            return self.keep(key, hot);
        }
        self.forget_rows(io, key, &mut hot);
    }

    /// Removes every row of a run that has ended.
    pub(super) fn forget_rows(&mut self, io: &mut Io<'_>, key: RunKey, hot: &mut Hot) {
        self.part_with_history(io, key, hot, 0);
        let run = &hot.run;
        self.runs_by_status[run.status as usize] -= 1;
        for chunk in 0..run.chunks {
            io.delete(&self.keys.history(key, chunk));
        }
        for name in &run.properties {
            io.delete(&self.keys.property(key, name));
        }
        self.forget_tags(io, key, run);
        self.abandon_tasks(io, key);
        io.delete(&self.keys.run(key));
    }
}

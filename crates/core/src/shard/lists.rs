//! Lists and counts of runs: by tag through the index, else through all runs, a bounded number of rows at a time.

use super::Shard;
use crate::ids::RunKey;
use crate::io::{Io, decode};
use crate::limits::{PAGE_MAX, SCAN_MAX};
use crate::peer::{Reply, RunFilter};
use crate::row::{Kind, run_of_key};
use crate::run::Run;
use alloc::vec::Vec;

/// Runs that one look through a tag's index reads at most: each costs a read of its own.
const TAGGED_MAX: usize = 1_000;

/// What one look found: the runs, and behind which to look on; absent at the end.
pub(super) type Look = (Vec<(RunKey, Run)>, Option<RunKey>);

impl Shard {
    pub(super) fn list_runs(&mut self, io: &mut Io<'_>, filter: &RunFilter) -> Reply {
        let (runs, next) = self.look(io, filter);
        let runs = runs.into_iter().map(|(_, run)| run).collect();
        Reply::Runs { runs, next }
    }

    /// Counts as far as one look goes.
    pub(super) fn count_runs(&mut self, io: &mut Io<'_>, filter: &RunFilter) -> Reply {
        if filter.is_only_status() {
            let count = match filter.status {
                Some(status) => self.runs_by_status[status as usize],
                None => self.runs_by_status.iter().sum(),
            };
            return Reply::Counted { count, next: None };
        }
        let all = RunFilter {
            limit: u32::MAX,
            ..filter.clone()
        };
        let (runs, next) = self.look_for(io, &all, SCAN_MAX);
        Reply::Counted {
            count: runs.len() as u64,
            next,
        }
    }

    /// The runs that match, at most `filter.limit`, in the order of their keys.
    pub(super) fn look(&mut self, io: &mut Io<'_>, filter: &RunFilter) -> Look {
        let limit = filter.limit.clamp(1, PAGE_MAX) as usize;
        self.look_for(io, filter, limit)
    }

    fn look_for(&mut self, io: &mut Io<'_>, filter: &RunFilter, limit: usize) -> Look {
        // Runs changed in this batch are not in rows yet.
        self.seal_runs(io);
        let (mut found, next) = match filter.indexed_tag() {
            Some(tag) => {
                let workflow = filter.workflow.as_ref();
                let most = limit.min(TAGGED_MAX);
                let (keys, more) = self.tagged(io, tag, workflow, filter.after, most);
                let next = keys.last().copied().filter(|_| more);
                let runs = keys
                    .into_iter()
                    .filter_map(|key| Some((key, io.get::<Run>(&self.keys.run(key))?)))
                    .filter(|(_, run)| filter.matches(run))
                    .collect();
                (runs, next)
            }
            None => self.scan_runs(io, filter, limit),
        };
        if !filter.properties.is_empty() {
            found.retain(|(key, _)| self.has_properties(io, *key, filter));
        }
        (found, next)
    }

    fn scan_runs(&self, io: &Io<'_>, filter: &RunFilter, limit: usize) -> Look {
        let (mut from, to) = self.keys.all(Kind::Run);
        if let Some(after) = filter.after {
            from = self.keys.run(after);
            from.push(0);
        }
        let (mut runs, mut next, mut seen) = (Vec::new(), None, 0);
        let mut last = None;
        io.scan((&from, &to), &mut |key, value| {
            if runs.len() == limit || seen == SCAN_MAX {
                next = last;
                return false;
            }
            seen += 1;
            let key = run_of_key(key).expect("a run's key");
            last = Some(key);
            let run: Run = decode(value);
            if filter.matches(&run) {
                runs.push((key, run));
            }
            true
        });
        (runs, next)
    }

    fn has_properties(&self, io: &Io<'_>, run: RunKey, filter: &RunFilter) -> bool {
        filter.properties.iter().all(|(name, wanted)| {
            let value = io.get_bytes(&self.keys.property(run, name));
            value.is_some_and(|value| value[..] == wanted[..])
        })
    }
}

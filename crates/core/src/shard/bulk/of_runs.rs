//! Slices of a bulk operation on runs: in the order of their keys, each from where the last one ended.

use super::BulkRow;
use crate::io::Io;
use crate::mutant::{self, Mutant};
use crate::peer::{RunFilter, Work};
use crate::shard::Shard;

impl Shard {
    pub(super) fn slice_of_runs(&mut self, io: &mut Io<'_>, mut row: BulkRow) -> BulkRow {
        let (limit, pause_ms) = self.pace(&row);
        let Work::Runs { filter, action } = row.bulk.work.clone() else {
            return row;
        };
        let began = if mutant::is(Mutant::BulkMeetsLater) {
            io.now.plus_ms(1)
        } else {
            row.status.started_at.plus_ms(1)
        };
        let filter = RunFilter {
            fit_for: Some(action.fitness()),
            started_before: Some(filter.started_before.map_or(began, |at| at.min(began))),
            after: row.after,
            limit,
            ..filter
        };
        let (runs, next) = self.look(io, &filter);
        let acted = !runs.is_empty();
        for (_, run) in runs {
            let came = self.act(io, &run.id, &action).map(|_| ());
            row.count(&came);
        }
        row.after = next;
        row.next_at = io.now.plus_ms(if acted { pause_ms } else { 0 });
        if next.is_none() {
            row.end(io.now);
        }
        row
    }
}

//! What the feeder counts while the runs go on, and the totals at their end.

use crate::invoice::Book;
use crate::money;
use crate::report::Report;
use crate::totals::Totals;
use crate::workflow::{Ending, Outcome};
use rust_decimal::Decimal;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts that several tasks add to.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    started: u64,
    finished: u64,
    completed: u64,
    refunded: u64,
    rejected: u64,
    declined: u64,
    expired: u64,
    approvals: u64,
    jobs: u64,
    revenue: Decimal,
    refunds: Decimal,
    failed: Vec<String>,
}

impl Tally {
    /// The server has accepted a run.
    pub(super) fn started(&self) {
        self.counts().started += 1;
    }

    /// A run has ended with an outcome, or has failed.
    pub(super) fn finished(&self, invoice: &str, outcome: Result<Outcome, String>) {
        let mut counts = self.counts();
        counts.finished += 1;
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(reason) => {
                counts.failed.push(format!("{invoice}: {reason}"));
                return;
            }
        };
        counts.jobs += outcome.jobs;
        counts.approvals += u64::from(outcome.approved);
        match outcome.ending {
            Ending::Completed => {
                counts.completed += 1;
                counts.revenue += outcome.value;
            }
            Ending::Refunded => {
                counts.refunded += 1;
                counts.refunds += outcome.value;
            }
            Ending::Rejected => counts.rejected += 1,
            Ending::Declined => counts.declined += 1,
            Ending::Expired => counts.expired += 1,
        }
    }

    /// How far it has come.
    pub(super) fn progress(&self) -> Report {
        let counts = self.counts();
        Report::Progress {
            started: counts.started,
            finished: counts.finished,
        }
    }

    /// The totals, when all runs have ended.
    pub(super) fn done(&self, book: &Book) -> Report {
        let counts = self.counts();
        Report::Done {
            totals: Totals {
                invoices: counts.finished,
                completed: counts.completed,
                refunded: counts.refunded,
                rejected: counts.rejected,
                lines: book.lines,
                lines_rejected: book.rejected.len() as u64,
                revenue: money::show(counts.revenue),
                refunds: money::show(counts.refunds),
                approvals: counts.approvals,
                jobs: counts.jobs,
            },
            declined: counts.declined,
            expired: counts.expired,
            failed: counts.failed.clone(),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The totals of a file of orders: what the demo prints, and what the independent computation predicts.

use serde::{Deserialize, Serialize};

/// Totals that follow from the file alone. They do not depend on crashes, chance or speed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Invoices.
    pub invoices: u64,
    /// Orders that were reserved, charged, approved where needed, and completed.
    pub completed: u64,
    /// Cancellations that were refunded.
    pub refunded: u64,
    /// Invoices without a valid line.
    pub rejected: u64,
    /// Lines.
    pub lines: u64,
    /// Lines that are not valid.
    pub lines_rejected: u64,
    /// Quantity × price of the valid lines of completed orders.
    pub revenue: String,
    /// The same for cancellations, as a positive amount.
    pub refunds: String,
    /// Orders that a person had to approve.
    pub approvals: u64,
    /// Jobs: one per valid line, and one per order or cancellation.
    pub jobs: u64,
}

impl Totals {
    /// Where `self` and `expected` differ, one line each.
    #[must_use]
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |name: &str, found: &str, wanted: &str| {
            if found != wanted {
                differences.push(format!("{name} is {found}, the file says {wanted}"));
            }
        };
        for (name, found, wanted) in [
            ("invoices", self.invoices, expected.invoices),
            ("completed", self.completed, expected.completed),
            ("refunded", self.refunded, expected.refunded),
            ("rejected", self.rejected, expected.rejected),
            ("lines", self.lines, expected.lines),
            (
                "lines_rejected",
                self.lines_rejected,
                expected.lines_rejected,
            ),
            ("approvals", self.approvals, expected.approvals),
            ("jobs", self.jobs, expected.jobs),
        ] {
            compare(name, &found.to_string(), &wanted.to_string());
        }
        compare("revenue", &self.revenue, &expected.revenue);
        compare("refunds", &self.refunds, &expected.refunds);
        differences
    }
}

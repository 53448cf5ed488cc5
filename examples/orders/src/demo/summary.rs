//! What the demo says at the end: a table for a person, and the last line for a program.

use crate::judge::Verdict;
use crate::totals::Totals;
use serde::Serialize;
use std::fmt::Write;

/// The last line.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Summary {
    /// What the runs, the feeder and the engine counted.
    #[serde(flatten)]
    pub(super) totals: Totals,
    /// Distinct jobs that the shop accepted.
    pub(super) delivered: u64,
    /// Deliveries of a job that the shop had accepted before.
    pub(super) repeats: u64,
    /// What the judge found.
    pub(super) order_violations: u64,
    pub(super) rate_violations: u64,
    /// How often the server was killed.
    pub(super) crashes: u32,
    /// From the first order line to the last delivery, in seconds.
    pub(super) elapsed_s: f64,
}

impl Summary {
    /// The table.
    pub(super) fn table(&self, verdict: &Verdict, charged: Option<&str>) -> String {
        let totals = &self.totals;
        let mut table = String::new();
        let mut row = |name: &str, value: &str, remark: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(table, "  {name:<16} {value:>12}   {remark}");
        };
        row("invoices", &totals.invoices.to_string(), "one run each");
        row(
            "  completed",
            &totals.completed.to_string(),
            &format!("revenue {}", totals.revenue),
        );
        row(
            "  refunded",
            &totals.refunded.to_string(),
            &format!("refunds {}", totals.refunds),
        );
        row(
            "  rejected",
            &totals.rejected.to_string(),
            "without a valid line",
        );
        row(
            "  approvals",
            &totals.approvals.to_string(),
            "orders of 5,000.00 or more",
        );
        row(
            "lines",
            &totals.lines.to_string(),
            &format!("{} rejected", totals.lines_rejected),
        );
        if let Some(charged) = charged {
            row(
                "charged",
                charged,
                "by the payment service, each order once",
            );
        }
        row(
            "jobs",
            &totals.jobs.to_string(),
            "one per valid line, order and cancellation",
        );
        row(
            "  delivered",
            &self.delivered.to_string(),
            &format!(
                "{} missing, {} unexpected",
                verdict.missing, verdict.unexpected
            ),
        );
        row(
            "  repeats",
            &self.repeats.to_string(),
            "with the same idempotency key",
        );
        row(
            "requests",
            &verdict.requests.to_string(),
            &format!(
                "503: {}, 429: {}, answers dropped: {}",
                verdict.unavailable, verdict.too_many, verdict.dropped
            ),
        );
        row(
            "busiest second",
            &verdict.busiest_second.to_string(),
            "requests",
        );
        row("order", &self.order_violations.to_string(), "violations");
        row("rate", &self.rate_violations.to_string(), "violations");
        row(
            "crashes",
            &self.crashes.to_string(),
            "kill -9 of the server",
        );
        row("elapsed", &format!("{:.1} s", self.elapsed_s), "");
        table
    }

    /// The last line.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("a summary has text keys and finite numbers only")
    }

    /// Everything that is wrong, one line each; nothing if all promises were kept.
    pub(super) fn complaints(&self, expected: &Totals, verdict: &Verdict) -> Vec<String> {
        let mut complaints = self.totals.differences(expected);
        if self.delivered != expected.jobs {
            complaints.push(format!(
                "delivered is {}, the file says {}",
                self.delivered, expected.jobs
            ));
        }
        for (count, what) in [
            (verdict.missing, "jobs are missing"),
            (verdict.unexpected, "jobs are not expected"),
            (verdict.misunderstood, "deliveries make no sense"),
            (verdict.order_violations, "violations of the order"),
            (verdict.rate_violations, "violations of the rate"),
        ] {
            if count > 0 {
                complaints.push(format!("{count} {what}"));
            }
        }
        if !complaints.is_empty() {
            complaints.extend(
                verdict
                    .reasons
                    .iter()
                    .map(|reason| format!("the judge: {reason}")),
            );
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::Summary;
    use crate::judge::Verdict;
    use crate::totals::Totals;

    fn summary() -> Summary {
        Summary {
            totals: Totals {
                invoices: 512,
                completed: 423,
                refunded: 41,
                rejected: 48,
                lines: 10_000,
                lines_rejected: 84,
                revenue: "180316.18".to_owned(),
                refunds: "3523.79".to_owned(),
                approvals: 3,
                jobs: 10_380,
            },
            delivered: 10_380,
            repeats: 101,
            order_violations: 0,
            rate_violations: 0,
            crashes: 3,
            elapsed_s: 24.5,
        }
    }

    #[test]
    fn the_last_line_has_its_fields_in_the_agreed_order() {
        assert_eq!(
            summary().json(),
            r#"{"invoices":512,"completed":423,"refunded":41,"rejected":48,"lines":10000,"lines_rejected":84,"revenue":"180316.18","refunds":"3523.79","approvals":3,"jobs":10380,"delivered":10380,"repeats":101,"order_violations":0,"rate_violations":0,"crashes":3,"elapsed_s":24.5}"#
        );
    }

    #[test]
    fn every_deviation_is_a_complaint() {
        let right = summary();
        assert_eq!(
            right.complaints(&right.totals, &Verdict::default()),
            Vec::<String>::new()
        );
        let mut wrong = summary();
        wrong.totals.revenue = "180316.19".to_owned();
        wrong.delivered -= 1;
        let verdict = Verdict {
            missing: 1,
            order_violations: 2,
            reasons: vec!["lane A: 3 came after 1 was accepted".to_owned()],
            ..Verdict::default()
        };
        assert_eq!(
            wrong.complaints(&right.totals, &verdict),
            [
                "revenue is 180316.19, the file says 180316.18",
                "delivered is 10379, the file says 10380",
                "1 jobs are missing",
                "2 violations of the order",
                "the judge: lane A: 3 came after 1 was accepted",
            ]
        );
    }
}

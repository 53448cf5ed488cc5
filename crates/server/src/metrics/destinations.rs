//! Metrics of single destinations: of those with the most work, so many as the settings say.
//!
//! Each has [`SERIES`] series. Nothing is counted for them when jobs move: a scrape asks the shards for figures that they have.

use super::Text;
use crate::app::App;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};
use trunkline_api::core::peer::{BreakerState, DestinationFigures, JobsOp, Op, Reply};

/// Series of one destination.
#[cfg(test)]
const SERIES: usize = 12;

/// What is said of every destination: a metric, its type, what it is, and its samples with the labels besides the destination.
type Metric = (
    &'static str,
    &'static str,
    &'static str,
    fn(&DestinationFigures, u64) -> Vec<(&'static str, u64)>,
);

const METRICS: [Metric; 8] = [
    (
        "trunkline_destination_jobs",
        "gauge",
        "Jobs of a destination that are kept, by state.",
        |one, _| {
            vec![
                (",state=\"pending\"", one.pending),
                (",state=\"in_flight\"", one.in_flight),
                (",state=\"dead\"", one.dead),
            ]
        },
    ),
    (
        "trunkline_destination_oldest_seconds",
        "gauge",
        "Age of the oldest job of a destination that waits.",
        |one, now_ms| {
            let age_ms = one.oldest_since.map_or(0, |at| now_ms.saturating_sub(at.0));
            vec![("", age_ms / 1_000)]
        },
    ),
    (
        "trunkline_destination_lanes",
        "gauge",
        "Lanes of a destination that have work, and of them those whose first job is blocked.",
        |one, _| {
            vec![
                (",state=\"all\"", one.lanes),
                (",state=\"blocked\"", one.blocked),
            ]
        },
    ),
    (
        "trunkline_destination_succeeded_total",
        "counter",
        "Jobs delivered to a destination.",
        |one, _| vec![("", one.succeeded)],
    ),
    (
        "trunkline_destination_failed_total",
        "counter",
        "Deliveries to a destination that failed, since the process began.",
        |one, _| vec![("", one.failed)],
    ),
    (
        "trunkline_destination_retried_total",
        "counter",
        "Of the failed deliveries those that are tried again, since the process began.",
        |one, _| vec![("", one.retried)],
    ),
    (
        "trunkline_destination_paused",
        "gauge",
        "1 while a destination is held back.",
        |one, _| vec![("", u64::from(one.paused))],
    ),
    (
        "trunkline_destination_breaker",
        "gauge",
        "1 for the state in which the breaker of a destination is.",
        |one, _| {
            let is = |state| u64::from(one.breaker == state);
            vec![
                (",state=\"half_open\"", is(BreakerState::HalfOpen)),
                (",state=\"open\"", is(BreakerState::Open)),
            ]
        },
    ),
];

/// Writes the figures of the destinations with the most work. An engine that is about to end says nothing of them.
pub(super) async fn write(app: &App, text: &mut Text) {
    let limit = u32::try_from(app.config.metrics_destinations).unwrap_or(u32::MAX);
    let asked = app.ask(Op::Jobs(JobsOp::Figures { limit })).await;
    let Ok(Reply::Figures { figures, total }) = asked else {
        return;
    };
    text.gauge("trunkline_destinations", "Destinations.", total);
    text.gauge(
        "trunkline_destinations_shown",
        "Destinations that have metrics of their own: those with the most work.",
        figures.len(),
    );
    if figures.is_empty() {
        return;
    }
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        });
    let names: Vec<String> = figures.iter().map(|one| escaped(&one.name)).collect();
    let mut labels = String::new();
    for (name, kind, help, samples) in METRICS {
        text.head(name, kind, help);
        for (one, escaped) in figures.iter().zip(&names) {
            for (more, value) in samples(one, now_ms) {
                labels.clear();
                // Writing to a string cannot fail.
                let _ = write!(labels, "{{destination=\"{escaped}\"{more}}}");
                text.sample(name, &labels, value);
            }
        }
    }
}

/// A value of a label, as the text format has it.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for char in name.chars() {
        match char {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_api::core::payload::Name;

    #[test]
    fn a_destination_has_so_many_series_and_no_more() {
        let one = DestinationFigures {
            name: Name::from("shop"),
            pending: 1,
            in_flight: 1,
            lanes: 1,
            blocked: 0,
            oldest_since: None,
            succeeded: 0,
            dead: 0,
            failed: 0,
            retried: 0,
            paused: false,
            breaker: BreakerState::Closed,
        };
        let series: usize = METRICS.iter().map(|metric| metric.3(&one, 0).len()).sum();
        assert_eq!(series, SERIES);
    }

    #[test]
    fn names_are_written_so_that_they_read_back() {
        assert_eq!(escaped(r#"a"b\c"#), r#"a\"b\\c"#);
    }
}

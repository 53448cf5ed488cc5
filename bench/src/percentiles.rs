//! Percentiles of durations, exact: every value is kept.
//!
//! Not a histogram: a run of the benchmarks has at most some million values, and a bucket would hide what the tail looks like.

use std::time::Duration;

/// Durations of one measurement.
#[derive(Debug, Default, Clone)]
pub(crate) struct Durations {
    micros: Vec<u64>,
}

impl Durations {
    pub(crate) fn add(&mut self, duration: Duration) {
        self.micros
            .push(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.micros.extend(other.micros);
    }

    pub(crate) fn count(&self) -> usize {
        self.micros.len()
    }

    /// The smallest value that at least `percent` of all values do not exceed, in milliseconds; nothing without values.
    pub(crate) fn percentile_ms(&mut self, percent: f64) -> Option<f64> {
        if self.micros.is_empty() {
            return None;
        }
        self.micros.sort_unstable();
        let rank = (percent / 100.0 * self.micros.len() as f64).ceil() as usize;
        let micros = self.micros[rank.clamp(1, self.micros.len()) - 1];
        Some(micros as f64 / 1_000.0)
    }
}

#[cfg(test)]
mod tests;

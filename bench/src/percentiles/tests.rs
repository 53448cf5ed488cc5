//! Percentiles by nearest rank.

use super::Durations;
use std::time::Duration;

fn of(millis: impl IntoIterator<Item = u64>) -> Durations {
    let mut durations = Durations::default();
    for value in millis {
        durations.add(Duration::from_millis(value));
    }
    durations
}

#[test]
fn the_median_of_a_hundred_is_the_fiftieth() {
    let mut durations = of((1..=100).rev());
    assert_eq!(durations.percentile_ms(50.0), Some(50.0));
    assert_eq!(durations.percentile_ms(99.0), Some(99.0));
    assert_eq!(durations.percentile_ms(100.0), Some(100.0));
}

#[test]
fn one_value_is_every_percentile() {
    let mut durations = of([7]);
    assert_eq!(durations.percentile_ms(1.0), Some(7.0));
    assert_eq!(durations.percentile_ms(99.0), Some(7.0));
}

#[test]
fn nothing_has_no_percentile() {
    assert_eq!(Durations::default().percentile_ms(50.0), None);
}

//! Numbers as people read them.

use super::{bytes, grouped, shortened, span};

#[test]
fn numbers_are_grouped_by_thousands() {
    assert_eq!(
        [0, 999, 1_000, 1_234_567].map(grouped),
        ["0", "999", "1,000", "1,234,567"]
    );
}

#[test]
fn bytes_and_spans_have_a_fitting_unit() {
    assert_eq!(
        [1, 1_023, 1_024, 3 << 30].map(bytes),
        ["1 bytes", "1023 bytes", "1.0 KiB", "3.0 GiB"]
    );
    assert_eq!(
        [9, 1_204, 30_000, 61_000, 7_260_000, 2_591_999_000].map(span),
        [
            "9 ms",
            "1.204 s",
            "30 s",
            "1 min 1 s",
            "2 h 1 min",
            "29 d 23 h"
        ]
    );
}

#[test]
fn long_values_are_cut_and_stay_in_one_line() {
    assert_eq!(shortened("a\nb", 10), "a b");
    assert_eq!(shortened("ääääää", 6), "ääääää");
    assert_eq!(shortened("äääääää", 6), "äääää…");
}

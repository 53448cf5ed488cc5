//! The progress bar.

use super::bar;
use trunkline_api::many::BulkBody;

fn at(done: u64, refused: u64, expected: u64) -> String {
    bar(&BulkBody {
        id: "b".into(),
        action: "cancel".into(),
        state: "running".into(),
        started_at: None,
        ended_at: None,
        expected,
        done,
        refused,
        refusal: None,
    })
}

#[test]
fn the_bar_is_as_full_as_the_operation_is_done() {
    assert_eq!(at(0, 0, 0), format!("[{}] 0 of 1", "·".repeat(30)));
    let half = format!("[{}{}] 1,000 of 2,000", "#".repeat(15), "·".repeat(15));
    assert_eq!(at(900, 100, 2_000), half);
    // Runs that came to match later are done too.
    assert_eq!(at(30, 0, 20), format!("[{}] 30 of 30", "#".repeat(30)));
}

//! What the wall clock says.

use super::*;

#[test]
fn a_far_deadline_is_looked_at_again_before_long() {
    let wall = Wall::default();
    let in_a_year = Timestamp(wall.now().0 + 365 * 86_400_000);
    assert_eq!(wall.until(in_a_year), SLEEP_MAX);
    let soon = wall.until(Timestamp(wall.now().0 + 2_000));
    assert!(soon > Duration::ZERO && soon <= Duration::from_secs(2));
    assert_eq!(wall.until(Timestamp(1)), Duration::ZERO);
}

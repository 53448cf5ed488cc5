//! Several at a time, no more than were said, and heard in their order.

use super::in_order;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Barrier, watch};

#[tokio::test]
async fn works_are_done_so_many_at_a_time_and_heard_in_their_order() {
    let (at_once, count) = (3, 9);
    // None of three comes to its end before all three have begun.
    let together = Arc::new(Barrier::new(at_once));
    let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let works = (0..count).map(|number| {
        let (together, under_way) = (Arc::clone(&together), Arc::clone(&under_way));
        let most = Arc::clone(&most);
        async move {
            let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            together.wait().await;
            tokio::task::yield_now().await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            number
        }
    });
    let mut heard = Vec::new();
    in_order(at_once, works, |number| heard.push(number)).await;
    assert_eq!(heard, (0..count).collect::<Vec<_>>());
    assert_eq!(most.load(Ordering::SeqCst), at_once);
}

#[tokio::test]
async fn one_that_ends_early_is_heard_after_those_before_it() {
    let (ended, end) = watch::channel(false);
    let works = (0..2).map(|number| {
        let (ended, mut end) = (ended.clone(), end.clone());
        async move {
            if number == 0 {
                end.wait_for(|ended| *ended).await.unwrap();
            } else {
                ended.send_replace(true);
            }
            number
        }
    });
    let mut heard = Vec::new();
    in_order(2, works, |number| heard.push(number)).await;
    assert_eq!(heard, [0, 1]);
}

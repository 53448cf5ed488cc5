//! Planted mistakes: the harness finds each of them, and makes what it found small.

use super::generate::Rng;
use super::model::Mistake;
use super::program::Op;
use super::shrink::shrink;
use super::world::World;

/// Worlds of ten programs that the search may take.
const WORLDS_MAX: usize = 60;

/// Searches for a world in which the mistake shows, and gives the ops of what is left of it.
async fn found(mistake: Mistake) -> Vec<Op> {
    let mut rng = Rng::new(1);
    for number in 0..WORLDS_MAX {
        let mut world = World::random(rng.next(), 10, number % 2 == 1);
        world.mistake = mistake;
        if let Err(failure) = world.run().await {
            let (world, failure) = shrink(world, failure).await;
            assert_eq!(world.programs.len(), 1, "{mistake:?}: {failure}");
            assert!(world.faults.is_empty(), "{mistake:?}: {failure}");
            return world.programs[0].ops.clone();
        }
    }
    panic!("{mistake:?} was not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_forgets_to_undo_is_found_out() {
    let ops = found(Mistake::NothingIsUndone).await;
    assert!(
        matches!(&ops[..], [Op::Saga { fails: true, steps, .. }] if steps.len() <= 1),
        "{ops:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_lets_the_longer_timer_win_is_found_out() {
    let ops = found(Mistake::LongerTimerWins).await;
    assert!(matches!(&ops[..], [Op::Race { .. }]), "{ops:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_without_retries_is_found_out() {
    let ops = found(Mistake::NoRetries).await;
    assert!(
        matches!(&ops[..], [Op::Task { failures: 1.., .. }]),
        "{ops:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_loses_a_signal_is_found_out() {
    let ops = found(Mistake::SignalsGetLost).await;
    assert_eq!(ops.len(), 2, "{ops:?}");
    assert!(
        ops.iter().all(|op| matches!(op, Op::Receive { .. })),
        "{ops:?}"
    );
}

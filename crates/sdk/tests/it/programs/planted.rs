//! Planted mistakes: the harness finds each of them, and makes what it found small.

use super::generate::Rng;
use super::model::Mistake;
use super::program::{Ending, Fate, Op, Program};
use super::shrink::shrink;
use super::world::World;

/// Worlds of ten programs that the search may take.
const WORLDS_MAX: usize = 60;

/// Searches for a world in which the mistake shows, and gives what is left of it.
async fn found(mistake: Mistake) -> Program {
    let mut rng = Rng::new(1);
    for number in 0..WORLDS_MAX {
        let mut world = World::random(rng.next(), 10, number % 2 == 1);
        world.mistake = mistake;
        if let Err(failure) = world.run().await {
            let (world, failure) = shrink(world, failure).await;
            assert_eq!(world.programs.len(), 1, "{mistake:?}: {failure}");
            assert!(world.faults.is_empty(), "{mistake:?}: {failure}");
            return world.programs[0].clone();
        }
    }
    panic!("{mistake:?} was not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_forgets_to_undo_is_found_out() {
    let ops = found(Mistake::NothingIsUndone).await.ops;
    assert!(
        matches!(&ops[..], [Op::Saga { fails: true, steps, .. }] if steps.len() <= 1),
        "{ops:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_lets_the_longer_timer_win_is_found_out() {
    let ops = found(Mistake::LongerTimerWins).await.ops;
    assert!(matches!(&ops[..], [Op::Race { .. }]), "{ops:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_without_retries_is_found_out() {
    let ops = found(Mistake::NoRetries).await.ops;
    assert!(
        matches!(&ops[..], [Op::Task { failures: 1.., .. }]),
        "{ops:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_loses_a_signal_is_found_out() {
    let ops = found(Mistake::SignalsGetLost).await.ops;
    assert_eq!(ops.len(), 2, "{ops:?}");
    assert!(
        ops.iter().all(|op| matches!(op, Op::Receive { .. })),
        "{ops:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_in_which_children_do_not_fail_is_found_out() {
    let ops = found(Mistake::ChildrenDoNotFail).await.ops;
    let [Op::Child { program, fate, .. }] = &ops[..] else {
        panic!("{ops:?}");
    };
    assert_eq!((*fate, program.ending), (Fate::Awaited, Ending::Fails));
    assert!(program.ops.len() <= 1, "{ops:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_in_which_failed_methods_have_done_nothing_is_found_out() {
    let program = found(Mistake::FailedMethodsDoNothing).await;
    let of_run = |op: &Op| matches!(op, Op::Visit { visit, .. } if visit.fails);
    let of_client = program.visits.iter().filter(|visit| visit.fails).count();
    let failing = program.ops.iter().filter(|op| of_run(op)).count() + of_client;
    assert_eq!(failing, 1, "{program:?}");
    let all = program.ops.len() + program.visits.len();
    assert_eq!(all, 1, "{program:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_in_which_a_new_generation_forgets_is_found_out() {
    let ops = found(Mistake::GenerationsForget).await.ops;
    assert!(matches!(&ops[..], [Op::Visit { .. }, Op::Again]), "{ops:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_undoes_in_the_order_of_doing_is_found_out() {
    let program = found(Mistake::UndoneForwards).await;
    assert!(program.ending.is_cut(), "{program:?}");
    assert!((2..=4).contains(&program.ops.len()), "{program:?}");
}

//! The acceptance of egress, bounded: the connector's own records judge.

use crate::Folder;
use std::time::Duration;
use trunkline_sim::acceptance::Acceptance;
use trunkline_sim::acceptance::beside::Beside;
use trunkline_sim::acceptance::outage::Outage;
use trunkline_sim::server::Server;

#[test]
fn every_job_arrives_in_order_at_a_bad_connector_though_the_server_is_killed() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = Folder::new("acceptance");
    let acceptance = Acceptance {
        jobs: 3_000,
        lanes: 60,
        kills: 3,
        seed: 1,
        per_second: 800,
        patience_at: &[40, 90],
    };
    let findings = runtime.block_on(acceptance.run(&Server::built_program(), &folder.0));
    assert!(findings.violations.is_empty(), "{findings:#?}");
    for (destination, tally) in &findings.tallies {
        assert_eq!(tally.accepted, 1_500, "{destination}: {tally:?}");
        assert_eq!(tally.patience, 2, "{destination}: {tally:?}");
        // Otherwise the connector was not bad.
        assert!(
            tally.failed > 50 && tally.lost > 20,
            "{destination}: {tally:?}"
        );
    }
}

#[test]
fn a_dead_destination_holds_none_of_the_others_back_and_gets_everything_when_it_lives_again() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = Folder::new("beside");
    let beside = Beside {
        destinations: 50,
        lanes: 4,
        jobs: 10,
    };
    let wrong = runtime.block_on(beside.run(&Server::built_program(), &folder.0));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_destination_that_is_down_for_a_while_gets_everything_afterwards_and_the_others_meanwhile() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = Folder::new("outage");
    let outage = Outage {
        destinations: 10,
        lanes: 4,
        per_second: 400,
        well: Duration::from_millis(500),
        down: Duration::from_secs(2),
    };
    let course = runtime.block_on(outage.run(&Server::built_program(), &folder.0));
    assert!(course.violations.is_empty(), "{:#?}", course.violations);
    assert!(course.waited >= 60, "it was down: {course:?}");
    assert!(
        course.others[1].arrived > 0,
        "they did not wait for it: {course:?}"
    );
}

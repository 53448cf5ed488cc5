//! The torture of the real program, bounded: every promise to a client holds through `kill -9`. And the simulation.

mod egress;
mod faults;
mod fuzz;
mod kept;
mod machine;
mod seeds;

use std::path::{Path, PathBuf};
use trunkline_sim::server::Server;
use trunkline_sim::torture::{Findings, Torture};

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("trunkline-{name}-{}", std::process::id()));
        // It may be left from a test that was killed.
        let _ = std::fs::remove_dir_all(&folder);
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn torture(name: &str, torture: Torture) {
    torture_of(&Server::built_program(), name, torture);
}

fn torture_of(program: &Path, name: &str, torture: Torture) -> Findings {
    let folder = Folder::new(name);
    torture_in(program, &folder.0, torture)
}

fn torture_in(program: &Path, folder: &Path, torture: Torture) -> Findings {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let findings = runtime.block_on(torture.run(program, folder));
    assert!(
        findings.violations.is_empty(),
        "{torture:?}: {:#?}",
        findings.violations
    );
    assert_eq!(findings.completed, torture.runs);
    findings
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    torture(
        "kill",
        Torture {
            runs: 160,
            kills: 6,
            seed: 1,
            evict_always: false,
            has_worker: true,
            troubles: &[],
            options: &[],
        },
    );
}

#[test]
fn nothing_acknowledged_is_lost_when_every_turn_replays() {
    torture(
        "evict",
        Torture {
            runs: 80,
            kills: 4,
            seed: 2,
            evict_always: true,
            has_worker: true,
            troubles: &[],
            options: &[],
        },
    );
}

/// It once waited for jobs of runs that were never accepted, and said only that nothing moves.
#[test]
fn a_torture_says_what_it_found_and_does_not_wait_for_what_cannot_come() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = Folder::new("workerless");
    let torture = Torture {
        runs: 8,
        kills: 0,
        seed: 3,
        evict_always: false,
        has_worker: false,
        troubles: &[],
        options: &[],
    };
    let findings = runtime.block_on(torture.run(&Server::built_program(), &folder.0));
    let says_why = |violation: &&String| violation.contains("TL0009");
    let refused = findings.violations.iter().filter(says_why).count();
    assert_eq!((findings.completed, refused), (0, 8), "{findings:?}");
}

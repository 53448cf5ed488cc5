//! The torture of the real program, bounded: every promise to a client holds through `kill -9`. And the simulation.

mod seeds;

use std::path::PathBuf;
use trunkline_sim::server::Server;
use trunkline_sim::torture::Torture;

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
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = Folder::new(name);
    let findings = runtime.block_on(torture.run(&Server::built_program(), &folder.0));
    assert!(
        findings.violations.is_empty(),
        "{torture:?}: {:#?}",
        findings.violations
    );
    assert_eq!(findings.completed, torture.runs);
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
        },
    );
}

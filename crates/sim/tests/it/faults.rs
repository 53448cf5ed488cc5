//! The torture of the real engine and server on a real disk with troubles: chosen operations, failures, no space, time.

use crate::{Folder, torture_of};
use std::path::Path;
use std::process::{Command, Stdio};
use trunkline_sim::server::Server;
use trunkline_sim::torture::{Torture, Trouble};

fn troubled(name: &str, seed: u64, troubles: &'static [Trouble]) -> u64 {
    let findings = torture_of(
        Path::new(env!("CARGO_BIN_EXE_faulty-server")),
        name,
        Torture {
            runs: 64,
            kills: 0,
            seed,
            evict_always: false,
            has_worker: true,
            troubles,
            options: &[],
        },
    );
    findings.ends
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_dies_at_chosen_disk_operations() {
    use Trouble::DieAt;
    let ends = troubled(
        "die",
        11,
        &[
            DieAt(2),
            DieAt(9),
            DieAt(14),
            DieAt(21),
            DieAt(33),
            DieAt(60),
            DieAt(95),
            DieAt(150),
        ],
    );
    assert!(ends >= 4, "it died {ends} times of 8");
}

#[test]
fn a_failed_sync_or_write_stops_the_server_with_a_message_and_loses_nothing() {
    use Trouble::{FailSyncFrom, FailWriteFrom};
    let ends = troubled(
        "fail",
        12,
        &[
            FailSyncFrom(12),
            FailSyncFrom(45),
            FailWriteFrom(8),
            FailWriteFrom(40),
            FailSyncFrom(80),
        ],
    );
    assert!(ends >= 3, "it stopped {ends} times of 5");
}

#[test]
fn a_full_disk_a_standstill_and_a_clock_that_jumps_lose_nothing() {
    use Trouble::{FullFor, JumpBy, KillAfter, StopFor};
    troubled(
        "time",
        13,
        &[
            StopFor(300),
            JumpBy(90_000),
            FullFor(600),
            JumpBy(1_800_000),
            StopFor(700),
            KillAfter(100),
            FullFor(300),
        ],
    );
}

#[test]
fn a_clock_that_is_set_back_between_two_lives_or_during_one_loses_nothing() {
    use Trouble::{JumpBy, KillAfter, SetBackBetweenLives, SetBackBy};
    troubled(
        "back",
        14,
        &[
            SetBackBetweenLives(3_600_000),
            SetBackBy(700),
            SetBackBetweenLives(400),
            JumpBy(60_000),
            SetBackBy(600),
            KillAfter(50),
            SetBackBetweenLives(86_400_000),
        ],
    );
}

#[test]
fn a_second_process_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let folder = Folder::new("second");
    std::fs::create_dir_all(&folder.0).unwrap();
    let data = folder.0.join("data");
    let mut first = Server::new(&Server::built_program(), &data);
    first.start();
    await_healthy(&first);
    let second = Command::new(Server::built_program())
        .args(["server", "--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success());
    assert!(said.contains("TL0040"), "{said}");
    await_healthy(&first);
    first.must_run();
}

/// Waits until the server says that it takes work.
fn await_healthy(server: &Server) {
    let doctor = || {
        let mut doctor = Command::new(Server::built_program());
        doctor.args(["doctor", "--server", &server.url()]);
        doctor.output().expect("the program starts")
    };
    for _ in 0..200 {
        if doctor().status.success() {
            return;
        }
    }
    panic!("{}", String::from_utf8_lossy(&doctor().stderr));
}

//! `trunkline replay`: how it starts a program, and what it makes of its report.

use crate::program::{Folder, run as trunkline};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A program that reports as a worker does.
fn program(folder: &Folder, script: &str) -> PathBuf {
    let path = folder.path().join("worker");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_program_is_told_the_histories_and_its_report_is_shown() {
    let folder = Folder::new();
    let histories = folder.path().join("histories");
    std::fs::create_dir(&histories).unwrap();
    for name in ["a.json", "b.json", "notes.txt"] {
        std::fs::write(histories.join(name), "{}").unwrap();
    }
    let report = r#"{"ok": false, "histories": [
        {"file": "a.json", "workflow": "Checkout", "id": "7", "version": 2, "ok": true, "turns": 3, "commands": 5},
        {"file": "b.json", "ok": false, "code": "TL0074", "reason": "ScheduleTask.task was \"a\" and is now \"b\""}]}"#;
    let script = format!(
        "echo \"$TRUNKLINE_REPLAY\" | wc -l >&2\necho chatter\ncat > \"$TRUNKLINE_REPLAY_REPORT\" <<'END'\n{report}\nEND\nexit 1"
    );
    let build = program(&folder, &script);
    let (build, histories) = (build.display().to_string(), histories.display().to_string());
    let said = trunkline(&["replay", &histories, "--build", &build]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.out
            .contains("Checkout/7  2        ok: 3 turns, 5 commands"),
        "{said:?}"
    );
    assert!(
        said.out
            .contains("ScheduleTask.task was \"a\" and is now \"b\""),
        "{said:?}"
    );
    assert!(!said.out.contains("chatter"), "{said:?}");
    assert!(said.err.contains("error[TL0095]"), "{said:?}");
    assert!(said.err.contains("1 of 2 histories"), "{said:?}");
    assert!(
        said.err.contains('2'),
        "two files, and not the third: {said:?}"
    );
    let said = trunkline(&["replay", &histories, "--build", &build, "--json"]);
    assert_eq!(said.out.trim(), report.trim());
}

#[test]
fn a_program_that_replays_nothing_or_does_not_end_has_failed() {
    let folder = Folder::new();
    let history = folder.path().join("a.json");
    std::fs::write(&history, "{}").unwrap();
    let history = history.display().to_string();
    let build = program(&folder, "exit 0").display().to_string();
    let said = trunkline(&["replay", &history, "--build", &build]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("replayed nothing"), "{said:?}");
    let build = program(&folder, "exec sleep 60").display().to_string();
    let said = trunkline(&["replay", &history, "--build", &build, "--timeout-ms", "100"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("has not ended within 100 ms"), "{said:?}");
}

#[test]
fn what_is_not_there_is_said_before_anything_is_started() {
    let folder = Folder::new();
    let nothing = folder.path().join("nothing.json").display().to_string();
    let said = trunkline(&["replay", &nothing, "--build", "/bin/true"]);
    assert!(said.err.contains("error[TL0094]"), "{said:?}");
    let empty = folder.path().display().to_string();
    let said = trunkline(&["replay", &empty, "--build", "/bin/true"]);
    assert!(said.err.contains("there is no history"), "{said:?}");
}

//! The whole main job in small: every process, and a crash.

use crate::{Folder, text};
use std::path::Path;
use std::process::Command;

/// Builds the server, in the same profile, so that it lies beside the `orders` program.
fn build_server() {
    let beside = Path::new(env!("CARGO_BIN_EXE_orders"));
    let folder = beside.parent().expect("a program lies in a folder");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--package=trunkline-cli"]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    // The folder above the profile's is the target folder, wherever that is.
    build.arg("--target-dir").arg(
        folder
            .parent()
            .expect("a profile's folder lies in the target folder"),
    );
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(
        built.expect("cargo runs").success(),
        "the server does not build"
    );
}

#[test]
fn forty_invoices_and_a_crash_come_out_as_the_file_says() {
    build_server();
    let folder = Folder::new("demo");
    let generated = crate::orders(&["generate", "--seed=11", "--invoices=40", "--broken=3"]);
    let file = folder.write("orders.csv", &text(&generated));
    let expected = text(&crate::orders(&["expect", &file]));

    let data = folder.0.join("stage");
    let played = crate::orders(&[
        "demo",
        "--input",
        &file,
        "--crash=1",
        "--seed=11",
        "--data",
        &data.to_string_lossy(),
    ]);
    let (out, err) = (
        text(&played),
        String::from_utf8_lossy(&played.stderr).into_owned(),
    );
    assert!(played.status.success(), "{out}\n{err}");
    let last = out.lines().last().expect("the demo prints a last line");
    // The totals of the last line begin as those of the file do.
    let totals = expected.trim().trim_end_matches('}');
    assert!(last.starts_with(totals), "expected {totals}…, found {last}");
    for promise in [
        "\"order_violations\":0",
        "\"rate_violations\":0",
        "\"crashes\":1",
    ] {
        assert!(last.contains(promise), "{promise} is not in {last}");
    }
}

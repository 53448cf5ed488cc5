//! Data folders that earlier builds wrote.

use crate::Folder;
use std::path::Path;
use trunkline_sim::kept::{carry_on, make};
use trunkline_sim::server::Server;

fn carries_on(program: &Path, name: &str, has_credentials: bool, ahead_ms: i64) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = Folder::new(&format!("{name}-{ahead_ms}"));
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{name}.folder"));
    let carried = carry_on(program, &folder.0, &kept, has_credentials, ahead_ms);
    runtime.block_on(carried).expect("the files are there");
}

/// Written by the build 2786d1b, which knew no credentials and no connectors.
#[test]
fn a_folder_that_an_older_build_wrote_is_opened_and_carried_on_to_its_end() {
    carries_on(&Server::built_program(), "kept-2786d1b", false, 0);
}

/// Whatever waits in it, a folder is as good in ten years: this test must not fail one day because time has passed.
#[test]
fn a_folder_that_is_opened_after_years_is_carried_on_to_its_end() {
    let program = Path::new(env!("CARGO_BIN_EXE_faulty-server"));
    carries_on(program, "kept-2786d1b", false, 10 * 365 * 86_400_000);
}

/// Written by `sim keep-folder` when this test was.
#[test]
fn a_folder_that_was_kept_is_opened_and_carried_on_to_its_end() {
    carries_on(&Server::built_program(), "kept-bd2f093", true, 0);
}

/// So that the next one can be kept, too.
#[test]
fn a_folder_that_this_build_writes_is_opened_and_carried_on_to_its_end() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (written, read) = (Folder::new("kept-written"), Folder::new("kept-read"));
    let file = written.0.with_extension("folder");
    let program = Server::built_program();
    let carried = async {
        make(&program, &written.0, true, &file).await?;
        carry_on(&program, &read.0, &file, true, 0).await
    };
    let carried = runtime.block_on(carried);
    // It is in the folder for temporary files.
    let _ = std::fs::remove_file(&file);
    carried.expect("the files can be written");
}

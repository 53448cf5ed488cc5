//! `sim keep-folder FILE [PROGRAM]`: has a server write a small data folder with something of everything, and keeps it.

use crate::say;
use std::path::Path;
use std::process::ExitCode;
use trunkline_sim::kept;

/// Without `program` it is the `trunkline` beside this one.
pub(crate) fn keep(file: &str, program: Option<&str>) -> ExitCode {
    let here = std::env::current_exe().ok();
    let Some(beside) = here.as_deref().and_then(Path::parent) else {
        say("this program does not know where it is");
        return ExitCode::FAILURE;
    };
    let Ok(runtime) = tokio::runtime::Runtime::new() else {
        say("no runtime");
        return ExitCode::FAILURE;
    };
    let program = program.map_or_else(|| beside.join("trunkline"), Into::into);
    let folder = std::env::temp_dir().join(format!("trunkline-keep-{}", std::process::id()));
    let made = runtime.block_on(kept::make(&program, &folder, true, Path::new(file)));
    // It is in the file now, or was not made.
    let _ = std::fs::remove_dir_all(&folder);
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{file}: {error}"));
            ExitCode::FAILURE
        }
    }
}

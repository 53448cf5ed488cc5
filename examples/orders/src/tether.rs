//! A tether: a process that dies with the one that started it, whatever that one dies of.
//!
//! `orders tether PARENT PROGRAM ARGS…` asks the system to be killed when its parent is gone, and then becomes the program.
//! The process id stays the same. On systems other than Linux there is no such request, and the driver's own clean-up has
//! to do.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Becomes `program`, tied to the life of the process `parent`. Returns only if that fails.
#[must_use]
pub fn become_tethered(parent: u32, program: &OsString, args: &[OsString]) -> io::Error {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
            return error.into();
        }
        // The parent may have gone before the request was made.
        let found = getppid().map(|pid| pid.as_raw_nonzero().get() as u32);
        if found != Some(parent) {
            return io::Error::other(format!("the process {parent} is gone"));
        }
    }
    Command::new(program).args(args).exec()
}

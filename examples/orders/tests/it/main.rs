//! The main job from outside: its commands, and the whole of it in small.

mod commands;
mod demo;

use std::path::PathBuf;
use std::process::{Command, Output};

/// The `orders` program with these arguments, run to its end.
fn orders(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_orders"))
        .args(args)
        .output()
        .expect("the orders program has been built")
}

/// What it wrote to standard output.
fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A folder of its own for one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("orders-it-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the system has a folder for such things");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("the folder is writable");
        path.to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

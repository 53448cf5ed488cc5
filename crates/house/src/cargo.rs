//! What Cargo says about the workspace: members, arrows between them, and the licences of everything they stand on.
//!
//! Always offline: these rules must hold, and be checkable, without a network.

use crate::tree;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// A member of the workspace.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its package name.
    pub name: String,
    /// Its folder from the root.
    pub folder: String,
    /// The members that it needs to be built, optional ones too.
    pub needs: BTreeSet<String>,
    /// The members that only its tests, examples and benchmarks need. Itself excepted.
    pub tests_need: BTreeSet<String>,
}

/// A package from outside that some member stands on.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name and version.
    pub name: String,
    /// Its licence, as an SPDX expression.
    pub licence: String,
}

fn metadata(arguments: &[&str]) -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let answer = Command::new(cargo)
        .args(["metadata", "--offline", "--format-version", "1"])
        .args(arguments)
        .current_dir(tree::root())
        .output()
        .expect("cargo runs these tests, so it can be run");
    assert!(
        answer.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&answer.stderr)
    );
    serde_json::from_slice(&answer.stdout).expect("cargo metadata answers in JSON")
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// The members of the workspace.
///
/// # Panics
/// If Cargo cannot describe it.
#[must_use]
pub fn members() -> Vec<Member> {
    let metadata = metadata(&["--no-deps"]);
    let root = tree::root();
    metadata["packages"]
        .as_array()
        .expect("metadata has packages")
        .iter()
        .map(|package| {
            let name = text(package, "name");
            let mut needs = BTreeSet::new();
            let mut tests_need = BTreeSet::new();
            for dependency in package["dependencies"]
                .as_array()
                .expect("a package has a list of dependencies")
            {
                let on = text(dependency, "name");
                // Members are found by path; nothing else in the workspace is.
                if dependency["path"].is_null() || on == name {
                    continue;
                }
                if dependency["kind"] == "dev" {
                    tests_need.insert(on);
                } else {
                    needs.insert(on);
                }
            }
            let manifest = text(package, "manifest_path");
            let folder = std::path::Path::new(&manifest)
                .parent()
                .and_then(|folder| folder.strip_prefix(&root).ok())
                .expect("a member lies in the repository")
                .to_string_lossy()
                .replace('\\', "/");
            Member {
                name,
                folder,
                needs,
                tests_need,
            }
        })
        .collect()
}

/// The packages from outside, as far as this platform needs them.
///
/// # Panics
/// If Cargo cannot describe them.
#[must_use]
pub fn packages() -> Vec<Package> {
    let host = host();
    let metadata = metadata(&["--filter-platform", &host]);
    metadata["packages"]
        .as_array()
        .expect("metadata has packages")
        .iter()
        .filter(|package| !package["source"].is_null())
        .map(|package| Package {
            name: format!("{} {}", text(package, "name"), text(package, "version")),
            licence: text(package, "license"),
        })
        .collect()
}

/// How many packages Cargo.lock names, members included.
#[must_use]
pub fn locked_packages() -> usize {
    tree::file("Cargo.lock")
        .text
        .lines()
        .filter(|line| *line == "[[package]]")
        .count()
}

fn host() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let answer = Command::new(rustc)
        .arg("-vV")
        .output()
        .expect("rustc built these tests, so it can be run");
    String::from_utf8_lossy(&answer.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("rustc names its host")
        .to_owned()
}

//! The arrows between the crates: they go down only, and this is all of them.

use std::collections::{BTreeMap, BTreeSet};
use trunkline_house::{assert_none, cargo, tree};

/// What each member needs to be built. An arrow that is not here is not allowed; one that is here and not in the manifests
/// is a sentence in ARCHITECTURE.md that is no longer true.
const ARROWS: &[(&str, &[&str])] = &[
    // Leaves, which do not know each other.
    ("trunkline-core", &[]),
    ("trunkline-journal", &[]),
    ("trunkline-expr", &[]),
    ("trunkline-vault", &[]),
    ("trunkline-macros", &[]),
    ("trunkline-house", &[]),
    // Built on them.
    ("trunkline-api", &["trunkline-core"]),
    (
        "trunkline-engine",
        &[
            "trunkline-core",
            "trunkline-expr",
            "trunkline-journal",
            "trunkline-vault",
        ],
    ),
    ("trunkline-server", &["trunkline-api", "trunkline-engine"]),
    (
        "trunkline",
        &["trunkline-api", "trunkline-engine", "trunkline-macros"],
    ),
    // Programs and test beds, on which nothing stands.
    (
        "trunkline-cli",
        &["trunkline-api", "trunkline-journal", "trunkline-server"],
    ),
    (
        "trunkline-sim",
        &[
            "trunkline",
            "trunkline-api",
            "trunkline-core",
            "trunkline-engine",
            "trunkline-expr",
            "trunkline-journal",
            "trunkline-server",
        ],
    ),
    ("trunkline-bench", &["trunkline", "trunkline-engine"]),
    ("trunkline-orders", &["trunkline"]),
    ("trunkline-recipes", &["trunkline"]),
    ("trunkline-tutorial", &["trunkline"]),
    ("trunkline-connectors", &["trunkline-api"]),
];

/// Members that nothing may need, not even as a test dependency of something below them.
const ROOFS: &[&str] = &[
    "trunkline-cli",
    "trunkline-bench",
    "trunkline-orders",
    "trunkline-tutorial",
    "trunkline-house",
    "trunkline-connectors",
];

#[test]
fn the_arrows_between_crates_are_exactly_these() {
    let expected: BTreeMap<&str, BTreeSet<&str>> = ARROWS
        .iter()
        .map(|(name, needs)| (*name, needs.iter().copied().collect()))
        .collect();
    let mut broken = Vec::new();
    for member in cargo::members() {
        let Some(expected) = expected.get(member.name.as_str()) else {
            broken.push(format!("{} is not in the list of crates", member.name));
            continue;
        };
        let actual: BTreeSet<&str> = member.needs.iter().map(String::as_str).collect();
        for extra in actual.difference(expected) {
            broken.push(format!("{} → {extra} is a new arrow", member.name));
        }
        for gone in expected.difference(&actual) {
            broken.push(format!("{} → {gone} is listed and not there", member.name));
        }
    }
    assert_none(
        &broken,
        "An arrow is a decision. If it is meant, change ARROWS in this file and the picture in ARCHITECTURE.md in the \
         same commit; else move the code to the crate that may need it.",
    );
}

#[test]
fn nothing_stands_on_a_roof() {
    let mut broken = Vec::new();
    for member in cargo::members() {
        for on in member.needs.union(&member.tests_need) {
            if ROOFS.contains(&on.as_str()) {
                broken.push(format!("{} needs {on}", member.name));
            }
        }
    }
    assert_none(
        &broken,
        "Programs are used by running them. Move what is shared into a library below both.",
    );
}

#[test]
fn the_core_is_pure() {
    let mut broken = Vec::new();
    let lib = tree::file("crates/core/src/lib.rs").text;
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        if !lib.lines().any(|line| line == attribute) {
            broken.push(format!("crates/core/src/lib.rs lacks {attribute}"));
        }
    }
    let mut lines = lib.lines().peekable();
    while let Some(line) = lines.next() {
        if lines.peek() == Some(&"extern crate std;") && line != "#[cfg(test)]" {
            broken.push("crates/core/src/lib.rs takes in std outside tests".to_owned());
        }
    }
    assert_none(
        &broken,
        "The core has no clock, no randomness, no threads and no I/O because they do not compile in it. Take time as an \
         argument, read rows through Rows, and put what touches the world into an effect.",
    );
}

#[test]
fn every_member_keeps_the_shared_lints() {
    let mut broken = Vec::new();
    for member in cargo::members() {
        let manifest = tree::file(&format!("{}/Cargo.toml", member.folder)).text;
        if !manifest.contains("[lints]\nworkspace = true") {
            broken.push(format!("{}/Cargo.toml", member.folder));
        }
    }
    assert_none(
        &broken,
        "Add [lints] with workspace = true; an exception is an #[expect] with a reason, where it is needed.",
    );
}

#[test]
fn every_library_documents_what_is_public() {
    let mut broken = Vec::new();
    for member in cargo::members() {
        let path = format!("{}/src/lib.rs", member.folder);
        let manifest = tree::file(&format!("{}/Cargo.toml", member.folder)).text;
        // Macros are documented where they are re-exported, with examples that compile there.
        if manifest.contains("proc-macro = true") || !tree::root().join(&path).exists() {
            continue;
        }
        if !tree::file(&path).text.contains("#![warn(missing_docs)]") {
            broken.push(path);
        }
    }
    assert_none(
        &broken,
        "Add #![warn(missing_docs)] and say of each public item what it is, its units and its errors.",
    );
}

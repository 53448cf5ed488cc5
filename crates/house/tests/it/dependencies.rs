//! Dependencies: how many, under which licences, and in one place.

use trunkline_house::{assert_none, cargo, tree};

/// Packages in Cargo.lock, members and other platforms' included. Raising it is a decision about everybody's build time.
const PACKAGES_MAX: usize = 220;

/// Licences that go with Apache-2.0. A package is fine if one side of each of its alternatives is here.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BlueOak-1.0.0",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "0BSD",
    // Of data, not code: the certificates of webpki-roots. It asks that its text goes along.
    "CDLA-Permissive-2.0",
];

#[test]
fn there_are_few_packages() {
    let count = cargo::locked_packages();
    let broken = if count > PACKAGES_MAX {
        vec![format!(
            "{count} packages are locked, {PACKAGES_MAX} at most"
        )]
    } else {
        Vec::new()
    };
    assert_none(
        &broken,
        "Look with `cargo tree -i` who brought the new ones, turn off features, or do without. If they are worth it, \
         raise PACKAGES_MAX and say why in docs/adr/0005-dependencies.md.",
    );
}

#[test]
fn every_licence_goes_with_ours() {
    let broken: Vec<String> = cargo::packages()
        .iter()
        .filter(|package| !allowed(&package.licence))
        .map(|package| format!("{}: “{}”", package.name, package.licence))
        .collect();
    assert_none(
        &broken,
        "Do without the package, or add its licence to LICENCES if it asks no more than Apache-2.0 does.",
    );
}

/// SPDX, as far as packages use it: alternatives with OR (or the old slash), each a list with AND.
fn allowed(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    !plain.is_empty()
        && plain.split(" AND ").all(|part| {
            part.split(" OR ")
                .any(|licence| LICENCES.contains(&licence.trim()))
        })
}

#[test]
fn a_licence_expression_needs_one_fine_side_of_every_alternative() {
    assert!(allowed("MIT OR GPL-3.0"));
    assert!(allowed("MIT/Apache-2.0"));
    assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(!allowed("GPL-3.0"));
    assert!(!allowed("MIT AND GPL-3.0"));
    assert!(!allowed(""));
}

#[test]
fn versions_are_chosen_in_one_place() {
    let mut broken = Vec::new();
    for member in cargo::members() {
        let manifest = tree::file(&format!("{}/Cargo.toml", member.folder));
        let mut in_dependencies = false;
        for (number, line) in manifest.numbered() {
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]");
            } else if in_dependencies && names_a_version(line) {
                broken.push(format!("{}:{number}: {line}", manifest.path));
            }
        }
    }
    assert_none(
        &broken,
        "Put the version into [workspace.dependencies] of the root manifest and take it with workspace = true.",
    );
}

fn names_a_version(line: &str) -> bool {
    let Some((_, value)) = line.split_once('=') else {
        return false;
    };
    value.trim_start().starts_with('"') || value.contains("version =")
}

//! Files: how long they may be, how they open, and what they may not be called.

use trunkline_house::{assert_none, tree};

/// No file is longer.
const LINES_MAX: usize = 900;
/// A file that is longer needs an entry in [`LONG_FILES`].
const LINES_WANTED: usize = 500;

/// Files over [`LINES_WANTED`] lines and the most that each may have. The numbers may only get smaller.
const LONG_FILES: &[(&str, usize)] = &[];

/// Names that say nothing about what is inside.
const NAMES_REFUSED: &[&str] = &[
    "utils", "util", "common", "helpers", "helper", "manager", "misc", "stuff", "shared", "base",
];

#[test]
fn no_file_is_too_long() {
    let mut broken = Vec::new();
    for file in tree::files(&[".rs"]) {
        let lines = file.line_count();
        let entry = LONG_FILES.iter().find(|(path, _)| *path == file.path);
        match entry {
            _ if lines > LINES_MAX => {
                broken.push(format!("{}: {lines} lines, {LINES_MAX} at most", file.path));
            }
            Some((_, most)) if lines > *most => {
                broken.push(format!("{}: grew to {lines} lines from {most}", file.path));
            }
            Some(_) if lines <= LINES_WANTED => {
                broken.push(format!(
                    "{}: no longer long, take it off LONG_FILES",
                    file.path
                ));
            }
            None if lines > LINES_WANTED => {
                broken.push(format!("{}: {lines} lines", file.path));
            }
            _ => {}
        }
    }
    for (path, _) in LONG_FILES {
        if !tree::root().join(path).exists() {
            broken.push(format!("{path}: gone, take it off LONG_FILES"));
        }
    }
    assert_none(
        &broken,
        "A file holds one concept. Look for the second one and give it a file of its own. Unit tests go to foo/tests.rs. \
         A file that truly is one concept gets an entry in LONG_FILES, which may only shrink.",
    );
}

#[test]
fn every_source_file_says_what_it_is() {
    let broken: Vec<String> = tree::files(&[".rs"])
        .iter()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| file.path.clone())
        .collect();
    assert_none(
        &broken,
        "Open the file with //!: what it is, what it is not, its invariants.",
    );
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let mut broken = Vec::new();
    for file in tree::files(&[".rs", ".toml", ".md", ".sh"]) {
        for part in file.path.split('/') {
            let stem = part.split('.').next().unwrap_or(part);
            if NAMES_REFUSED.contains(&stem) {
                broken.push(file.path.clone());
            }
        }
    }
    for file in tree::files(&[".rs"]) {
        for (number, line) in file.numbered() {
            let module = line
                .trim_start()
                .trim_start_matches("pub ")
                .trim_start_matches("pub(crate) ")
                .strip_prefix("mod ");
            let name = module.and_then(|rest| rest.split([';', ' ']).next());
            if name.is_some_and(|name| NAMES_REFUSED.contains(&name)) {
                broken.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert_none(
        &broken,
        "Name it after the concept in it: a noun of docs/glossary.md. If there is no such noun, it holds several concepts.",
    );
}

#[test]
fn a_crate_has_one_integration_binary() {
    let broken: Vec<String> = tree::files(&[".rs"])
        .iter()
        .filter(|file| {
            let mut parts = file.path.rsplit('/');
            parts.next();
            // A file right in tests/ is a binary of its own; it costs a link and runs after the others.
            parts.next() == Some("tests") && !file.path.contains("/src/")
        })
        .map(|file| file.path.clone())
        .collect();
    assert_none(
        &broken,
        "Make it a module of tests/it/main.rs: one binary per crate links once and runs its tests side by side.",
    );
}

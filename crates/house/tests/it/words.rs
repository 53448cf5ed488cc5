//! Words: what may not stand in a file of this repository.

use trunkline_house::{assert_none, tree};

/// Marks of unfinished work, in pieces, so that this file does not break its own rule.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("unimpl", "emented!"),
    concat!("to", "do!("),
    concat!("#[ig", "nore"),
];

/// Paths of one machine.
const MACHINE_PATHS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
];

const TEXTS: &[&str] = &[
    ".rs", ".md", ".toml", ".sh", ".yml", ".yaml", ".json", "Makefile", "run",
];

fn lines_with(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in tree::files(TEXTS) {
        for (number, line) in file.numbered() {
            for word in words {
                if line.contains(word) {
                    found.push(format!("{}:{number}: {}", file.path, line.trim()));
                }
            }
        }
    }
    found
}

#[test]
fn nothing_is_left_unfinished() {
    assert_none(
        &lines_with(UNFINISHED),
        "Finish it, or say in the documents what is not there yet. A test that cannot pass is deleted or mended.",
    );
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // A path is absolute where nothing of a longer path stands before it.
    let broken: Vec<String> = lines_with(MACHINE_PATHS)
        .into_iter()
        .filter(|line| {
            MACHINE_PATHS.iter().any(|path| {
                line.match_indices(path).any(|(at, _)| {
                    !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '.')
                })
            })
        })
        .collect();
    assert_none(
        &broken,
        "Use a path from the root of the repository, a temporary folder, or an argument.",
    );
}

//! Documents: their links lead somewhere, and what they quote is what the code says.

use std::path::{Component, Path, PathBuf};
use trunkline_house::{assert_none, markdown, tree};

/// What a clone must have at its root.
const REQUIRED: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    ".ci/run",
    "docs/guarantees.md",
    "docs/glossary.md",
    "docs/performance.md",
];

#[test]
fn the_house_is_furnished() {
    let broken: Vec<String> = REQUIRED
        .iter()
        .filter(|path| !tree::root().join(path).exists())
        .map(|path| (*path).to_owned())
        .collect();
    assert_none(&broken, "Write it; a newcomer looks for it.");
}

#[test]
fn every_link_leads_somewhere() {
    let root = tree::root();
    let mut broken = Vec::new();
    for file in tree::files(&[".md"]) {
        for link in markdown::links(&file) {
            let target = link.target.split(' ').next().unwrap_or_default();
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
            let place = if path.is_empty() {
                PathBuf::from(&file.path)
            } else {
                tidy(&folder.join(path))
            };
            if !root.join(&place).exists() {
                broken.push(format!("{}:{}: {target}", file.path, link.line));
                continue;
            }
            if !anchor.is_empty() && place.extension().is_some_and(|ending| ending == "md") {
                let other = tree::file(&place.to_string_lossy());
                if !markdown::anchors(&other)
                    .iter()
                    .any(|known| known == anchor)
                {
                    broken.push(format!(
                        "{}:{}: {target} (no such heading)",
                        file.path, link.line
                    ));
                }
            }
        }
    }
    assert_none(&broken, "Point it at what it means, or take it out.");
}

/// A path without `.` and `..`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                tidy.pop();
            }
            Component::CurDir => {}
            part => tidy.push(part),
        }
    }
    tidy
}

#[test]
fn every_source_file_that_a_document_names_is_there() {
    let root = tree::root();
    let mut broken = Vec::new();
    for file in tree::files(&[".md"]) {
        if file.path == "CHANGELOG.md" {
            continue;
        }
        for (number, line) in markdown::prose(&file) {
            for span in markdown::code_spans(line) {
                let path = span.split(':').next().unwrap_or_default();
                let is_path = ["crates/", "docs/", "bench/", "examples/"]
                    .iter()
                    .any(|start| path.starts_with(start))
                    && !path.contains(['*', '{', ' ', '<', '…']);
                if is_path && !root.join(path).exists() {
                    broken.push(format!("{}:{number}: {path}", file.path));
                }
            }
        }
    }
    assert_none(
        &broken,
        "The file has moved or never was: name the right one.",
    );
}

#[test]
fn quoted_code_is_the_code_of_the_file_it_is_quoted_from() {
    let mut broken = Vec::new();
    for file in tree::files(&[".md"]) {
        for block in markdown::blocks(&file) {
            let Some(source) = block
                .note
                .as_deref()
                .and_then(|note| note.strip_prefix("from "))
            else {
                continue;
            };
            if !tree::root().join(source).exists() {
                broken.push(format!("{}:{}: no file {source}", file.path, block.line));
                continue;
            }
            if !tree::file(source).text.contains(block.body.trim_end()) {
                broken.push(format!(
                    "{}:{}: {source} reads otherwise",
                    file.path, block.line
                ));
            }
        }
    }
    assert_none(
        &broken,
        "Copy the lines again: a block after <!-- from FILE --> is a piece of that file, letter by letter.",
    );
}

#[test]
fn the_guarantees_name_where_they_are_enforced_and_tests_that_exist() {
    let document = tree::file("docs/guarantees.md");
    let sources = tree::files(&[".rs"]);
    let mut broken = Vec::new();
    let rows = markdown::table_rows(&document);
    assert!(!rows.is_empty(), "docs/guarantees.md has no table");
    for (line, cells) in rows {
        let [_, _, test] = cells.as_slice() else {
            broken.push(format!("docs/guarantees.md:{line}: not three cells"));
            continue;
        };
        let names = markdown::code_spans(test);
        if names.is_empty() {
            broken.push(format!(
                "docs/guarantees.md:{line}: a promise without a test"
            ));
        }
        for name in names {
            let function = format!("fn {name}(");
            if !sources.iter().any(|file| file.text.contains(&function)) {
                broken.push(format!("docs/guarantees.md:{line}: no test {name}"));
            }
        }
    }
    assert_none(
        &broken,
        "Each row is: promise | where it is enforced | the tests, in backticks, that fail when it is broken. A promise \
         without a test is not a guarantee: write the test or take the promise out.",
    );
}

#[test]
fn every_function_that_the_architecture_names_is_there() {
    let document = tree::file("ARCHITECTURE.md");
    let sources = tree::files(&[".rs"]);
    let mut broken = Vec::new();
    for (number, line) in markdown::prose(&document) {
        for span in markdown::code_spans(line) {
            let Some(path) = span.strip_suffix("()") else {
                continue;
            };
            let function = format!("fn {}", path.rsplit(':').next().unwrap_or(path));
            let declared = |text: &str| {
                text.match_indices(&function)
                    .any(|(at, _)| text[at + function.len()..].starts_with(['(', '<']))
            };
            if !sources.iter().any(|file| declared(&file.text)) {
                broken.push(format!("ARCHITECTURE.md:{number}: {span}"));
            }
        }
    }
    assert_none(
        &broken,
        "A newcomer follows this path with the document in hand: name the function that does it now.",
    );
}

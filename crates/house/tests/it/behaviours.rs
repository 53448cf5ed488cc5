//! The table of behaviours: complete, and each row shown by a test that exists, or different on purpose with a reason.

use std::collections::BTreeSet;
use trunkline_house::{assert_none, markdown, tree};

const DOCUMENT: &str = "docs/behaviours.md";

/// Where the behaviour suite lies: each of its tests stands in the document.
const SUITE: &str = "crates/sdk/tests/it/behaviours/";

/// The groups of behaviours, with how many each has. Their rows stand in this order.
const GROUPS: &[(&str, usize)] = &[
    ("B", 8),
    ("C", 21),
    ("Ch", 6),
    ("X", 9),
    ("D", 14),
    ("De", 1),
    ("E", 25),
    ("I", 3),
    ("J", 7),
    ("M", 1),
    ("P", 10),
    ("Sy", 5),
    ("T", 3),
    ("To", 15),
    ("Ti", 10),
    ("V", 1),
    ("Ba", 14),
    ("Ca", 1),
    ("Cl", 1),
    // Weaknesses that are absent.
    ("W", 12),
];

/// How many behaviours there are, the weaknesses apart.
const BEHAVIOURS: usize = 155;

/// The id of rows beyond the list.
const BEYOND: &str = "+";

/// Rows that no test shows yet. The number may only shrink.
const NOT_SHOWN_MAX: usize = 0;

const NOT_SHOWN: &str = "not shown yet";
const DIFFERENT: &str = "different on purpose: ";
/// A reason is a sentence.
const REASON_CHARS_MIN: usize = 10;

struct Row {
    line: usize,
    id: String,
    shown_by: String,
}

/// The rows, and what is no row.
fn rows() -> (Vec<Row>, Vec<String>) {
    let mut rows = Vec::new();
    let mut broken = Vec::new();
    for (line, cells) in markdown::table_rows(&tree::file(DOCUMENT)) {
        match cells.as_slice() {
            [id, behaviour, shown_by] if !behaviour.is_empty() => rows.push(Row {
                line,
                id: id.clone(),
                shown_by: shown_by.clone(),
            }),
            _ => broken.push(format!("{DOCUMENT}:{line}: not three cells")),
        }
    }
    (rows, broken)
}

/// The tests of a source file: functions right behind a test attribute.
fn tests_of(text: &str) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if is_test && !line.starts_with("#[") {
            let name = line
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next());
            tests.extend(name.map(str::to_owned));
            is_test = false;
        }
    }
    tests
}

#[test]
fn every_behaviour_has_its_row() {
    let expected: Vec<String> = GROUPS
        .iter()
        .flat_map(|(group, count)| (1..=*count).map(move |number| format!("{group}{number}")))
        .collect();
    let weaknesses = expected.iter().filter(|id| id.starts_with('W')).count();
    assert_eq!(expected.len() - weaknesses, BEHAVIOURS);
    let (rows, broken) = rows();
    assert_none(&broken, "A row is: id | behaviour | what shows it.");
    let found: Vec<&str> = rows
        .iter()
        .map(|row| row.id.as_str())
        .filter(|id| *id != BEYOND)
        .collect();
    assert_eq!(
        found, expected,
        "each behaviour has one row, in the order of the list"
    );
}

#[test]
fn every_row_names_tests_that_exist() {
    let (rows, mut broken) = rows();
    for row in &rows {
        let place = format!("{DOCUMENT}:{}: {}", row.line, row.id);
        if row.shown_by == NOT_SHOWN {
            continue;
        }
        if let Some(rest) = row.shown_by.strip_prefix(DIFFERENT) {
            let reason = rest.split('`').next().unwrap_or_default();
            if reason.trim().chars().count() < REASON_CHARS_MIN {
                broken.push(format!("{place}: different, and no reason why"));
            }
        }
        let named: Vec<String> = markdown::code_spans(&row.shown_by)
            .into_iter()
            .filter(|span| span.contains(".rs:"))
            .collect();
        if named.is_empty() {
            broken.push(format!("{place}: no test is named"));
        }
        for span in named {
            let (path, test) = span.split_once(':').unwrap_or((&span, ""));
            let is_there = tree::root().join(path).exists();
            if !is_there || !tests_of(&tree::file(path).text).contains(test) {
                broken.push(format!("{place}: there is no {span}"));
            }
        }
    }
    assert_none(
        &broken,
        "Name the test as `path:function`. What is done differently says why, and names the test of what is done instead.",
    );
}

#[test]
fn no_more_rows_are_without_a_test() {
    let (rows, _) = rows();
    let without = rows.iter().filter(|row| row.shown_by == NOT_SHOWN).count();
    assert_eq!(
        without, NOT_SHOWN_MAX,
        "rows without a test: write the test, or lower NOT_SHOWN_MAX to what is left"
    );
}

#[test]
fn every_test_of_the_behaviour_suite_is_named() {
    let document = tree::file(DOCUMENT).text;
    let mut broken = Vec::new();
    let mut files = 0;
    for file in tree::files(&[".rs"]) {
        if !file.path.starts_with(SUITE) {
            continue;
        }
        files += 1;
        for test in tests_of(&file.text) {
            let span = format!("`{}:{test}`", file.path);
            if !document.contains(&span) {
                broken.push(span);
            }
        }
    }
    assert!(files > 0, "the suite is not where it was: {SUITE}");
    assert_none(
        &broken,
        "A behaviour that is worth a test is worth a row: name it in docs/behaviours.md.",
    );
}

//! Decision records: numbered without gaps, and complete.

use trunkline_house::{assert_none, tree};

const SECTIONS: &[&str] = &[
    "## Context",
    "## Decision",
    "## Consequences",
    "## Rejected",
];
/// A record is one page.
const LINES_MAX: usize = 90;

#[test]
fn decision_records_are_numbered_and_complete() {
    let mut broken = Vec::new();
    let records: Vec<_> = tree::files(&[".md"])
        .into_iter()
        .filter(|file| file.path.starts_with("docs/adr/"))
        .collect();
    // Several are written at a time, so numbers are given out ahead, and records do not land in their order.
    let mut before = String::new();
    for record in &records {
        let number = record.name().split('-').next().unwrap_or_default();
        let is_number = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || *number <= *before {
            broken.push(format!("{}: no number of its own", record.path));
        }
        number.clone_into(&mut before);
        if !record.text.starts_with(&format!(
            "# {}",
            &record.name()[..4.min(record.name().len())]
        )) {
            broken.push(format!("{}: does not open with its number", record.path));
        }
        for section in SECTIONS {
            if !record.text.lines().any(|line| line == *section) {
                broken.push(format!("{}: no “{section}”", record.path));
            }
        }
        if record.line_count() > LINES_MAX {
            broken.push(format!("{}: longer than a page", record.path));
        }
    }
    assert_none(
        &broken,
        "A record is docs/adr/NNNN-title.md, with a number of its own, and says on one page: Context, Decision, Consequences, \
         Rejected. A decision that is changed gets a new record that names the old one.",
    );
}

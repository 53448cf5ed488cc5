//! Transcripts: what the documents say that commands print is what they print.

use std::fs;
use trunkline_house::{assert_none, markdown, transcript, tree};

/// The documents whose commands are run.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "docs/guides/operating.md",
    "docs/guides/access.md",
    "docs/guides/credentials.md",
    "docs/guides/tutorial.md",
    "docs/guides/connectors.md",
];

#[test]
fn the_commands_of_the_documents_do_what_they_show() {
    let programs = transcript::programs();
    let mut broken = Vec::new();
    for path in DOCUMENTS {
        let document = tree::file(path);
        let (steps, address) = transcript::relocated(transcript::steps(&document));
        assert!(!steps.is_empty(), "{path} has no command that is run");
        let folder = std::env::temp_dir().join(format!(
            "trunkline-transcript-{}-{}",
            std::process::id(),
            path.replace('/', "-")
        ));
        fs::create_dir_all(&folder).expect("the temporary folder can be written to");
        let done = transcript::run(&steps, &folder, &programs, &address);
        for (step, done) in steps.iter().zip(&done) {
            if let Some(difference) = transcript::difference(step, done) {
                broken.push(format!(
                    "{path}:{}: {}\n{difference}",
                    step.line, step.command
                ));
            }
        }
        let _ = fs::remove_dir_all(&folder);
    }
    assert_none(
        &broken,
        "The document shows what readers will get. Mend the program, or show what it prints now.",
    );
}

#[test]
fn every_shell_block_is_a_transcript_or_says_why_not() {
    let mut broken = Vec::new();
    for path in DOCUMENTS {
        for block in markdown::blocks(&tree::file(path)) {
            let shell = matches!(block.language.as_str(), "sh" | "bash" | "shell");
            let silent = transcript::reason_not_to_run(&block).is_some_and(str::is_empty);
            if shell || silent {
                broken.push(format!("{path}:{}", block.line));
            }
        }
    }
    assert_none(
        &broken,
        "Use ```console with `$ ` before each command, so that it is run; or put <!-- not run: why --> before it.",
    );
}

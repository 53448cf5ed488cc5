//! The rules by which shown and real output are compared.

use super::{Done, Step, difference, matches, relocated, run, steps};
use crate::tree::File;

fn document(text: &str) -> File {
    File {
        path: "x.md".to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn output_must_be_equal_except_where_it_is_left_open() {
    assert!(matches("a\nb\n", "a\nb"));
    assert!(!matches("a\nb\n", "a\nc"));
    assert!(!matches("a\n", "a\nb"));
    assert!(matches("a\n...\n", "a\nb\nc"));
    assert!(matches("...\nc\n", "a\nb\nc"));
    assert!(!matches("...\nd\n", "a\nb\nc"));
    assert!(matches("took [..] ms\n", "took 12 ms"));
    assert!(!matches("took [..] ms\n", "took 12 s"));
    assert!(matches("[..] of [..]\n", "1 of 2"));
}

#[test]
fn a_document_becomes_steps() {
    let steps = steps(&document(
        "```console\n$ one\n1\n$ two \\\n    more\n```\n<!-- not run: slow -->\n```console\n$ three\n```\n",
    ));
    assert_eq!(
        steps,
        [
            Step {
                line: 2,
                command: "one".into(),
                shown: Some("1\n".into())
            },
            Step {
                line: 4,
                command: "two \\\n    more".into(),
                shown: None
            },
        ]
    );
}

#[test]
fn steps_share_a_session_and_each_gets_its_own_output() {
    let folder = std::env::temp_dir().join(format!("trunkline-house-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the temporary folder can be written to");
    let steps = steps(&document(
        "```console\n$ x=5\n$ echo $x\n5\n$ false\n$ echo wrong\nright\n```\n",
    ));
    let done = run(&steps, &folder, &folder, "127.0.0.1:1");
    std::fs::remove_dir_all(&folder).expect("the temporary folder can be removed");
    let verdicts: Vec<bool> = steps
        .iter()
        .zip(&done)
        .map(|(step, done)| difference(step, done).is_none())
        .collect();
    assert_eq!(verdicts, [true, true, false, false]);
}

#[test]
fn a_session_that_stopped_early_is_a_difference() {
    let step = Step {
        line: 1,
        command: "exit 0".into(),
        shown: None,
    };
    let done = Done {
        printed: String::new(),
        status: None,
    };
    assert!(difference(&step, &done).is_some());
}

#[test]
fn each_address_becomes_another_everywhere() {
    let (steps, address) = relocated(steps(&document(
        "```console\n$ a 127.0.0.1:7422 127.0.0.1:7411\n127.0.0.1:7422\n```\n",
    )));
    assert_ne!(address, "127.0.0.1:7411");
    let parts: Vec<&str> = steps[0].command.split(' ').collect();
    assert_eq!(parts[2], address);
    assert_ne!(parts[1], address);
    assert_eq!(
        steps[0].shown.as_deref(),
        Some(format!("{}\n", parts[1]).as_str())
    );
}

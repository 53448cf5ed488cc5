//! How a tree looks.

use super::*;
use expect_test::expect;

fn run(id: &str, waits: &[&str], children: Vec<RunTree>) -> RunTree {
    RunTree {
        status: Some("running".into()),
        waits: waits.iter().map(ToString::to_string).collect(),
        children,
        ..RunTree::unknown("Parcel", id)
    }
}

#[test]
fn a_tree_has_its_branches_below_what_is_waited_for() {
    let leaf = run("1-1", &["a signal"], Vec::new());
    let first = run("1", &["run Parcel/1-1"], vec![leaf]);
    let last = RunTree {
        phase: Some("suspended".into()),
        ..run("2", &["timer 3, due in 2 days"], Vec::new())
    };
    let lost = RunTree::unknown("Parcel", "3");
    let mut root = run(
        "0",
        &["run Parcel/1", "run Parcel/2"],
        vec![first, last, lost],
    );
    let drawn = |tree: &RunTree| {
        let mut out = Vec::new();
        draw(tree, "", &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    expect![[r#"
        Parcel/0  running
        │  run Parcel/1
        │  run Parcel/2
        ├─ Parcel/1  running
        │  │  run Parcel/1-1
        │  └─ Parcel/1-1  running
        │        a signal
        ├─ Parcel/2  running, suspended
        │     timer #3, due in 2 days
        └─ Parcel/3  not there, or not yet
    "#]]
    .assert_eq(&drawn(&root));
    root.more = true;
    assert!(drawn(&root).ends_with("\n├─ Parcel/3  not there, or not yet\n└─ …\n"));
}

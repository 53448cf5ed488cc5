//! Commands about many runs, word by word.

use crate::program::{Folder, Server};
use expect_test::expect;

fn server(folder: &Folder) -> Server {
    let server = Server::start(folder);
    server.attach_worker();
    for (id, tag) in [("w1", "red"), ("w2", "red"), ("w3", "blue")] {
        server.out(&["run", "start", "Wait", id, "--tag", tag]);
        server.run_until(&["run", "property", id, "state"], |_| true);
    }
    server
}

#[test]
fn runs_are_listed_and_counted_by_tag_status_time_and_property() {
    let folder = Folder::new();
    let server = server(&folder);
    expect![[r#"
        RUN      STATUS   STARTED              ENDED  TAGS
        Wait/w3  running  <date>         blue
    "#]]
    .assert_eq(&server.out(&["run", "list", "--tag", "blue"]));
    let count = |args: &[&str]| {
        let mut all = vec!["run", "count"];
        all.extend(args);
        server.out(&all)
    };
    assert_eq!(count(&["--tag", "red"]), "2\n");
    assert_eq!(count(&["--tag", "red", "--status", "completed"]), "0\n");
    assert_eq!(count(&["--tag", "red", "--status", "suspended"]), "2\n");
    assert_eq!(count(&["--started-after", "2020-01-01T00:00:00Z"]), "4\n");
    assert_eq!(count(&["--started-before", "2020-01-01T00:00:00Z"]), "0\n");
    assert_eq!(count(&["--property", "state=waiting"]), "3\n");
    assert_eq!(count(&["--id-prefix", "w", "--json"]), "{\"count\":3}\n");
    let said = server.run(&["run", "count", "--property", "state"]);
    assert_eq!(said.code, Some(1));
    expect![[r#"
        error[TL0003]: a field is missing or has the wrong type: --property state: it has the form NAME=VALUE (run 'trunkline explain TL0003')
    "#]]
    .assert_eq(&said.err);
}

//! Tokens and tenants with the real program: on the command line, in files, and when it is killed in the middle.

use crate::program::{Folder, Server, run};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// What is seen of the tenant `x`: it is ready, or it is not there and neither is its folder.
fn is_there(server: &Server, folder: &Folder) -> bool {
    let shown = server.run(&["tenant", "show", "x"]);
    let data = folder.path().join("data/tenants/x");
    if shown.code == Some(0) {
        assert!(shown.out.starts_with("x  ready\n"), "{shown:?}");
        assert!(data.join("TRUNKLINE").exists());
        return true;
    }
    assert!(shown.err.starts_with("error[TL0114]"), "{shown:?}");
    assert!(!data.exists(), "nothing is left of it");
    false
}

#[test]
fn a_tenant_is_there_or_not_whenever_the_server_is_killed() {
    let folder = Folder::new();
    let mut server = Server::start(&folder);
    let said = server.run(&["token", "create", "kept", "--scope", "read"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for step in 0..12_u64 {
        let was_there = is_there(&server, &folder);
        let url = server.url.clone();
        let asked = std::thread::spawn(move || {
            let what = if was_there { "remove" } else { "create" };
            run(&["tenant", what, "x", "--server", &url])
        });
        // The program takes a while to begin, and the server to do it; anywhere in between is good.
        std::thread::sleep(Duration::from_millis(step * 7));
        server.kill();
        let said = asked.join().unwrap();
        server = Server::start(&folder);
        let is_there = is_there(&server, &folder);
        if said.code == Some(0) {
            assert_ne!(is_there, was_there, "what was answered stays so: {said:?}");
        }
        assert!(server.run(&["token", "list"]).out.contains("kept"));
    }
    // Whatever has happened, it works.
    let made = server.run(&["tenant", "create", "x"]);
    assert!(made.out.starts_with("x  ready\n"), "{made:?}");
}

#[test]
fn the_file_of_the_first_token_is_made_for_its_owner_alone_and_what_is_no_token_is_not_shown() {
    let folder = Folder::new();
    let file = folder.path().join("admin.token").display().to_string();
    let required = [
        "--require-tokens",
        "--admin-token-file",
        &file,
        "--log-level",
        "trace",
    ];
    let server = Server::start_with(&folder, &required);
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let refused = server.run(&["run", "list"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.starts_with("error[TL0110]"), "{refused:?}");
    let listed = server.run(&["run", "list", "--token-file", &file]);
    assert_eq!(listed.out, "no runs\n", "{listed:?}");
    // A restart takes the same token again.
    server.kill();
    let server = Server::start_with(&folder, &required);
    let listed = server.run(&["run", "list", "--token-file", &file]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let tokens = server.run(&["token", "list", "--token-file", &file]);
    assert_eq!(tokens.out.lines().count(), 2, "{tokens:?}");

    let other = folder.path().join("other");
    std::fs::write(&other, "canary-password\n").unwrap();
    let said = server.run(&["run", "list", "--token-file", &other.display().to_string()]);
    assert!(said.err.starts_with("error[TL0047]"), "{said:?}");
    assert!(!said.err.contains("canary"), "{said:?}");
    let said = server.run(&["run", "list", "--token-file", "/nowhere"]);
    assert!(said.err.starts_with("error[TL0047]"), "{said:?}");

    // Neither the token nor what was presented is in the log, however much that says.
    let token = std::fs::read_to_string(&file).unwrap();
    let (_, log) = server.end_with("TERM");
    assert!(!log.contains(&token.trim()[20..]), "{log}");
}

#[test]
fn a_server_on_an_address_of_others_needs_a_decision() {
    let folder = Folder::new();
    let data = folder.data();
    let said = run(&["server", "--data", &data, "--listen", "0.0.0.0:0"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.starts_with("error[TL0047]"), "{said:?}");
    assert!(!Path::new(&data).exists(), "nothing was touched");
    let both = ["server", "--data", &data, "--require-tokens", "--open"];
    assert_eq!(run(&both).code, Some(2), "one or the other");
}

//! Data folders in every state: in use, of another version, damaged, of other settings. A refusal cuts and repairs nothing.

use crate::program::{Folder, Said, Server, run};
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

/// Starts a server that is expected to refuse.
fn refused(data: &str, more: &[&str]) -> Said {
    let mut args = vec![
        "server",
        "--data",
        data,
        "--listen",
        "127.0.0.1:0",
        "--log-level",
        "error",
    ];
    args.extend(more);
    run(&args)
}

/// Every file in a data folder.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            files.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    files
}

/// The files that are not as they were.
fn changed(folder: &str, before: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let after = contents(Path::new(folder));
    let names = before.keys().chain(after.keys());
    let differs = names.filter(|name| before.get(*name) != after.get(*name));
    let mut names: Vec<String> = differs.cloned().collect();
    names.dedup();
    names
}

/// A folder with some work in its journal, whose server was killed.
fn used_folder() -> Folder {
    let folder = Folder::new();
    let server = Server::start_with(&folder, &["--threads", "1"]);
    for name in ["a", "b", "c", "d"] {
        let put = [
            "egress",
            "destination",
            "put",
            name,
            "--url",
            "http://127.0.0.1:9/",
        ];
        server.out(&put);
    }
    server.kill();
    folder
}

#[test]
fn a_folder_in_use_is_refused_to_a_second_process() {
    let folder = Folder::new();
    let data = folder.data();
    let server = Server::start(&folder);
    let said = refused(&data, &[]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("error[TL0040]: "), "{said:?}");
    let said = run(&["doctor", "--data", &data]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.starts_with("error[TL0040]"), "{said:?}");
    // A killed server leaves no lock behind.
    server.kill();
    assert_eq!(run(&["doctor", "--data", &data]).code, Some(0));
    Server::start(&folder);
}

#[test]
fn a_server_waits_for_one_that_is_on_its_way_out() {
    let folder = Folder::new();
    let before = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = before.local_addr().unwrap().to_string();
    let leaving = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(before);
    });
    let server = Server::start_at(&folder, &address, &[]);
    assert_eq!(server.run(&["run", "list"]).code, Some(0));
    leaving.join().unwrap();
}

#[test]
fn a_folder_of_another_version_is_refused() {
    let folder = used_folder();
    let data = folder.data();
    let meta = Path::new(&data).join("TRUNKLINE");
    let text = fs::read_to_string(&meta).unwrap();
    fs::write(&meta, text.replace("format 1", "format 2")).unwrap();
    let before = contents(Path::new(&data));
    for said in [refused(&data, &[]), run(&["doctor", "--data", &data])] {
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains("error[TL0041]"), "{said:?}");
        assert!(said.err.contains("format 2"), "{said:?}");
    }
    assert_eq!(changed(&data, &before), [""; 0]);
}

#[test]
fn a_damaged_journal_is_refused_with_its_place_and_the_doctor_explains() {
    let folder = used_folder();
    let data = folder.data();
    let healthy = run(&["doctor", "--data", &data]);
    assert_eq!(healthy.code, Some(0), "{healthy:?}");
    assert!(healthy.out.ends_with("no damage found\n"), "{healthy:?}");

    // The first frame begins behind the header block of 4 KiB. Its neighbours say that it was durable.
    let segment = Path::new(&data).join("journal-0/00000001.seg");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[4096 + 40] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let before = contents(Path::new(&data));

    let said = run(&["doctor", "--data", &data]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.out
            .contains("DAMAGED: journal-0/00000001.seg, byte 4096: "),
        "{said:?}"
    );
    assert!(said.err.starts_with("error[TL0042]"), "{said:?}");
    let said = run(&["doctor", "--data", &data, "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["whole"], false);
    assert_eq!(report["journals"][0]["damage"]["offset"], 4096);
    assert_eq!(
        contents(Path::new(&data)),
        before,
        "nobody repairs anything"
    );
}

#[test]
fn a_damaged_store_is_refused() {
    let folder = Folder::new();
    let data = folder.data();
    let server = Server::start_with(&folder, &["--threads", "1"]);
    server.out(&[
        "egress",
        "destination",
        "put",
        "a",
        "--url",
        "http://127.0.0.1:9/",
    ]);
    assert_eq!(server.end_with("TERM").0, Some(0));
    let store = Path::new(&data).join("store-0.redb");
    let mut bytes = fs::read(&store).unwrap();
    bytes[..64].fill(0);
    fs::write(&store, bytes).unwrap();
    for said in [refused(&data, &[]), run(&["doctor", "--data", &data])] {
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains("error[TL0045]"), "{said:?}");
    }
}

#[test]
fn settings_that_are_fixed_cannot_be_changed() {
    let folder = used_folder();
    let said = refused(&folder.data(), &["--shards", "4"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("error[TL0044]"), "{said:?}");
}

#[test]
fn what_is_no_data_folder_is_not_examined() {
    let folder = Folder::new();
    let empty = folder.path().display().to_string();
    for path in [empty.as_str(), "/nowhere/at/all"] {
        let said = run(&["doctor", "--data", path]);
        assert_eq!(said.code, Some(1));
        assert!(said.err.starts_with("error[TL0047]"), "{said:?}");
    }
    assert_eq!(contents(folder.path()).len(), 0);
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let folder = used_folder();
    let server = Server::start(&folder);
    let list = server.out(&["egress", "destination", "list"]);
    assert_eq!(list.lines().count(), 5, "{list}");
}

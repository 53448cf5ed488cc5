//! The key ring and its file's text.

use super::KeyRing;
use crate::error::VaultError;

#[test]
fn a_ring_reads_what_it_writes() {
    let ring = KeyRing::generate().unwrap().grown().unwrap();
    let read = KeyRing::parse(&ring.text()).unwrap();
    assert!(read.contains(&ring) && ring.contains(&read));
    assert_eq!(read.newest(), 2);
    assert_eq!(read.versions().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_broken_key_file_is_refused_with_its_line_and_without_its_key() {
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for (text, why) in [
        ("".to_owned(), "there is no key in it"),
        ("# only words\n".to_owned(), "there is no key in it"),
        (format!("\n{key}"), "line 2: there is no colon"),
        (
            format!("0:{key}"),
            "line 1: the version is no number from 1",
        ),
        (
            format!("x:{key}"),
            "line 1: the version is no number from 1",
        ),
        (
            format!("1:{key}\n1:{key}"),
            "line 2: the version is there twice",
        ),
        (
            "1:AAAA".to_owned(),
            "line 1: the key does not have 32 bytes",
        ),
        ("1:?".to_owned(), "line 1: the key is not in base64"),
    ] {
        let Err(VaultError::KeyFile(said)) = KeyRing::parse(&text) else {
            panic!("{text} was taken");
        };
        assert!(said.starts_with(why), "{said}");
        assert!(!said.contains(key), "{said}");
    }
}

#[test]
fn tenants_and_versions_have_keys_of_their_own() {
    let ring = KeyRing::generate().unwrap().grown().unwrap();
    let key = |version, tenant| ring.tenant_key(version, tenant).unwrap();
    assert_eq!(key(1, "a"), key(1, "a"));
    assert_ne!(key(1, "a"), key(1, "b"));
    assert_ne!(key(1, "a"), key(2, "a"));
    assert_eq!(
        ring.tenant_key(3, "a").unwrap_err(),
        VaultError::KeyMissing(3)
    );
}

#[test]
fn a_ring_does_not_print_its_keys() {
    let ring = KeyRing::generate().unwrap();
    assert_eq!(format!("{ring:?}"), "KeyRing { versions: [1] }");
}

//! Versions of a credential, and their seals.

use super::{Credential, Draft, Stage, check_secret};
use crate::authentication::{Place, Settings};
use crate::error::VaultError;
use crate::ring::KeyRing;
use crate::secret::Secret;

fn draft(secret: &str, pending: bool) -> Draft {
    Draft {
        settings: Settings::Bearer,
        secret: Secret::from(secret),
        pending,
    }
}

fn stages(credential: &Credential, now_ms: u64) -> Vec<(u32, Stage)> {
    credential
        .versions(now_ms)
        .map(|version| (version.number, version.stage))
        .collect()
}

#[test]
fn a_version_goes_from_pending_to_current_to_previous_and_is_gone() {
    let ring = KeyRing::generate().unwrap();
    let mut credential = Credential::new("shop", 0);
    credential.overlap_ms = 100;
    credential.add(&ring, "", &draft("one", false), 0).unwrap();
    assert_eq!(stages(&credential, 0), [(1, Stage::Current)]);
    credential.add(&ring, "", &draft("two", true), 10).unwrap();
    credential
        .add(&ring, "", &draft("three", true), 20)
        .unwrap();
    assert_eq!(
        stages(&credential, 20),
        [(1, Stage::Current), (3, Stage::Pending)]
    );
    assert!(credential.promote(30));
    assert!(!credential.promote(30), "nothing is pending any more");
    assert_eq!(
        stages(&credential, 129),
        [(1, Stage::Previous), (3, Stage::Current)]
    );
    assert_eq!(stages(&credential, 130), [(3, Stage::Current)]);
    assert!(credential.retire(100));
    assert_eq!(stages(&credential, 100), [(3, Stage::Current)]);
    let opened = credential
        .open(&ring, "", credential.current().unwrap())
        .unwrap();
    assert_eq!(opened.reveal(), "three");
}

#[test]
fn without_an_overlap_the_old_version_is_gone_at_once() {
    let ring = KeyRing::generate().unwrap();
    let mut credential = Credential::new("shop", 0);
    credential.add(&ring, "", &draft("one", false), 0).unwrap();
    credential.add(&ring, "", &draft("two", false), 10).unwrap();
    assert_eq!(stages(&credential, 10), [(2, Stage::Current)]);
}

#[test]
fn a_seal_opens_only_where_it_was_made() {
    let ring = KeyRing::generate().unwrap();
    let mut credential = Credential::new("shop", 0);
    credential.add(&ring, "a", &draft("one", false), 0).unwrap();
    credential.check(&ring, "a").unwrap();
    let refused = Err(VaultError::NotOpened(1));
    assert_eq!(credential.check(&ring, "b"), refused, "another tenant");
    let mut renamed = credential.clone();
    renamed.id = "other".into();
    assert_eq!(renamed.check(&ring, "a"), refused, "another credential");
    let mut renumbered = credential.clone();
    renumbered.versions[0].number = 2;
    assert_eq!(renumbered.check(&ring, "a"), refused, "another version");
    let other = KeyRing::generate().unwrap();
    assert_eq!(credential.check(&other, "a"), refused, "another key");
}

#[test]
fn a_change_of_the_stored_bytes_is_noticed() {
    let ring = KeyRing::generate().unwrap();
    let mut credential = Credential::new("shop", 0);
    credential.add(&ring, "", &draft("one", false), 0).unwrap();
    let stored = minicbor::to_vec(&credential.versions[0].sealed).unwrap();
    let mut noticed = 0;
    for place in 0..stored.len() {
        let mut changed = stored.clone();
        changed[place] ^= 1;
        // A change of the frame around the bytes may not even decode.
        if let Ok(sealed) = minicbor::decode(&changed) {
            credential.versions[0].sealed = sealed;
            credential.check(&ring, "").unwrap_err();
            noticed += 1;
        }
    }
    assert!(noticed > 24 + 16, "nonce, secret and tag: {noticed}");
}

#[test]
fn sealing_anew_moves_everything_under_the_newest_key() {
    let ring = KeyRing::generate().unwrap();
    let mut credential = Credential::new("shop", 0);
    credential.overlap_ms = 100;
    credential.add(&ring, "", &draft("one", false), 0).unwrap();
    credential.add(&ring, "", &draft("two", false), 1).unwrap();
    assert!(!credential.reseal(&ring, "", 1).unwrap());
    let grown = ring.grown().unwrap();
    credential.check(&grown, "").unwrap();
    assert!(credential.reseal(&grown, "", 1).unwrap());
    assert!(credential.versions(1).all(|version| version.key() == 2));
    // The old key is not needed any more.
    let only_new: String = grown
        .text()
        .lines()
        .filter(|line| line.starts_with("2:"))
        .collect();
    credential
        .check(&KeyRing::parse(&only_new).unwrap(), "")
        .unwrap();
}

#[test]
fn a_stored_credential_has_no_secret_in_the_clear() {
    let ring = KeyRing::generate().unwrap();
    let mut credential = Credential::new("shop", 0);
    let draft = draft("canary-in-a-coal-mine", false);
    credential.add(&ring, "", &draft, 0).unwrap();
    let stored = minicbor::to_vec(&credential).unwrap();
    let read: Credential = minicbor::decode(&stored).unwrap();
    assert_eq!(read, credential);
    for text in [
        String::from_utf8_lossy(&stored).into_owned(),
        format!("{credential:?} {draft:?}"),
    ] {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn a_secret_that_could_not_be_sent_is_refused_without_repeating_it() {
    let key = Settings::ApiKey {
        place: Place::Header,
        name: "x-key".into(),
    };
    let basic = Settings::Basic { user: "u".into() };
    for (settings, text) in [
        (&Settings::Bearer, ""),
        (&Settings::Bearer, "two words"),
        (&key, "naïve"),
        (&basic, "line\nbreak"),
        (&Settings::Webhook, "whsec_c2hvcnQ="),
        (&basic, &*"x".repeat(9_000)),
    ] {
        let error = check_secret(settings, &Secret::from(text)).unwrap_err();
        assert!(text.is_empty() || !error.to_string().contains(text));
    }
    check_secret(&basic, &Secret::from("pass wörd")).unwrap();
}

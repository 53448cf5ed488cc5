//! What is told of a credential's tokens: each change once, and only of the version that is used.

use super::{Heard, Report, learn};
use std::sync::atomic::{AtomicU32, Ordering};
use trunkline_core::payload::Name;
use trunkline_core::peer::CredentialNews;
use trunkline_vault::{ClientAuth, Credential, Draft, Secret, Settings, Vault};

fn failed(version: u32, reason: &str) -> Option<CredentialNews> {
    let reason = Name::from(reason);
    Some(CredentialNews::RefreshFailed { version, reason })
}

fn recovered(version: u32) -> Option<CredentialNews> {
    Some(CredentialNews::RefreshRecovered { version })
}

struct Told {
    vault: Vault,
    credential: Credential,
}

impl Told {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("trunkline-outage-{}-{number}", std::process::id());
        let file = std::env::temp_dir().join(name);
        let vault = Vault::load_or_create(&file).expect("a ring");
        std::fs::remove_file(&file).expect("it was there");
        let mut told = Self {
            vault,
            credential: Credential::new("shop", 0),
        };
        told.put(false);
        told
    }

    fn put(&mut self, pending: bool) {
        let draft = Draft {
            settings: Settings::ClientCredentials {
                token_url: "http://127.0.0.1:9/".into(),
                client_id: "client".into(),
                scope: None,
                client_auth: ClientAuth::Basic,
            },
            secret: Secret::from("s3cret"),
            pending,
        };
        self.vault
            .add("", &mut self.credential, &draft, 0)
            .expect("a version");
    }

    fn hears(&mut self, version: u32, heard: Heard) -> Option<CredentialNews> {
        let report = Report {
            credential: Name::from("shop"),
            version,
            heard,
        };
        learn(&mut self.credential, &report, 5)
    }

    fn hears_none(&mut self, version: u32, reason: &str) -> Option<CredentialNews> {
        self.hears(version, Heard::NoToken(reason.to_owned()))
    }
}

#[test]
fn an_outage_is_told_once_and_so_is_its_end() {
    let mut told = Told::new();
    assert_eq!(told.hears(1, Heard::Token), None);
    assert_eq!(told.hears(1, Heard::Accepted), None);
    assert_eq!(
        told.hears_none(1, "it answers 500"),
        failed(1, "it answers 500")
    );
    assert_eq!(told.hears_none(1, "it answers 503"), None);
    // A token that was there before is no success of a refresh.
    assert_eq!(told.hears(1, Heard::Accepted), None);
    let outage = told.credential.outage.clone().expect("it goes on");
    assert_eq!((outage.since_ms, &*outage.reason), (5, "it answers 500"));
    assert_eq!(told.hears(1, Heard::Token), recovered(1));
    assert_eq!(told.hears(1, Heard::Token), None);
    assert_eq!(told.credential.outage, None);
}

#[test]
fn tokens_that_are_refused_are_an_outage_until_one_is_accepted() {
    let mut told = Told::new();
    let refused = "a destination refused a renewed access token";
    assert_eq!(told.hears(1, Heard::Refused), failed(1, refused));
    assert_eq!(told.hears(1, Heard::Refused), None);
    assert_eq!(told.hears(1, Heard::Token), None);
    assert_eq!(told.hears_none(1, "it answers 500"), None);
    assert_eq!(told.hears(1, Heard::Token), None);
    assert_eq!(told.hears(1, Heard::Accepted), recovered(1));
}

#[test]
fn another_version_that_fails_as_well_is_told_and_one_that_is_not_used_is_not() {
    let mut told = Told::new();
    assert_eq!(told.hears_none(1, "no"), failed(1, "no"));
    told.put(true);
    assert_eq!(told.hears_none(2, "no"), None);
    assert_eq!(told.hears(2, Heard::Token), None);
    assert!(told.credential.promote(0));
    assert_eq!(told.hears_none(2, "nor this"), failed(2, "nor this"));
    assert_eq!(told.hears(1, Heard::Token), None, "it is the previous one");
    assert_eq!(told.hears(2, Heard::Token), recovered(2));
}

#[test]
fn a_long_reason_is_cut() {
    let mut told = Told::new();
    let Some(CredentialNews::RefreshFailed { reason, .. }) = told.hears_none(1, &"ü".repeat(1_000))
    else {
        panic!("it is told");
    };
    assert_eq!(reason.as_str(), "ü".repeat(512));
}

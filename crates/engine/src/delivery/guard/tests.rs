//! Which addresses are public, and what allows the others.

use super::{Forbidden, Guard, Network};
use std::net::IpAddr;

fn guard(words: &[&str]) -> Guard {
    Guard::new(
        words
            .iter()
            .flat_map(|word| Network::named(word).unwrap())
            .collect(),
    )
}

fn lets(guard: &Guard, address: &str) -> bool {
    guard.check(address.parse().unwrap()).is_ok()
}

#[test]
fn public_addresses_are_free_and_all_others_are_not() {
    let guard = guard(&[]);
    for public in [
        "1.1.1.1",
        "93.184.216.34",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
    ] {
        assert!(lets(&guard, public), "{public}");
    }
    for special in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.168.1.1",
        "198.19.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2001::1",
        "2002:a00:1::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!lets(&guard, special), "{special}");
    }
}

#[test]
fn what_is_allowed_is_no_more_than_what_was_named() {
    let loopback = guard(&["loopback"]);
    assert!(lets(&loopback, "127.0.0.1") && lets(&loopback, "::1"));
    assert!(lets(&loopback, "::ffff:127.0.0.1"));
    assert!(!lets(&loopback, "10.0.0.1"));
    let private = guard(&["private"]);
    for address in ["10.0.0.1", "172.20.0.1", "192.168.0.1", "fd00::1"] {
        assert!(lets(&private, address), "{address}");
    }
    assert!(!lets(&private, "127.0.0.1") && !lets(&private, "169.254.169.254"));
    let some = guard(&["10.1.0.0/16", "192.168.7.7", "fd00:7::/32"]);
    assert!(lets(&some, "10.1.255.1") && lets(&some, "192.168.7.7") && lets(&some, "fd00:7:1::1"));
    assert!(!lets(&some, "10.2.0.1") && !lets(&some, "192.168.7.8") && !lets(&some, "fd00:8::1"));
    assert!(lets(&guard(&["0.0.0.0/0"]), "169.254.1.1"));
}

#[test]
fn what_is_no_network_is_refused_with_an_example() {
    for wrong in [
        "",
        "localhost",
        "10.0.0.0/33",
        "10.0.0/8",
        "::/129",
        "10.0.0.1/x",
    ] {
        let error = Network::named(wrong).unwrap_err();
        assert!(error.contains("10.1.0.0/16"), "{error}");
    }
}

#[test]
fn a_refusal_names_the_address_and_its_code() {
    let address: IpAddr = "10.0.0.1".parse().unwrap();
    let text = Forbidden(address).to_string();
    assert!(
        text.starts_with("TL0120: 10.0.0.1 is not a public address"),
        "{text}"
    );
}

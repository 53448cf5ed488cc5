//! What scopes give, how they are kept, and that routes ask for the right ones.

use super::{Needs, Scope, Scopes};
use crate::route::ROUTES;

#[test]
fn a_scope_gives_itself_and_only_admin_gives_more() {
    for &held in Scope::ALL {
        let scopes: Scopes = [held].into_iter().collect();
        assert_eq!(Scopes::from_bits(scopes.bits()), scopes);
        assert_eq!(Scope::named(held.as_str()), Some(held));
        for &wanted in Scope::ALL {
            let expected = wanted == held || (held, wanted) == (Scope::Admin, Scope::AdminRead);
            assert_eq!(scopes.has(wanted), expected, "{held} for {wanted}");
        }
    }
    assert!(!Scopes::default().has(Scope::Read));
    assert_eq!(Scopes::from_bits(u32::MAX), Scopes::all());
}

/// The bits are in rows on disk.
#[test]
fn the_bits_of_scopes_stay_as_they_are() {
    let bits: Vec<(&str, u32)> = Scope::ALL
        .iter()
        .map(|scope| (scope.as_str(), scope.bit()))
        .collect();
    assert_eq!(
        bits,
        [
            ("read", 1),
            ("run", 2),
            ("operate", 4),
            ("egress", 8),
            ("egress:admin", 16),
            ("work", 32),
            ("admin:read", 64),
            ("admin", 128),
        ]
    );
}

#[test]
fn nothing_but_health_is_open_and_what_changes_something_is_not_for_readers() {
    for route in ROUTES {
        let name = route.operation.name();
        let is_health = matches!(name, "healthz" | "readyz");
        assert_eq!(route.needs == Needs::Nothing, is_health, "{name}");
        let changes = route.method.as_str() != "GET" && name != "ask_query_with";
        if changes {
            let scope = route.needs.scope();
            assert!(
                !matches!(scope, None | Some(Scope::Read | Scope::AdminRead)),
                "{name} needs {scope:?}"
            );
        }
    }
}

//! Which names tenants may have.

use super::check_name;

#[test]
fn a_name_of_a_tenant_is_the_name_of_a_folder_and_leads_nowhere_else() {
    for name in ["a", "shop-1", "0", &"x".repeat(40)] {
        check_name(name).unwrap();
    }
    for name in [
        "",
        "default",
        "..",
        ".",
        "a/b",
        "../a",
        "-a",
        "a-",
        "A",
        "a b",
        "ä",
        "a\0",
        &"x".repeat(41),
    ] {
        assert!(check_name(name).is_err(), "{name:?}");
    }
}

//! What expressions mean: numbers, text, time, missing fields, and what is wrong where.

use crate::evaluate;
use serde_json::{Value as Json, json};
use trunkline_expr::FaultKind;

fn check(source: &str, wanted: &Json) {
    let v = json!({
        "whole": 3, "half": 0.5, "large": 18_446_744_073_709_551_615_u64, "price": "19.90", "name": "Österreich", "none": null,
        "lines": [{"sku": "A", "qty": 2}, {"sku": "B", "qty": 5}], "tags": {"a": 1},
    });
    assert_eq!(evaluate(source, &v).as_ref(), Ok(wanted), "{source}");
}

#[test]
fn numbers_mix() {
    check("v.whole * 1.5", &json!(4.5));
    check("v.whole + 1", &json!(4));
    check("1 < 1.1 && 1.1 > 1", &json!(true));
    check("v.whole == 3.0", &json!(true));
    check("7 / 2", &json!(3));
    check("7.0 / 2", &json!(3.5));
    check("-v.half", &json!(-0.5));
    check("v.large > 1", &json!(true));
}

#[test]
fn decimals_are_exact() {
    check(
        "decimal(\"0.1\") + decimal(\"0.2\") == decimal(\"0.3\")",
        &json!(true),
    );
    check("decimal(v.price) * v.whole", &json!("59.70"));
    check("decimal(v.price) > 19", &json!(true));
    check("round(decimal(\"2.345\"), 2)", &json!("2.34"));
    check("v.price.decimal() <= decimal(\"19.9\")", &json!(true));
}

#[test]
fn a_decimal_and_a_double_do_not_mix() {
    let fault = evaluate("decimal(\"1.0\") + 0.5", &Json::Null).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Type);
    let fault = evaluate("decimal(v)", &json!(0.1)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Value);
    assert!(fault.message.contains("lost its exact value"), "{fault}");
}

#[test]
fn lists_and_maps_have_the_macros_of_the_language() {
    check("v.lines.map(line, line.qty * 2)", &json!([4, 10]));
    check(
        "v.lines.filter(line, line.qty > 2).map(line, line.sku)",
        &json!(["B"]),
    );
    check(
        "v.lines.exists(line, line.sku == \"A\") && !v.lines.all(line, line.qty > 2)",
        &json!(true),
    );
    check(
        "size(v.lines) == 2 && \"a\" in v.tags && \"A\" in [\"A\"]",
        &json!(true),
    );
    check(
        "{\"n\": v.name, \"first\": v.lines[0].sku}",
        &json!({"n": "Österreich", "first": "A"}),
    );
}

#[test]
fn text_functions_can_be_written_both_ways() {
    check("lower(\"ABC\") == \"ABC\".lower()", &json!(true));
    check("\" x \".trim() + upper(\"y\")", &json!("xY"));
    check(
        "\"a,b\".split(\",\").join(\"-\").replace(\"-\", \"+\")",
        &json!("a+b"),
    );
    check(
        "v.name.startsWith(\"Ö\") && v.name.matches(\"^Ö.*ch$\") && size(v.name) == 10",
        &json!(true),
    );
}

#[test]
fn what_is_missing_can_be_asked_for() {
    check("has(v.name) && !has(v.nothing)", &json!(true));
    check("get(v, \"nothing\", 7) + get(v, \"none\", 1)", &json!(8));
    check("v.path(\"$.lines[1].sku\")", &json!("B"));
    check("v.path(\"$.lines[9].sku\")", &json!(null));
    check(
        "v.present(\"$.none\") || v.present(\"$['tags'].b\")",
        &json!(false),
    );
}

#[test]
fn time_is_what_the_caller_says() {
    check("now == timestamp(\"2026-11-21T12:00:00Z\")", &json!(true));
    check("(now + duration(\"90m\")).getHours()", &json!(13));
    check("now - duration(\"12h\")", &json!("2026-11-21T00:00:00Z"));
}

#[test]
fn a_fault_names_its_kind_and_place() {
    for (source, kind, place, message) in [
        ("1 +", FaultKind::Syntax, Some((1, 4)), "mismatched"),
        (
            "v.a &&\n  w.b",
            FaultKind::UnknownName,
            Some((2, 3)),
            "there is no variable `w`",
        ),
        (
            "fetch(v)",
            FaultKind::UnknownName,
            Some((1, 6)),
            "there is no function `fetch`",
        ),
        (
            "true && v.a.nothing == 1",
            FaultKind::Missing,
            Some((1, 12)),
            "nothing",
        ),
        ("1 + (v.a.b + true)", FaultKind::Type, Some((1, 12)), "+"),
        (
            "2 * (10 / 0)",
            FaultKind::Value,
            Some((1, 9)),
            "division by zero",
        ),
        ("[1][3]", FaultKind::Missing, None, ""),
        ("decimal(\"x\")", FaultKind::Value, None, "no decimal"),
    ] {
        let fault = evaluate(source, &json!({"a": {"b": 1}})).expect_err(source);
        assert_eq!(fault.kind, kind, "{source}: {fault}");
        assert!(
            fault.message.to_lowercase().contains(message),
            "{source}: {fault}"
        );
        if let Some(place) = place {
            let found = fault.place.map(|place| (place.line, place.column));
            assert_eq!(found, Some(place), "{source}: {fault}");
        }
    }
}

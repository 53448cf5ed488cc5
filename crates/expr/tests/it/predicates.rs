//! Predicate trees mean what their operators say, whatever is missing.

use serde_json::{Value as Json, json};
use trunkline_expr::{FaultKind, Inputs, Limits, Predicate, Program};

fn holds(tree: &Json) -> bool {
    let order = json!({"total": 120.5, "country": "DE", "none": null, "tags": ["a", "b"], "a.b": {"c'd": 1}, "limit": 100});
    let predicate: Predicate = serde_json::from_value(tree.clone()).expect("a predicate");
    let program = Program::of_predicate(&predicate, &["order"], Limits::default())
        .unwrap_or_else(|fault| panic!("{tree}: {fault}"));
    let inputs = Inputs::at(0).with("order", &order);
    program
        .holds(&inputs)
        .unwrap_or_else(|fault| panic!("{}: {fault}", program.source()))
}

fn leaf(operator: &str, path: &str, value: impl Into<Json>) -> Json {
    json!({"operator": operator, "path": path, "value": value.into()})
}

#[test]
fn every_operator_holds_and_fails() {
    for (operator, path, holding, failing) in [
        ("eq", "$.order.country", json!("DE"), json!("AT")),
        ("ne", "$.order.country", json!("AT"), json!("DE")),
        ("gt", "$.order.total", json!(120), json!(120.5)),
        ("gte", "$.order.total", json!(120.5), json!(121)),
        ("lt", "$.order.total", json!(121), json!(120.5)),
        ("lte", "$.order.total", json!(120.5), json!(120)),
        ("contains", "$.order.tags", json!("a"), json!("z")),
        ("contains", "$.order.country", json!("E"), json!("e")),
        ("startsWith", "$.order.country", json!("D"), json!("E")),
        ("endsWith", "$.order.country", json!("E"), json!("D")),
        ("in", "$.order.country", json!(["AT", "DE"]), json!(["AT"])),
        ("nin", "$.order.country", json!(["AT"]), json!(["AT", "DE"])),
        (
            "exists",
            "$.order['a.b'][\"c'd\"]",
            json!(true),
            json!(false),
        ),
    ] {
        assert!(holds(&leaf(operator, path, holding)), "{operator}");
        assert!(!holds(&leaf(operator, path, failing)), "{operator}");
    }
}

#[test]
fn what_is_missing_is_not_an_error() {
    for operator in ["eq", "gt", "gte", "lt", "lte"] {
        assert!(
            !holds(&leaf(operator, "$.order.nothing.at.all", json!(1))),
            "{operator}"
        );
    }
    assert!(!holds(&leaf("contains", "$.order.none", json!("x"))));
    assert!(!holds(&leaf("in", "$.order.nothing", json!([1]))));
    assert!(holds(&leaf("ne", "$.order.nothing", json!(1))));
    assert!(holds(&leaf("nin", "$.order.nothing", json!([1]))));
    assert!(holds(&leaf("eq", "$.order.nothing", json!(null))));
    assert!(!holds(
        &json!({"operator": "exists", "path": "$.order.none"})
    ));
}

#[test]
fn operands_can_be_paths_and_raw_values() {
    assert!(holds(&leaf(
        "gt",
        "$.order.total",
        json!({"Path": "$.order.limit"})
    )));
    assert!(holds(&leaf("eq", "$.order.none", json!({"Raw": null}))));
    assert!(!holds(&leaf(
        "eq",
        "$.order.country",
        json!({"Raw": {"Path": "$.order.country"}})
    )));
}

#[test]
fn groups_nest() {
    let tree = json!({"operator": "and", "subPredicates": [
        leaf("eq", "$.order.country", json!("DE")),
        {"operator": "or", "subPredicates": [leaf("lt", "$.order.total", json!(1)), leaf("gt", "$.order.total", json!(1))]},
    ]});
    assert!(holds(&tree));
}

#[test]
fn text_cannot_leave_its_quotes() {
    let hostile = "\" || true || \"";
    assert!(!holds(&leaf("eq", "$.order.country", json!(hostile))));
    assert!(!holds(&leaf(
        "eq",
        "$.order.country",
        json!("\\\" || true //\n\u{7}")
    )));
    let path = "$.order['x\") || true || path(order, \"$']";
    assert!(!holds(&leaf("eq", path, json!(1))));
}

#[test]
fn a_tree_that_is_none_is_refused() {
    for (tree, kind) in [
        (
            json!({"operator": "and", "subPredicates": []}),
            FaultKind::Syntax,
        ),
        (leaf("eq", "order.total", json!(1)), FaultKind::Syntax),
        (leaf("eq", "$.order[*]", json!(1)), FaultKind::Syntax),
        (leaf("eq", "$", json!(1)), FaultKind::Syntax),
        (leaf("eq", "$.shop.total", json!(1)), FaultKind::UnknownName),
        (
            json!({"operator": "gt", "path": "$.order.total"}),
            FaultKind::Syntax,
        ),
    ] {
        let predicate: Predicate =
            serde_json::from_value(tree.clone()).expect("the shape is right");
        let fault =
            Program::of_predicate(&predicate, &["order"], Limits::default()).expect_err("refused");
        assert_eq!(fault.kind, kind, "{tree}: {fault}");
    }
    let unknown = json!({"operator": "like", "path": "$.order.total", "value": 1});
    assert!(serde_json::from_value::<Predicate>(unknown).is_err());
    let mut deep = leaf("eq", "$.order.total", json!(1));
    for _ in 0..100 {
        deep = json!({"operator": "and", "subPredicates": [deep]});
    }
    let predicate: Predicate = serde_json::from_value(deep).expect("the shape is right");
    let fault =
        Program::of_predicate(&predicate, &["order"], Limits::default()).expect_err("refused");
    assert_eq!(fault.kind, FaultKind::Limit);
}

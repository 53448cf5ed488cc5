//! Nothing that a stranger writes panics or runs away. Sources are made by hand, and by mutation from a seed.

use crate::evaluate;
use serde_json::{Value as Json, json};
use trunkline_expr::{FaultKind, Inputs, Limits, Program};

fn refused(source: &str, v: &Json) -> FaultKind {
    match evaluate(source, v) {
        Ok(value) => panic!(
            "{} gave {}",
            &source[..source.len().min(80)],
            &value.to_string()[..20]
        ),
        Err(fault) => fault.kind,
    }
}

#[test]
fn sources_beyond_the_limits_are_refused() {
    for source in [
        "1+".repeat(3_000) + "1",
        "(".repeat(2_000),
        "(".repeat(2_000) + "1" + &")".repeat(2_000),
        "[".repeat(1_000) + &"]".repeat(1_000),
        "v".to_owned() + &".a".repeat(1_500),
        "v".to_owned() + &"[0]".repeat(1_000),
        "true".to_owned() + &" ? true : true".repeat(200),
        "1".to_owned() + &" + 1".repeat(600),
        format!("[{}]", "1,".repeat(1_500) + "1"),
    ] {
        let kind = refused(&source, &Json::Null);
        assert!(
            matches!(kind, FaultKind::Limit | FaultKind::Syntax),
            "{kind:?}: {}",
            &source[..40]
        );
    }
}

#[test]
fn long_chains_of_logic_and_signs_are_fine() {
    assert_eq!(
        evaluate(&("-".repeat(4_000) + "1"), &Json::Null),
        Ok(json!(1))
    );
    assert_eq!(
        evaluate(&("!".repeat(4_000) + "true"), &Json::Null),
        Ok(json!(true))
    );
    let source = "v.a".to_owned() + &" || v.a".repeat(100);
    assert_eq!(evaluate(&source, &json!({"a": false})), Ok(json!(false)));
}

#[test]
fn loops_are_bounded_in_depth_and_rounds() {
    let three = "[1].map(a, [1].map(b, [1].map(c, a + b + c)))";
    assert_eq!(refused(three, &Json::Null), FaultKind::Limit);
    let many: Vec<u32> = (0..2_000).collect();
    assert_eq!(
        refused("v.all(a, v.all(b, a + b >= 0))", &json!(many)),
        FaultKind::Limit
    );
    // A side that decides does not hide that the meter is empty.
    assert_eq!(
        refused("v.all(a, v.all(b, a + b >= 0)) || true", &json!(many)),
        FaultKind::Limit
    );
    let long: Vec<u32> = (0..50_000).collect();
    let sum = evaluate("size(v.map(a, a + 1))", &json!(long)).expect("a long list is fine");
    assert_eq!(sum, json!(50_000));
}

#[test]
fn results_that_grow_are_bounded() {
    let text = "x".repeat(100_000);
    assert_eq!(
        refused("[1,2,3,4,5,6,7,8,9,10,11,12].map(a, v)", &json!(text)),
        FaultKind::Limit
    );
    let doubling = "[1,2,3,4,5,6,7,8,9,10].map(a, v + v + v + v + v + v + v + v + v + v)";
    assert_eq!(refused(doubling, &json!(text)), FaultKind::Limit);
    assert_eq!(
        refused("v.replace(\"x\", v)", &json!(text)),
        FaultKind::Limit
    );
    assert_eq!(
        refused("v.split(\"\").map(c, v).join(v)", &json!(&text[..20_000])),
        FaultKind::Limit
    );
}

#[test]
fn patterns_are_bounded() {
    for pattern in [
        "(a{1000}){1000}",
        "(",
        &"a".repeat(600),
        "(?i)\\w{1000}{100}",
    ] {
        let fault = evaluate("\"aaaa\".matches(v)", &json!(pattern)).expect_err(pattern);
        assert_eq!(fault.kind, FaultKind::Value, "{pattern}: {fault}");
    }
    // A pattern that makes backtracking engines run for ever.
    let text = "a".repeat(10_000) + "b";
    assert_eq!(
        evaluate("v.matches(\"^(a+)+$\")", &json!(text)),
        Ok(json!(false))
    );
}

#[test]
fn names_that_the_rewriting_uses_cannot_be_written() {
    for source in ["@add(1, 2)", "`@add`(1, 2)", "v.@round(1)", "@result"] {
        let kind = refused(source, &Json::Null);
        assert!(
            matches!(kind, FaultKind::Syntax | FaultKind::UnknownName),
            "{source}: {kind:?}"
        );
    }
}

/// Pieces that mutated sources are made of.
const PIECES: [&str; 48] = [
    "v",
    ".a",
    ".b",
    "[0]",
    "[\"a\"]",
    "1",
    "-1",
    "0",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "1e308",
    "0u",
    "true",
    "null",
    "\"x\"",
    "b\"x\"",
    "'",
    "\"",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    " + ",
    " - ",
    " * ",
    " / ",
    " % ",
    " == ",
    " < ",
    " && ",
    " || ",
    " ? ",
    "!",
    "-",
    " in ",
    ".map(x, x)",
    ".all(x, x > 0)",
    "size(",
    "decimal(",
    "timestamp(",
    "duration(",
    "string(",
    "now",
];

#[test]
fn random_sources_never_panic() {
    let seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |since| since.as_nanos() as u64)
        | 1;
    println!("seed {seed}");
    let mut random = seed;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let v = json!({"a": [1, 2.5, "x", null, {"b": true}], "b": "19.90"});
    let (mut compiled, mut evaluated) = (0, 0);
    for _ in 0..20_000 {
        let source: String = (0..=next(10)).map(|_| PIECES[next(PIECES.len())]).collect();
        let Ok(program) = Program::compile(&source, &["v", "x"], Limits::default()) else {
            continue;
        };
        compiled += 1;
        let first = program.evaluate(&Inputs::at(0).with("v", &v));
        evaluated += usize::from(first.is_ok());
        let second = program.evaluate(&Inputs::at(0).with("v", &v));
        assert_eq!(first, second, "seed {seed}: {source}");
    }
    assert!(
        compiled > 200 && evaluated > 100,
        "seed {seed}: {compiled} compiled, {evaluated} evaluated"
    );
}

//! Lanes that follow from jobs, and what gives none.

use super::*;
use trunkline_core::payload::Payload;

fn lane(expression: &str) -> Result<String, String> {
    let job = NewJob {
        destination: Name::from("shop"),
        object_type: Name::from("price"),
        object_ids: vec![Name::from("SKU-7"), Name::from("SKU-8")],
        body: Payload::from(&br#"{"tenant": 12, "share": 0.5, "tags": ["a"]}"#[..]),
        ..NewJob::default()
    };
    let lane = Lanes::default().lane(&Name::from(expression), &job, Timestamp(1_000));
    lane.map(|lane| lane.to_string())
        .map_err(|why| why.to_string())
}

#[test]
fn a_lane_is_what_the_expression_says_of_the_job() {
    for (expression, wanted) in [
        ("job.object_ids[0]", "SKU-7"),
        ("job.object_type + '/' + job.object_ids[0]", "price/SKU-7"),
        ("job.body.tenant", "12"),
        ("job.action == 'delete' ? 'gone' : 'there'", "there"),
    ] {
        assert_eq!(lane(expression), Ok(wanted.to_owned()), "{expression}");
    }
}

#[test]
fn what_gives_no_lane_says_why() {
    for (expression, wanted) in [
        ("job.body.nothing", "nothing"),
        ("job.body.share", "a number with a fraction"),
        ("job.body.tags", "a list"),
        ("job.batch", "null"),
        ("''", "is empty"),
        ("job.body.tags.map(x, x + x)", "a list"),
    ] {
        let why = lane(expression).unwrap_err();
        assert!(why.contains(wanted), "{expression}: {why}");
    }
}

#[test]
fn an_expression_that_costs_too_much_ends() {
    let long = "[1,2,3,4,5,6,7,8,9,10].map(x, [1,2,3,4,5,6,7,8,9,10].map(y, x * y))";
    let nested = format!("size({long} + {long} + {long})");
    assert!(lane(&nested).is_ok());
    let endless = "'x'.split('').map(x, job.object_ids.map(y, x + y))";
    assert!(lane(endless).is_err());
}

#[test]
fn what_is_no_expression_says_where() {
    let fault = compile("job.object_ids[").unwrap_err();
    assert!(fault.place.is_some(), "{fault}");
    let fault = compile("jobs.lane").unwrap_err();
    assert!(fault.place.is_some(), "{fault}");
}

//! Commands about many runs: which are meant, and how many there are.

use crate::args::{FilterArgs, RunCountArgs};
use crate::client::{Client, encoded};
use crate::failure::Failure;
use crate::numbers::grouped;
use std::io::Write;
use trunkline_api::core::code::Code;
use trunkline_api::filter::RunCount;

/// The parameters of a query for those runs: `&`-separated, empty if all are meant.
pub(crate) fn parameters(filter: &FilterArgs) -> Result<Vec<String>, Failure> {
    let single = [
        ("workflow", &filter.workflow),
        ("status", &filter.status),
        ("id", &filter.id),
        ("id_prefix", &filter.id_prefix),
        ("started_after", &filter.started_after),
        ("started_before", &filter.started_before),
        ("finished_after", &filter.finished_after),
        ("finished_before", &filter.finished_before),
    ];
    let mut parameters: Vec<String> = single
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_deref()?))))
        .collect();
    for tag in &filter.tags {
        parameters.push(format!("tag={}", encoded(tag)));
    }
    for property in &filter.properties {
        let (name, value) = parted(property)?;
        parameters.push(format!("property.{}={}", encoded(name), encoded(value)));
    }
    Ok(parameters)
}

/// The two sides of `NAME=VALUE`.
pub(crate) fn parted(property: &str) -> Result<(&str, &str), Failure> {
    property.split_once('=').ok_or_else(|| {
        let detail = format!("--property {property}: it has the form NAME=VALUE");
        Failure::new(Code::WrongType, detail)
    })
}

/// `run count`
pub(crate) fn count(
    args: &RunCountArgs,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let query = parameters(&args.filter)?.join("&");
    let answer = client.get(&format!("/v1/runs/count?{query}"))?;
    if args.json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let counted: RunCount = answer.read()?;
    writeln!(out, "{}", grouped(counted.count))?;
    Ok(())
}

//! Commands about many runs: which are meant, and how many there are.

use crate::args::{ActionArgs, FilterArgs, RunCountArgs, TaggedArgs};
use crate::client::{Client, encoded};
use crate::failure::Failure;
use crate::numbers::grouped;
use crate::run::json_of;
use std::io::Write;
use trunkline_api::core::code::Code;
use trunkline_api::filter::{FilterBody, RunCount, RunQuery};
use trunkline_api::many::{ActedOn, ActionBody};

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

/// The same runs, as the filter of a bulk operation.
pub(crate) fn filter(args: &FilterArgs) -> Result<FilterBody, Failure> {
    let mut pairs = Vec::new();
    for parameter in parameters(args)? {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        pairs.push((decoded(name), decoded(value)));
    }
    let query =
        RunQuery::parse(pairs).map_err(|problem| Failure::new(problem.code, problem.detail))?;
    Ok(query.of)
}

/// What [`encoded`] made of a text, undone.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, more)) = rest.split_first() {
        rest = more;
        let hex = |at: usize| char::from(*more.get(at)?).to_digit(16);
        match (*byte, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &more[2..];
            }
            (byte, ..) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What to do, as the request says it.
pub(crate) fn action(args: &ActionArgs) -> Result<ActionBody, Failure> {
    Ok(ActionBody {
        action: args.action.clone(),
        reason: args.reason.clone(),
        channel: args.channel.clone(),
        value: args
            .value
            .as_deref()
            .map(|value| json_of("--value", value))
            .transpose()?,
    })
}

/// `run tagged`
pub(crate) fn act_on_tagged(
    args: &TaggedArgs,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let (workflow, tag) = (encoded(&args.workflow), encoded(&args.tag));
    let path = format!("/v1/workflows/{workflow}/tags/{tag}");
    let acted: ActedOn = client.post(&path, &action(&args.action)?)?.read()?;
    let action = &args.action.action;
    match acted.count {
        1 => writeln!(out, "{action}: 1 run")?,
        count => writeln!(out, "{action}: {} runs", grouped(count))?,
    }
    Ok(())
}

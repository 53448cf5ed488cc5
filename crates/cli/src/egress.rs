//! `trunkline egress …`: destinations and their jobs.

mod belts;
mod jobs;
mod lanes;
mod limiters;

use crate::args::{
    ContractArgs, DestinationArgs, DestinationCommand, EgressCommand, JobArg, JobCommand,
    JobsCommand, PageArgs,
};
use crate::client::{Client, encoded, query};
use crate::connector::manifest_of;
use crate::failure::Failure;
use crate::numbers::{date, grouped, shortened, span};
use crate::table::Table;
use std::io::{self, Write};
use trunkline_api::connector::Manifest;
use trunkline_api::core::code::Code;
use trunkline_api::egress::{
    ConnectorBody, DestinationBody, DestinationList, HeadOfLineBody, JobBody, JobPage,
    PutDestination, RateBody, ResolveBody, RetryBody, RuleBody, Switch, VerdictBody,
};

/// The state of a dead letter.
pub(crate) const DEAD: &str = "dead";

/// Does what the command says.
pub(crate) fn carry_out(
    command: EgressCommand,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        EgressCommand::Destination(DestinationCommand::Put(args)) => put(*args, client, out),
        EgressCommand::Destination(DestinationCommand::List { json }) => list(json, client, out),
        EgressCommand::Destination(DestinationCommand::Show { name, json }) => {
            let answer = client.get(&destination_path(&name))?;
            if json {
                writeln!(out, "{}", answer.text())?;
            } else {
                describe(&answer.read()?, out)?;
            }
            Ok(())
        }
        EgressCommand::Destination(DestinationCommand::Enable(args)) => {
            jobs::enable(&args, client, out)
        }
        EgressCommand::Jobs(args) => match args.command {
            Some(JobsCommand::Cancel(args)) => jobs::many("cancel", args, client, out),
            Some(JobsCommand::Replay(args)) => jobs::many("replay", args, client, out),
            None => list_jobs(
                args.destination.as_deref().unwrap_or_default(),
                args.state.as_deref(),
                args.lane.as_deref(),
                &args.page,
                client,
                out,
            ),
        },
        EgressCommand::Lanes {
            destination,
            after,
            limit,
            json,
        } => lanes::lanes(&destination, (after.as_deref(), limit), json, client, out),
        EgressCommand::Object {
            object_type,
            object_id,
            destination,
            page,
        } => {
            let object = (object_type.as_str(), object_id.as_str());
            lanes::object(object, destination.as_deref(), &page, client, out)
        }
        EgressCommand::Limiter(command) => limiters::carry_out(command, client, out),
        EgressCommand::Release(what) => belts::release(what, client, out),
        EgressCommand::Breaker { destination, to } => {
            client.post_nothing(&format!("{}/breaker/{to}", destination_path(&destination)))?;
            let state = if to == "open" { "open" } else { "closed" };
            writeln!(out, "the breaker of {destination} is {state}")?;
            Ok(())
        }
        EgressCommand::Job {
            command: Some(JobCommand::Replay { job, payload }),
            ..
        } => jobs::replay(&job, payload.as_deref(), client, out),
        EgressCommand::Job {
            command: None,
            job,
            json,
        } => {
            let job = job.unwrap_or_default();
            let answer = client.get(&job_path(&job))?;
            if json {
                writeln!(out, "{}", answer.text())?;
            } else {
                describe_job(&answer.read()?, out)?;
            }
            Ok(())
        }
    }
}

pub(crate) use limiters::{limiter_use, quota};

/// The address of a destination.
pub(crate) fn destination_path(name: &str) -> String {
    format!("/v1/egress/destinations/{}", encoded(name))
}

/// The address of a job.
pub(crate) fn job_path(job: &JobArg) -> String {
    format!(
        "{}/jobs/{}",
        destination_path(&job.destination),
        encoded(&job.id)
    )
}

/// Reads a rule from the command line: `retry 5000: status == 409`.
pub(crate) fn rule(text: &str) -> Result<RuleBody, String> {
    let (then, when) = text
        .split_once(':')
        .ok_or("a rule has the form THEN: WHEN")?;
    let mut words = then.split_whitespace();
    let (verdict, after_ms) = (words.next(), words.next());
    let verdict = match verdict {
        Some("succeed") => VerdictBody::Succeed,
        Some("retry") => VerdictBody::Retry,
        Some("fail") => VerdictBody::Fail,
        Some("pause") => VerdictBody::Pause,
        Some("refresh") => VerdictBody::RefreshCredential,
        _ => return Err("a rule begins with succeed, retry, fail, pause or refresh".into()),
    };
    let after_ms = match after_ms {
        Some(ms) if verdict == VerdictBody::Retry => {
            let ms: u64 = ms
                .parse()
                .map_err(|_| "`retry` is followed by milliseconds")?;
            Some(ms)
        }
        None => None,
        Some(_) => return Err("only `retry` is followed by a number".into()),
    };
    Ok(RuleBody {
        when: when.trim().to_owned(),
        then: verdict,
        after_ms,
    })
}

/// What follows from a rule, in the words of the command line.
fn then(rule: &RuleBody) -> String {
    match (rule.then, rule.after_ms) {
        (VerdictBody::Succeed, _) => "succeed".into(),
        (VerdictBody::Retry, None) => "retry".into(),
        (VerdictBody::Retry, Some(ms)) => format!("retry after {}", span(ms)),
        (VerdictBody::Fail, _) => "fail".into(),
        (VerdictBody::Pause, _) => "pause".into(),
        (VerdictBody::RefreshCredential, _) => "refresh the credential".into(),
    }
}

/// What the command line and the connector's manifest say of calls to it: the command line has the last word.
fn connector(
    args: &ContractArgs,
    url: &str,
) -> Result<(Option<ConnectorBody>, Option<Manifest>), Failure> {
    if !args.connector {
        return Ok((None, None));
    }
    let manifest = manifest_of(url)?;
    let raw = args.settings.as_ref().map(serde_json::value::to_raw_value);
    let settings = raw.transpose().map_err(|error| {
        Failure::new(
            Code::Internal,
            format!("the settings cannot be written: {error}"),
        )
    })?;
    let connector = ConnectorBody {
        batch_max: Some(args.batch.unwrap_or(manifest.batch_max)),
        body_bytes_max: Some(manifest.body_bytes_max),
        settings,
    };
    Ok((Some(connector), Some(manifest)))
}

fn put(args: DestinationArgs, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let (connector, manifest) = connector(&args.contract, &args.url)?;
    let resolve = args.contract.resolve.map(|url| ResolveBody {
        url,
        ttl_ms: args.contract.resolve_ttl_ms,
    });
    let wanted = manifest.as_ref().and_then(|manifest| manifest.rate);
    let request = PutDestination {
        url: args.url,
        rate: args
            .rate
            .map(|per_second| RateBody {
                per_second,
                burst: args.burst,
            })
            .or(wanted),
        concurrency: args.concurrency,
        timeout_ms: args
            .timeout_ms
            .or(manifest.map(|manifest| manifest.timeout_ms)),
        retry: Some(RetryBody {
            attempts: args.attempts,
            initial_ms: args.retry_initial_ms,
            max_ms: args.retry_max_ms,
            elapsed_ms: args.retry_elapsed_ms,
            ..RetryBody::default()
        }),
        head_of_line: match (args.skip, args.park) {
            (true, _) => Some(HeadOfLineBody::Skip),
            (_, true) => Some(HeadOfLineBody::Park),
            (false, false) => None,
        },
        breaker: args.breaker.then_some(Switch::Is(true)),
        coalesce: args.coalesce.then_some(Switch::Is(true)),
        lane_by: args.lane_by,
        quotas: args.quotas,
        limiters: args.limiters,
        paused: args.paused,
        rules: args.rules,
        credential: args.credential,
        connector,
        resolve,
    };
    let answer = client.put(&destination_path(&args.name), &request)?;
    describe(&answer.read()?, out)?;
    Ok(())
}

fn list(json: bool, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let answer = client.get("/v1/egress/destinations")?;
    if json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let list: DestinationList = answer.read()?;
    let mut table = Table::new([
        "DESTINATION",
        "URL",
        "PENDING",
        "IN FLIGHT",
        "SUCCEEDED",
        "DEAD",
        "BLOCKED ON",
    ]);
    for one in &list.destinations {
        table.row([
            one.name.clone(),
            one.url.clone(),
            grouped(one.pending),
            grouped(one.in_flight),
            grouped(one.succeeded),
            grouped(one.dead),
            one.blocked_on.clone().unwrap_or_default(),
        ]);
    }
    table.write("no destinations", out)?;
    Ok(())
}

fn describe(destination: &DestinationBody, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}", destination.name, destination.url)?;
    let rate = match destination.rate {
        Some(rate) => format!("{} a second, burst {}", rate.per_second, rate.burst),
        None => "not limited".to_owned(),
    };
    writeln!(out, "  rate         {rate}")?;
    writeln!(
        out,
        "  calls        {} at once, {} at most each",
        destination.concurrency,
        span(destination.timeout_ms)
    )?;
    limiters::of_destination(destination, out)?;
    let retry = &destination.retry;
    let attempts = match retry.attempts {
        None | Some(0) => "attempts without end".to_owned(),
        Some(1) => "1 attempt".to_owned(),
        Some(attempts) => format!("{attempts} attempts"),
    };
    writeln!(
        out,
        "  retry        {attempts}, after {} up to {}",
        span(retry.initial_ms.unwrap_or_default()),
        span(retry.max_ms.unwrap_or_default())
    )?;
    let head = match destination.head_of_line {
        HeadOfLineBody::Block => "holds its lane",
        HeadOfLineBody::Skip => "is a dead letter at once",
        HeadOfLineBody::Park => "holds its lane, and stops it in the end",
    };
    writeln!(out, "  a failed job {head}")?;
    if let Some(credential) = &destination.credential {
        writeln!(out, "  credential   {credential}")?;
    }
    if let Some(expression) = &destination.lane_by {
        writeln!(out, "  lanes        by {expression}")?;
    }
    for rule in &destination.rules {
        writeln!(out, "  rule         {}: {}", then(rule), rule.when)?;
    }
    if let Some(connector) = &destination.connector {
        let most = connector.batch_max.unwrap_or(1);
        writeln!(out, "  connector    {most} jobs a call at most")?;
    }
    if let Some(resolve) = &destination.resolve {
        let kept = span(resolve.ttl_ms);
        writeln!(
            out,
            "  bodies       from {}, used again for {kept}",
            resolve.url
        )?;
    }
    writeln!(
        out,
        "  jobs         {} pending, {} in flight, {} succeeded, {} dead; {} lanes with work",
        grouped(destination.pending),
        grouped(destination.in_flight),
        grouped(destination.succeeded),
        grouped(destination.dead),
        grouped(destination.lanes)
    )?;
    if destination.paused {
        writeln!(out, "  paused")?;
    }
    if let Some(why) = &destination.blocked_on {
        writeln!(out, "  blocked on   {why}")?;
    }
    Ok(())
}

/// Lists jobs of a destination.
pub(crate) fn list_jobs(
    destination: &str,
    state: Option<&str>,
    lane: Option<&str>,
    page: &PageArgs,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let limit = page.limit.to_string();
    let answer = client.get(&format!(
        "{}/jobs{}",
        destination_path(destination),
        query(&[
            ("state", state),
            ("lane", lane),
            ("limit", Some(&limit)),
            ("cursor", page.cursor.as_deref()),
        ])
    ))?;
    if page.json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let list: JobPage = answer.read()?;
    let mut table = Table::new([
        "JOB",
        "LANE",
        "SEQUENCE",
        "WHAT",
        "STATE",
        "ATTEMPTS",
        "LAST ERROR",
    ]);
    for job in &list.jobs {
        table.row([
            job.id.clone(),
            job.lane.clone(),
            grouped(job.lane_sequence),
            format!("{} {}", job.object_type, job.action),
            job.state.clone(),
            job.attempts.to_string(),
            shortened(job.last_error.as_deref().unwrap_or_default(), 60),
        ]);
    }
    let nothing = if state == Some(DEAD) {
        "no dead letters"
    } else {
        "no jobs"
    };
    table.write(nothing, out)?;
    if let Some(cursor) = list.next_cursor {
        writeln!(out, "more: add --cursor {cursor}")?;
    }
    Ok(())
}

fn describe_job(job: &JobBody, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}", job.id, job.state)?;
    writeln!(
        out,
        "  to           {}, lane {}, number {} in it",
        job.destination,
        job.lane,
        grouped(job.lane_sequence)
    )?;
    writeln!(
        out,
        "  what         {} {} {}",
        job.object_type,
        job.action,
        job.object_ids.join(" ")
    )?;
    if let Some(source) = &job.source {
        writeln!(out, "  created by   run {source}")?;
    }
    writeln!(out, "  accepted     {} UTC", date(job.created_at))?;
    writeln!(out, "  attempts     {}", job.attempts)?;
    for attempt in &job.failed_attempts {
        let status = attempt
            .status
            .map_or("no answer".to_owned(), |status| status.to_string());
        writeln!(
            out,
            "    {:<10} {} UTC  {status}  {}",
            attempt.number,
            date(attempt.at),
            shortened(&attempt.error, 100)
        )?;
    }
    if let Some(first) = &job.replay_of {
        writeln!(out, "  instead of   {first}, with another body")?;
    }
    if let Some(other) = &job.superseded_by {
        writeln!(out, "  replaced by  {other}")?;
    }
    if let Some(batch) = &job.batch {
        let stage = job.stage.unwrap_or_default();
        writeln!(out, "  batch        {batch}, stage {stage}")?;
    }
    if let Some(expires_at) = job.expires_at {
        writeln!(out, "  not after    {} UTC", date(expires_at))?;
    }
    if let Some(error) = &job.last_error {
        writeln!(out, "  last error   {}", shortened(error, 200))?;
    }
    if let Some(ready_at) = job.ready_at {
        writeln!(out, "  not before   {} UTC", date(ready_at))?;
    }
    if let Some(settled_at) = job.settled_at {
        writeln!(out, "  settled      {} UTC", date(settled_at))?;
    }
    if let Some(why) = &job.blocked_on {
        writeln!(out, "  blocked on   {why}")?;
    }
    writeln!(out, "  body         {}", shortened(job.body.get(), 200))
}

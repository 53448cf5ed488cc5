//! `trunkline schedule …`: what starts runs by the clock.

mod args;

pub(crate) use args::ScheduleCommand;

use crate::client::{Client, encoded, query};
use crate::failure::Failure;
use crate::numbers::{date, grouped, shortened, span};
use crate::run::json_argument;
use crate::table::Table;
use args::{PutArgs, overlap_of};
use std::io::{self, Write};
use trunkline_api::core::code::Code;
use trunkline_api::schedule::{
    ActionBody, BackfillSchedule, FireBody, PauseSchedule, PutSchedule, RuleBody, ScheduleBody,
    SchedulePage, TriggerSchedule, Triggered,
};
use trunkline_api::timestamp::{Time, parse};

/// Does what the command says.
pub(crate) fn carry_out(
    command: ScheduleCommand,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        ScheduleCommand::Put(args) => put(*args, client, out),
        ScheduleCommand::List { limit, after, json } => {
            list(limit, after.as_deref(), json, client, out)
        }
        ScheduleCommand::Show { name, fires, json } => {
            let fires = fires.to_string();
            let asked = query(&[("fires", Some(&fires))]);
            let answer = client.get(&format!("{}{asked}", path_of(&name)))?;
            if json {
                writeln!(out, "{}", answer.text())?;
            } else {
                describe(&answer.read()?, out)?;
            }
            Ok(())
        }
        ScheduleCommand::Pause { name, note } => {
            let body = PauseSchedule { note };
            client.post(&format!("{}/pause", path_of(&name)), &body)?;
            writeln!(out, "{name} is paused")?;
            Ok(())
        }
        ScheduleCommand::Resume { name } => {
            client.post_nothing(&format!("{}/resume", path_of(&name)))?;
            writeln!(out, "{name} goes on")?;
            Ok(())
        }
        ScheduleCommand::Trigger { name, overlap } => {
            let overlap = overlap.map(overlap_of);
            let body = TriggerSchedule { overlap };
            let answer = client.post(&format!("{}/trigger", path_of(&name)), &body)?;
            let fired: Triggered = answer.read()?;
            match fired.run {
                Some(run) => writeln!(out, "{name} has fired: run {run} is {}", fired.state)?,
                None => writeln!(out, "{name} has fired: {}", fired.state)?,
            }
            Ok(())
        }
        ScheduleCommand::Backfill {
            name,
            from,
            to,
            overlap,
        } => {
            let body = BackfillSchedule {
                from: time_of(&from)?,
                to: time_of(&to)?,
                overlap: overlap.map(overlap_of),
            };
            client.post(&format!("{}/backfill", path_of(&name)), &body)?;
            writeln!(out, "{name} fires for {from} to {to}")?;
            Ok(())
        }
        ScheduleCommand::Delete { name } => {
            client.delete(&path_of(&name))?;
            writeln!(out, "{name} is deleted; its runs go on")?;
            Ok(())
        }
    }
}

fn path_of(name: &str) -> String {
    format!("/v1/schedules/{}", encoded(name))
}

fn time_of(text: &str) -> Result<Time, Failure> {
    parse(text).map(Time).ok_or_else(|| {
        let detail = format!("`{text}` is no time; times look like 2026-11-21T14:00:00Z");
        Failure::new(Code::WrongType, detail)
    })
}

fn put(args: PutArgs, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let crons = args.cron.into_iter().map(|cron| RuleBody {
        cron: Some(cron),
        ..RuleBody::default()
    });
    let intervals = args.every_ms.into_iter().map(|every_ms| RuleBody {
        every_ms: Some(every_ms),
        offset_ms: args.offset_ms,
        ..RuleBody::default()
    });
    let calendars = args.calendar.into_iter().map(|fields| {
        let fields = serde_json::from_str(&fields).map_err(|error| {
            Failure::new(
                Code::CronInvalid,
                format!("`--calendar {fields}` has no fields of a calendar: {error}"),
            )
        })?;
        Ok(RuleBody {
            calendar: Some(fields),
            ..RuleBody::default()
        })
    });
    let mut when: Vec<RuleBody> = crons.chain(intervals).collect();
    when.extend(calendars.collect::<Result<Vec<_>, Failure>>()?);
    let time = |text: Option<String>| text.as_deref().map(time_of).transpose();
    let body = PutSchedule {
        when,
        zone: args.zone,
        run: ActionBody {
            workflow: args.workflow,
            id: args.id,
            input: Some(json_argument(&args.input)?),
            version: args.version,
            tags: args.tags,
            timeout_ms: args.run_timeout_ms,
        },
        overlap: args.overlap.map(overlap_of),
        buffer_max: args.buffer_max,
        catch_up_ms: args.catch_up_ms,
        jitter_ms: args.jitter_ms,
        starts_at: time(args.starts_at)?,
        ends_at: time(args.ends_at)?,
        remaining: args.remaining,
        paused: args.paused.then_some(true),
    };
    let answer = client.put(&path_of(&args.name), &body)?;
    describe(&answer.read()?, out)?;
    Ok(())
}

fn list(
    limit: u32,
    after: Option<&str>,
    json: bool,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let limit = limit.to_string();
    let asked = query(&[("limit", Some(&limit)), ("after", after)]);
    let answer = client.get(&format!("/v1/schedules{asked}"))?;
    if json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let page: SchedulePage = answer.read()?;
    let mut table = Table::new([
        "SCHEDULE", "WHEN", "ZONE", "WORKFLOW", "NEXT", "LAST", "RUNNING", "STARTED",
    ]);
    for one in &page.schedules {
        let next = match (&one.next, one.paused) {
            (_, true) => "paused".to_owned(),
            (Some(next), _) => date(*next),
            (None, _) => "never".to_owned(),
        };
        table.row([
            one.name.clone(),
            shortened(&rules(&one.when), 40),
            one.zone.clone(),
            one.workflow.clone(),
            next,
            one.last
                .as_ref()
                .map_or_else(String::new, |fire| fire.state.clone()),
            one.running.to_string(),
            grouped(one.counts.started),
        ]);
    }
    table.write("no schedules", out)?;
    if let Some(after) = page.next_after {
        writeln!(out, "more: add --after {after}")?;
    }
    Ok(())
}

/// The rules in a line.
fn rules(when: &[RuleBody]) -> String {
    let rule = |rule: &RuleBody| match rule {
        RuleBody {
            cron: Some(cron), ..
        } => cron.clone(),
        RuleBody {
            every_ms: Some(every_ms),
            offset_ms,
            ..
        } => {
            let offset = offset_ms.map_or_else(String::new, |ms| format!(" and {}", span(ms)));
            format!("every {}{offset}", span(*every_ms))
        }
        RuleBody { calendar, .. } => serde_json::to_string(calendar).unwrap_or_default(),
    };
    when.iter().map(rule).collect::<Vec<_>>().join("; ")
}

fn describe(schedule: &ScheduleBody, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}  {} ({})",
        schedule.name,
        rules(&schedule.when),
        schedule.zone
    )?;
    let overlap = serde_json::to_string(&schedule.overlap).unwrap_or_default();
    writeln!(
        out,
        "  starts       {}/{}",
        schedule.run.workflow,
        schedule.run.id.as_deref().unwrap_or_default()
    )?;
    writeln!(
        out,
        "  overlap      {}, catches up within {}",
        overlap.trim_matches('"'),
        span(schedule.catch_up_ms)
    )?;
    if schedule.jitter_ms > 0 {
        writeln!(out, "  jitter       up to {}", span(schedule.jitter_ms))?;
    }
    if let Some(remaining) = schedule.remaining {
        writeln!(out, "  remaining    {}", grouped(remaining))?;
    }
    if schedule.paused {
        let note = schedule.note.as_deref().unwrap_or_default();
        writeln!(out, "  paused       {note}")?;
    } else if schedule.next.is_empty() {
        writeln!(out, "  next         never")?;
    }
    for (at, next) in schedule.next.iter().enumerate() {
        let title = if at == 0 { "next" } else { "" };
        writeln!(out, "  {title:<12} {} UTC", date(*next))?;
    }
    let counts = schedule.counts;
    writeln!(
        out,
        "  fires        {} started, {} refused, {} skipped, {} missed; {} running, {} waiting",
        grouped(counts.started),
        grouped(counts.refused),
        grouped(counts.skipped),
        grouped(counts.missed),
        schedule.running.len(),
        schedule.waiting.len()
    )?;
    for backfill in &schedule.backfills {
        writeln!(
            out,
            "  backfill     after {} up to {} UTC",
            date(backfill.after),
            date(backfill.to)
        )?;
    }
    schedule
        .recent
        .iter()
        .enumerate()
        .try_for_each(|(at, fire)| recent(at, fire, out))
}

fn recent(at: usize, fire: &FireBody, out: &mut dyn Write) -> io::Result<()> {
    let title = if at == 0 { "recent" } else { "" };
    let run = fire.run.as_deref().unwrap_or("no run");
    let why = match (&fire.code, &fire.detail) {
        (Some(code), Some(detail)) => format!(": {code} {detail}"),
        _ => String::new(),
    };
    writeln!(
        out,
        "  {title:<12} {} UTC by {}, {run}, {}{}",
        date(fire.at),
        fire.cause,
        fire.state,
        shortened(&why, 120)
    )
}

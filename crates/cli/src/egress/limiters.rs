//! `trunkline egress limiter …`: limiters that destinations share, and how the command line writes limits.

use crate::args::LimiterCommand;
use crate::client::{Client, encoded};
use crate::failure::Failure;
use crate::numbers::{date, grouped, span};
use crate::table::Table;
use std::io::{self, Write};
use trunkline_api::egress::{
    DestinationBody, LimiterBody, LimiterList, LimiterUseBody, PutLimiter, QuotaBody, RateBody,
};

/// Reads a quota from the command line: `1000/3600`.
pub(crate) fn quota(text: &str) -> Result<QuotaBody, String> {
    let wrong = || "a quota has the form CALLS/SECONDS, such as 1000/3600".to_owned();
    let (calls, seconds) = text.split_once('/').ok_or_else(wrong)?;
    let seconds: u32 = seconds.parse().map_err(|_| wrong())?;
    Ok(QuotaBody {
        calls: calls.parse().map_err(|_| wrong())?,
        per_ms: u64::from(seconds) * 1_000,
    })
}

/// Reads the use of a limiter from the command line: `ebay`, `ebay:create` or `ebay:create=5`.
pub(crate) fn limiter_use(text: &str) -> Result<LimiterUseBody, String> {
    let (what, cost) = match text.split_once('=') {
        Some((what, cost)) => {
            let cost = cost
                .parse()
                .map_err(|_| "`=` is followed by what a call costs, such as market=5")?;
            (what, cost)
        }
        None => (text, 1),
    };
    let (limiter, action) = match what.split_once(':') {
        Some((limiter, action)) => (limiter, Some(action.to_owned())),
        None => (what, None),
    };
    Ok(LimiterUseBody {
        limiter: limiter.to_owned(),
        action,
        cost,
        shares_patience: true,
    })
}

fn path(name: &str) -> String {
    format!("/v1/egress/limiters/{}", encoded(name))
}

/// Does what the command says.
pub(super) fn carry_out(
    command: LimiterCommand,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        LimiterCommand::Set {
            name,
            rate,
            burst,
            quotas,
            concurrency,
        } => {
            let rate = rate.map(|per_second| RateBody { per_second, burst });
            let limiter = PutLimiter {
                rate,
                quotas,
                concurrency,
            };
            client.put(&path(&name), &limiter)?;
            show(&client.get(&path(&name))?.read()?, out)?;
        }
        LimiterCommand::Show { name, json } => {
            let answer = client.get(&path(&name))?;
            if json {
                writeln!(out, "{}", answer.text())?;
            } else {
                show(&answer.read()?, out)?;
            }
        }
        LimiterCommand::Rm { name } => {
            client.delete(&path(&name))?;
            writeln!(out, "limiter {name} is removed")?;
        }
        LimiterCommand::List { json } => {
            let answer = client.get("/v1/egress/limiters")?;
            if json {
                writeln!(out, "{}", answer.text())?;
                return Ok(());
            }
            let list: LimiterList = answer.read()?;
            let mut table = Table::new(["LIMITER", "LIMITS", "IN FLIGHT", "WAITING", "CALLS"]);
            for one in &list.limiters {
                table.row([
                    one.name.clone(),
                    limits(one),
                    grouped(one.in_flight),
                    grouped(one.waiting),
                    grouped(one.calls),
                ]);
            }
            table.write("no limiters", out)?;
        }
    }
    Ok(())
}

fn show(limiter: &LimiterBody, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", limiter.name)?;
    writeln!(out, "  limits       {}", limits(limiter))?;
    writeln!(
        out,
        "  calls        {} in flight, {} waiting, {} so far",
        grouped(limiter.in_flight),
        grouped(limiter.waiting),
        grouped(limiter.calls)
    )?;
    if let Some(at) = limiter.held_until {
        writeln!(out, "  patience     until {}", date(at))?;
    }
    if let Some(at) = limiter.next_at {
        writeln!(out, "  next call    {}", date(at))?;
    }
    Ok(())
}

/// The limits of a destination beyond its rate and concurrency, if it has any.
pub(super) fn of_destination(destination: &DestinationBody, out: &mut dyn Write) -> io::Result<()> {
    for quota in &destination.quotas {
        writeln!(out, "  quota        {}", quota_in_words(*quota))?;
    }
    for it in &destination.limiters {
        let action = it.action.as_ref();
        let jobs = action.map_or_else(String::new, |action| format!(" for `{action}`"));
        let cost = match it.cost {
            1 => String::new(),
            cost => format!(", {cost} points a call"),
        };
        writeln!(out, "  limiter      {}{jobs}{cost}", it.limiter)?;
    }
    Ok(())
}

fn quota_in_words(quota: QuotaBody) -> String {
    let calls = grouped(u64::from(quota.calls));
    format!("{calls} in {}", span(quota.per_ms))
}

/// The settings of a limiter, in words.
fn limits(limiter: &LimiterBody) -> String {
    let mut words = Vec::new();
    if let Some(rate) = limiter.rate {
        words.push(format!(
            "{} a second, burst {}",
            rate.per_second, rate.burst
        ));
    }
    words.extend(limiter.quotas.iter().copied().map(quota_in_words));
    if let Some(concurrency) = limiter.concurrency {
        words.push(format!("{concurrency} at once"));
    }
    match words.is_empty() {
        true => "none".into(),
        false => words.join("; "),
    }
}

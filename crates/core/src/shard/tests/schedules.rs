//! Schedules: each fire once, whatever crashes; what happens when runs overlap; and what is asked of them.

mod asked;
mod overlaps;
mod steps;
mod times;

use super::world::*;
use crate::ids::{Nonce, RunId};
use crate::input::Input;
use crate::payload::Name;
use crate::peer::{Op, Rejection, Reply, RunFilter};
use crate::schedule::{Action, Overlap, Schedule, ScheduleStatus, When};
use crate::time::Timestamp;
use std::boxed::Box;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

const MINUTE: u64 = 60_000;

/// Every minute from the first whole one on, under `overlap`.
fn minutely(overlap: Overlap) -> Schedule {
    let action = Action {
        workflow: Name::from("Checkout"),
        id: Name::from("r-{number}-{time}"),
        version: None,
        input: json("\"in\""),
        tags: vec![Name::from("by:clock")],
        timeout_ms: None,
    };
    let when = vec![When::Cron(Name::from("* * * * *"))];
    Schedule {
        overlap,
        ..Schedule::new("nightly", when, action)
    }
}

/// A world in which the workflow is known, at 1970-01-01T00:16:40.
fn known_world() -> World {
    let mut world = World::new();
    know(&mut world);
    world
}

fn know(world: &mut World) {
    world.feed(Input::WorkflowKnown {
        workflow: Name::from("Checkout"),
        version: 1,
    });
}

fn put(world: &mut World, schedule: Schedule) -> Result<Reply, Rejection> {
    let op = Op::PutSchedule {
        schedule: Box::new(schedule),
        paused: None,
    };
    world.ask(op).expect("an answer")
}

fn described(world: &mut World) -> ScheduleStatus {
    let op = Op::DescribeSchedule {
        name: Name::from("nightly"),
        upcoming: 3,
    };
    match world.ask(op) {
        Some(Ok(Reply::Schedule(status))) => *status,
        other => panic!("{other:?}"),
    }
}

fn trigger(world: &mut World, nonce: u128) -> Reply {
    let op = Op::TriggerSchedule {
        name: Name::from("nightly"),
        overlap: None,
        nonce: Nonce(nonce),
    };
    world.ask(op).expect("an answer").expect("it fires")
}

fn pause(world: &mut World, note: Option<&str>) {
    let op = Op::PauseSchedule {
        name: Name::from("nightly"),
        note: note.map(Name::from),
    };
    assert_eq!(world.ask(op), Some(Ok(Reply::Done)));
}

/// The ids of the runs that are there, with their statuses, in the order of their numbers.
fn runs(world: &mut World) -> Vec<String> {
    let filter = RunFilter {
        limit: 1_000,
        ..RunFilter::default()
    };
    let Some(Ok(Reply::Runs { runs, .. })) = world.ask(Op::ListRuns(Box::new(filter))) else {
        panic!("a list");
    };
    let mut found: Vec<(u64, String)> = runs
        .iter()
        .map(|run| {
            let number = run.id.id.split('-').nth(1).and_then(|n| n.parse().ok());
            let status = if run.cancelling && !run.status.is_final() {
                "cancelling"
            } else {
                run.status.as_str()
            };
            let number = number.unwrap_or(0);
            (number, std::format!("{number} {status}"))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, text)| text).collect()
}

fn end_run(world: &mut World, id: &Name) {
    let run = RunId::new("Checkout", id.clone());
    let reason = Name::from("over");
    assert_eq!(
        world.ask(Op::Terminate { run, reason }),
        Some(Ok(Reply::Done))
    );
}

/// Ends the oldest run of the schedule that is open.
fn end_oldest(world: &mut World) {
    let open = described(world).state.running.first().cloned();
    end_run(world, &open.expect("a run is open").id);
}

fn at(text: &str) -> u64 {
    let second = jiff::civil::DateTime::strptime("%Y-%m-%dT%H:%M:%S", text).expect("a time");
    let zoned = second.to_zoned(jiff::tz::TimeZone::UTC).expect("in range");
    zoned.timestamp().as_millisecond() as u64
}

fn texts(instants: &[Timestamp]) -> Vec<String> {
    let text = |at: &Timestamp| jiff::Timestamp::from_millisecond(at.0 as i64).expect("in range");
    instants.iter().map(|at| text(at).to_string()).collect()
}

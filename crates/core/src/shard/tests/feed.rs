//! Stories of the event feed: it is what was committed, whole, in order, and the same whenever it is read.

use super::world::*;
use crate::code::Code;
use crate::egress::{Destination, NewJob};
use crate::entry::{Command, Entry, Outcome, TaskOptions};
use crate::failure::{Failure, FailureKind};
use crate::feed::{
    About, Event, EventFilter, EventType, FeedCursor, FeedFrom, FeedPosition, Mark, ReadEvents,
    What,
};
use crate::ids::{CommandId, JobId};
use crate::payload::{Name, Payload};
use crate::peer::{CredentialNews, FromPeer, Keep, Kept, Op, Rejection, Reply};
use crate::policy::RetryPolicy;
use crate::time::Timestamp;
use alloc::boxed::Box;
use std::string::String;
use std::vec;
use std::vec::Vec;

impl World {
    /// One page, and where it ends.
    pub(super) fn page(
        &mut self,
        from: FeedFrom,
        filter: &EventFilter,
        limit: u32,
    ) -> Result<(Vec<Event>, FeedCursor), Rejection> {
        let request = ReadEvents {
            from,
            filter: filter.clone(),
            limit,
            wait_ms: 0,
            shard: None,
        };
        match self
            .ask(Op::ReadEvents(request))
            .expect("answered at once")?
        {
            Reply::Events { events, next } => Ok((events, next)),
            other => panic!("{other:?}"),
        }
    }

    /// The whole feed from a place on, in pages of `limit`.
    pub(super) fn feed_from(
        &mut self,
        from: FeedFrom,
        filter: &EventFilter,
        limit: u32,
    ) -> Vec<Event> {
        let (mut all, mut from) = (Vec::new(), from);
        let mut before = None;
        loop {
            let (events, next) = self.page(from, filter, limit).expect("nothing is gone");
            all.extend(events);
            if before.as_ref() == Some(&next) {
                return all;
            }
            before = Some(next.clone());
            from = FeedFrom::At(next);
        }
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        self.feed_from(FeedFrom::Oldest, &EventFilter::default(), 100)
    }

    /// The names of all events, without what they have in common.
    pub(super) fn story(&mut self) -> Vec<&'static str> {
        self.events().iter().map(short).collect()
    }
}

fn short(event: &Event) -> &'static str {
    event.kind.as_str().trim_start_matches("io.trunkline.")
}

fn failed(message: &str) -> Outcome {
    Outcome::Failed(Failure::new(FailureKind::Application, "Busy", message))
}

/// What the feed says of a run is what its history says: each entry that is an event, in order, once.
pub(super) fn agrees_with_histories(world: &mut World, ids: &[String]) {
    let all = world.events();
    let mut places: Vec<FeedPosition> = all.iter().map(|event| event.at).collect();
    assert!(places.is_sorted(), "the feed is in order");
    places.dedup();
    assert_eq!(
        places.len(),
        all.len(),
        "every event has a place of its own"
    );
    for limit in [1, 7] {
        let again = world.feed_from(FeedFrom::Oldest, &EventFilter::default(), limit);
        assert_eq!(all, again, "pages of {limit} are the same feed");
    }
    for id in ids {
        let told: Vec<(u32, Entry)> = all
            .iter()
            .filter_map(|event| match (&event.about, &event.what) {
                (About::Run { id: run, .. }, What::Entry { index, entry, .. })
                    if *run == run_id(id) =>
                {
                    Some((*index, entry.clone()))
                }
                _ => None,
            })
            .collect();
        if told.is_empty() {
            continue;
        }
        let history: Vec<(u32, Entry)> = (0..)
            .zip(world.history(id))
            .filter(|(_, entry)| EventType::of_entry(entry).is_some())
            .collect();
        assert_eq!(told, history, "{id}");
    }
}

#[test]
fn the_feed_tells_the_story_of_a_run() {
    let mut world = World::new();
    world.start("1");
    let retry = RetryPolicy {
        initial_ms: 10,
        attempts: 3,
        ..RetryPolicy::default()
    };
    let options = TaskOptions {
        retry: Some(retry),
        ..TaskOptions::default()
    };
    world.play(WORKER, true, vec![task_with(0, options)]);
    world.finish_task(WORKER, failed("no"));
    world.pass(1_000);
    world.finish_task(WORKER, completed("2"));
    world.ask(Op::Pause { run: run_id("1") });
    world.ask(Op::Resume { run: run_id("1") });
    world.play(WORKER, true, vec![finish()]);
    assert_eq!(
        world.story(),
        [
            "run.started",
            "task.scheduled",
            "task.attempt_started",
            "task.attempt_failed",
            "task.attempt_started",
            "task.completed",
            "run.paused",
            "run.resumed",
            "run.completed",
        ]
    );
    let events = world.events();
    let completed = events.iter().find(|event| short(event) == "task.completed");
    let What::Entry {
        answers: Some(answers),
        ..
    } = &completed.expect("it is there").what
    else {
        panic!("{completed:?}")
    };
    assert_eq!(answers.service, Some(Name::from("Payments")));
    assert_eq!(answers.name, Some(Name::from("charge")));
    // The history was made one chunk when the run ended, and a restart begins from rows; neither changes the feed.
    world.crash();
    assert_eq!(world.events(), events);
}

#[test]
fn a_run_that_ends_with_an_error_says_how_and_all_of_why() {
    let mut world = World::new();
    let long: String = "x".repeat(5_000);
    world.start("1");
    let command = Command::Finish {
        outcome: failed(&long),
    };
    world.play(WORKER, true, vec![command]);
    world.start("2");
    world.ask(Op::Terminate {
        run: run_id("2"),
        reason: Name::from("enough"),
    });
    world.start("3");
    world.ask(Op::Cancel {
        run: run_id("3"),
        reason: Name::from("please"),
    });
    let cancelled = Failure::new(FailureKind::Cancelled, "TL0076", "cancelled");
    let command = Command::Finish {
        outcome: Outcome::Failed(cancelled),
    };
    world.play(WORKER, true, vec![command]);
    assert_eq!(
        world.story(),
        [
            "run.started",
            "run.failed",
            "run.started",
            "run.terminated",
            "run.started",
            "run.cancel_requested",
            "run.cancelled",
        ]
    );
    let events = world.events();
    let message = |at: usize| match &events[at].what {
        What::Mark {
            mark:
                Mark::Ended {
                    failure: Some(failure),
                    ..
                },
            ..
        } => failure.message.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(message(1).as_str(), long);
    assert_eq!(message(3).as_str(), "enough");
}

#[test]
fn a_job_is_followed_from_its_acceptance_to_its_end() {
    let mut world = World::new();
    let destination = Destination {
        name: Name::from("shop"),
        url: Name::from("http://shop.test/"),
        retry: RetryPolicy {
            initial_ms: 10,
            attempts: 2,
            ..RetryPolicy::default()
        },
        ..Destination::default()
    };
    world.ask(Op::PutDestination {
        destination: Box::new(destination),
    });
    let job = NewJob {
        destination: Name::from("shop"),
        lane: Name::from("a"),
        object_type: Name::from("stock"),
        action: Name::from("update"),
        object_ids: vec![],
        body: json("{}"),
        ..NewJob::default()
    };
    let id = JobId(7);
    world.ask(Op::CreateJobs {
        jobs: vec![(id, job)],
    });
    for status in [503, 500] {
        let delivery = world.deliveries().remove(0);
        world.delivered(&delivery, status);
        world.pass(1_000);
    }
    let destination = Name::from("shop");
    world.ask(Op::ReplayJob {
        destination,
        job: id,
    });
    let delivery = world.deliveries().remove(0);
    world.delivered(&delivery, 200);
    let expected = [
        "job.accepted",
        "job.attempt_failed",
        "job.dead",
        "job.replayed",
        "job.delivered",
    ];
    assert_eq!(world.story(), expected);
    world.crash();
    assert_eq!(world.story(), expected);
    let events = world.events();
    let About::Job(facts) = &events[4].about else {
        panic!("{events:?}")
    };
    assert_eq!((facts.id, facts.lane.as_str()), (id, "a"));
}

#[test]
fn a_filter_lets_through_what_it_names_and_places_stay_the_same() {
    let mut world = World::new();
    for id in ["1", "2"] {
        world.start(id);
        world.play(WORKER, true, vec![task(0)]);
        world.finish_task(WORKER, completed("2"));
        world.play(WORKER, true, vec![finish()]);
    }
    let all = world.events();
    let filter = EventFilter {
        id: Some(Name::from("2")),
        types: vec![EventType::TaskCompleted, EventType::RunStarted],
        ..EventFilter::default()
    };
    let some = world.feed_from(FeedFrom::Oldest, &filter, 1);
    let expected: Vec<Event> = all
        .into_iter()
        .filter(|event| {
            matches!(&event.about, About::Run { id, .. } if id.id.as_str() == "2")
                && filter.types.contains(&event.kind)
        })
        .collect();
    assert_eq!(some, expected);
    assert_eq!(some.len(), 2);
}

#[test]
fn a_reader_goes_on_where_it_was() {
    let mut world = World::new();
    let nothing = EventFilter::default();
    let (none, at_start) = world.page(FeedFrom::Oldest, &nothing, 100).expect("empty");
    assert!(none.is_empty());
    let (_, newest) = world.page(FeedFrom::Newest, &nothing, 100).expect("empty");
    world.start("1");
    let (first, next) = world
        .page(FeedFrom::At(at_start), &nothing, 100)
        .expect("it is there");
    assert_eq!(first.len(), 1);
    let (same, _) = world
        .page(FeedFrom::At(newest), &nothing, 100)
        .expect("it is there");
    assert_eq!(same, first);
    world.pass(5_000);
    let noon = Timestamp(world.now);
    world.start("2");
    world.crash();
    let (second, _) = world
        .page(FeedFrom::At(next), &nothing, 100)
        .expect("it is there");
    assert_eq!(second.len(), 1);
    let since = world.feed_from(FeedFrom::Since(noon), &nothing, 100);
    assert_eq!(since, second);
    let ahead = FeedCursor {
        of: 0,
        positions: vec![FeedPosition {
            sequence: 99,
            slot: 0,
        }],
    };
    let refused = world
        .page(FeedFrom::At(ahead), &nothing, 100)
        .expect_err("ahead");
    assert_eq!(refused.code, Code::CursorInvalid);
}

#[test]
fn what_answers_a_command_from_long_ago_still_has_its_name() {
    let mut world = World::new();
    world.start("1");
    world.play(WORKER, true, vec![task(0)]);
    let attempt = world.task(WORKER).expect("a task");
    for number in 0..40 {
        world.ask(Op::Signal {
            run: run_id("1"),
            channel: Name::from("c"),
            payload: json("1"),
            nonce: crate::ids::Nonce(number + 1),
        });
    }
    let (run, command, token) = (attempt.run, attempt.command, attempt.token);
    world.report(
        WORKER,
        FromPeer::TaskDone {
            run,
            command,
            token,
            outcome: completed("1"),
            then: None,
        },
    );
    let events = world.events();
    let What::Entry {
        answers: Some(answers),
        ..
    } = &events.last().expect("some").what
    else {
        panic!("{events:?}")
    };
    assert_eq!(command, CommandId(0));
    assert_eq!(answers.name, Some(Name::from("charge")));
}

#[test]
fn the_place_before_everything_is_the_beginning_while_nothing_is_gone() {
    let mut world = World::new();
    let before = FeedCursor {
        of: 0,
        positions: vec![FeedPosition::default()],
    };
    let nothing = EventFilter::default();
    let (none, _) = world
        .page(FeedFrom::At(before.clone()), &nothing, 10)
        .expect("an empty feed begins there");
    assert!(none.is_empty());
    world.start("a");
    let all = world.events();
    assert!(!all.is_empty());
    assert_eq!(world.feed_from(FeedFrom::At(before), &nothing, 10), all);
}

#[test]
fn what_is_new_of_a_credential_is_told_in_the_commit_that_changes_its_row() {
    let mut world = World::new();
    let keep = |kept, news| {
        Op::Keep(Keep {
            kept,
            name: Name::from("shop"),
            value: Some(Payload::from(&b"sealed"[..])),
            news,
        })
    };
    let reason = Name::from("x".repeat(2_000));
    let failed = CredentialNews::RefreshFailed { version: 2, reason };
    let recovered = CredentialNews::RefreshRecovered { version: 2 };
    world.ask(keep(Kept::Credential, None));
    assert!(world.events().is_empty(), "a change alone is no event");
    world.ask(keep(Kept::ApiToken, Some(failed.clone())));
    assert!(world.events().is_empty(), "only credentials have news");
    world.ask(keep(Kept::Credential, Some(failed)));
    world.crash();
    world.ask(keep(Kept::Credential, Some(recovered)));
    assert_eq!(
        world.story(),
        ["credential.refresh_failed", "credential.refresh_recovered"]
    );
    let events = world.events();
    let name = Name::from("shop");
    assert_eq!(events[0].about, About::Credential { name });
    let cut = Mark::CredentialRefreshFailed {
        version: 2,
        reason: Name::from("x".repeat(1_024)),
    };
    assert!(matches!(&events[0].what, What::Mark { mark, .. } if *mark == cut));
    let of_runs = EventFilter {
        workflow: Some(Name::from("Pair")),
        ..EventFilter::default()
    };
    assert!(world.feed_from(FeedFrom::Oldest, &of_runs, 10).is_empty());
}

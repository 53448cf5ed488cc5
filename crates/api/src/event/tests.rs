//! Events are CloudEvents, the guide says what is in each, and cursors come back as they were.

use super::*;
use crate::core::code::Code;
use crate::core::egress::NewJob;
use crate::core::entry::{ChildOptions, Command, Notification, Outcome, TaskOptions};
use crate::core::failure::{Failure, FailureKind};
use crate::core::feed::{FeedCursor, FeedFrom, FeedPosition, JobFacts};
use crate::core::ids::{CommandId, JobId, Nonce, RunId, ShardId};
use crate::core::payload::{Name, Payload};
use crate::core::peer::Rejection;
use crate::core::run::RunStatus;
use crate::core::schedule::{Cause, FireEnd};
use crate::core::time::Timestamp;
use serde_json::Value;
use std::fmt::Write as _;

fn json(text: &str) -> Payload {
    Payload::from(text.as_bytes())
}

fn name(text: &str) -> Name {
    Name::from(text)
}

fn why() -> Failure {
    Failure::new(
        FailureKind::Application,
        "CardDeclined",
        "the card was declined",
    )
}

const AT: Timestamp = Timestamp(1_795_269_787_250);

/// What happens to a run, one example of each type.
fn notifications() -> Vec<Notification> {
    let command = CommandId(4);
    vec![
        Notification::Started {
            input: json("{\"order\":42}"),
            seed: 7,
        },
        Notification::TaskCompleted {
            command,
            result: json("\"receipt-7\""),
        },
        Notification::TaskFailed {
            command,
            failure: why(),
        },
        Notification::TaskFailed {
            command,
            failure: Failure::new(FailureKind::Cancelled, "TL0076", "cancelled"),
        },
        Notification::TimerFired { command },
        Notification::Signal {
            channel: name("approvals"),
            payload: json("{\"granted\":true}"),
            nonce: Nonce(1),
        },
        Notification::StepDone {
            command,
            outcome: Outcome::Completed(json("17")),
        },
        Notification::StepDone {
            command,
            outcome: Outcome::Failed(why()),
        },
        Notification::CancelRequested {
            reason: name("the customer called"),
        },
        Notification::MethodCalled {
            method: name("change_address"),
            input: json("\"Main Street 1\""),
            nonce: Nonce(2),
        },
        Notification::MethodEnded {
            command,
            outcome: Outcome::Completed(json("true")),
        },
        Notification::MethodEnded {
            command,
            outcome: Outcome::Failed(why()),
        },
        Notification::ChildStarted { command },
        Notification::ChildEnded {
            command,
            outcome: Outcome::Completed(json("\"tracking-1\"")),
        },
        Notification::ChildEnded {
            command,
            outcome: Outcome::Failed(why()),
        },
        Notification::Answered {
            command,
            outcome: Outcome::Completed(json("null")),
        },
        Notification::Answered {
            command,
            outcome: Outcome::Failed(why()),
        },
    ]
}

/// What a run asks for, one example of each type.
fn commands() -> Vec<Command> {
    let command = CommandId(4);
    vec![
        Command::ScheduleTask {
            command,
            service: name("Payments"),
            task: name("charge"),
            input: json("{\"order\":42}"),
            options: TaskOptions::default(),
        },
        Command::CancelTask { target: command },
        Command::StartTimer {
            command,
            at: AT,
            call: None,
        },
        Command::CancelTimer { target: command },
        Command::SetProperty {
            name: name("status"),
            value: json("\"paid\""),
        },
        Command::AddTags {
            tags: vec![name("region:eu")],
        },
        Command::RemoveTags {
            tags: vec![name("region:eu")],
        },
        Command::BeginStep {
            command,
            name: name("pick a number"),
        },
        Command::MethodReturned {
            call: 9,
            outcome: Outcome::Completed(json("true")),
        },
        Command::MethodReturned {
            call: 9,
            outcome: Outcome::Failed(why()),
        },
        Command::CallMethod {
            command,
            run: RunId::new("Account", "alice"),
            method: name("add_points"),
            input: json("10"),
        },
        Command::StartChild {
            command,
            run: RunId::new("Parcel", "order-42-1"),
            version: Some(1),
            input: json("1"),
            options: ChildOptions::default(),
        },
        Command::CancelChild { target: command },
        Command::SignalRun {
            command,
            run: RunId::new("Account", "alice"),
            channel: name("points"),
            payload: json("10"),
        },
        Command::CancelRun {
            command,
            run: RunId::new("Account", "alice"),
            reason: name("the customer left"),
        },
        Command::ContinueAsNew {
            input: json("11"),
            version: None,
            carry: Vec::new(),
        },
        Command::CreateJob {
            command,
            job: NewJob {
                destination: name("shop"),
                lane: name("sku-1"),
                object_type: name("stock"),
                action: name("update"),
                object_ids: vec![name("sku-1")],
                body: json("{}"),
                not_before: None,
            },
        },
        Command::Finish {
            outcome: Outcome::Completed(json("\"tracking-1\"")),
        },
    ]
}

/// What no history holds, one example of each type.
fn marks() -> Vec<Mark> {
    let (command, failure) = (CommandId(4), why());
    let ended = |status, failure| Mark::Ended { status, failure };
    vec![
        Mark::AttemptStarted {
            command,
            attempt: 1,
        },
        Mark::AttemptFailed {
            command,
            attempt: 1,
            retry_at: AT,
            failure: failure.clone(),
        },
        Mark::Paused {
            reason: name("an operator paused it"),
        },
        Mark::Resumed,
        ended(RunStatus::Failed, Some(failure.clone())),
        ended(RunStatus::Cancelled, Some(failure.clone())),
        ended(RunStatus::Terminated, Some(failure.clone())),
        ended(RunStatus::TimedOut, Some(failure)),
        Mark::Purged,
        Mark::Rewound {
            dropped: 3,
            source: None,
        },
        Mark::TaskDelegated {
            command,
            attempt: 1,
        },
    ]
}

fn job_marks() -> Vec<Mark> {
    let reason = || name("503 Service Unavailable");
    vec![
        Mark::JobAccepted { sequence: 7 },
        Mark::JobAttemptFailed {
            attempt: 1,
            retry_at: AT,
            reason: reason(),
        },
        Mark::JobDelivered { attempt: 2 },
        Mark::JobDead {
            attempt: 20,
            reason: reason(),
        },
        Mark::JobReplayed { sequence: 9 },
        Mark::JobCancelled,
    ]
}

fn schedule_marks() -> Vec<Mark> {
    let rejection = Rejection::new(Code::RunExists, "run `Report/nightly-1` exists");
    vec![
        Mark::ScheduleCreated,
        Mark::ScheduleUpdated,
        Mark::ScheduleDeleted,
        Mark::SchedulePaused {
            reason: name("maintenance"),
        },
        Mark::ScheduleResumed,
        Mark::ScheduleFired {
            at: AT,
            cause: Cause::Clock,
            end: FireEnd::Starting,
            run: Some(name("nightly-1")),
        },
        Mark::ScheduleRefused {
            run: name("nightly-1"),
            rejection,
        },
    ]
}

/// The names that go with a command in what answers it.
fn answered(what: &Entry) -> Option<Answered> {
    let answered = |service: Option<&str>, text: &str, run| {
        Some(Answered {
            service: service.map(name),
            name: Some(name(text)),
            run,
        })
    };
    match what {
        Entry::Notification(
            _,
            Notification::TaskCompleted { .. } | Notification::TaskFailed { .. },
        ) => answered(Some("Payments"), "charge", None),
        Entry::Notification(_, Notification::StepDone { .. }) => {
            answered(None, "pick a number", None)
        }
        Entry::Notification(_, Notification::MethodEnded { .. }) => {
            answered(None, "add_points", Some(RunId::new("Account", "alice")))
        }
        Entry::Notification(_, Notification::Answered { .. }) => {
            answered(None, "points", Some(RunId::new("Account", "alice")))
        }
        Entry::Notification(
            _,
            Notification::ChildStarted { .. } | Notification::ChildEnded { .. },
        ) => Some(Answered {
            service: None,
            name: None,
            run: Some(RunId::new("Parcel", "order-42-1")),
        }),
        _ => None,
    }
}

/// One event of each type, in the order of the types.
fn examples() -> Vec<Event> {
    let of_run = About::Run {
        id: RunId::new("Checkout", "order-42"),
        version: 2,
        started_at: AT,
    };
    let of_job = About::Job(Box::new(JobFacts {
        id: JobId(0x51b7),
        destination: name("shop"),
        lane: name("sku-1"),
        object_type: name("stock"),
        action: name("update"),
        object_ids: vec![name("sku-1")],
        source: Some(name("Checkout/order-42")),
    }));
    let notified = notifications()
        .into_iter()
        .map(|notification| Entry::Notification(AT, notification));
    let entries = notified.chain(commands().into_iter().map(Entry::Command));
    let entries = entries.map(|entry| {
        let answers = answered(&entry);
        let index = 5;
        let what = What::Entry {
            index,
            entry,
            answers,
        };
        (of_run.clone(), what)
    });
    let marks = marks().into_iter().map(|mark| {
        let has_task = matches!(
            mark,
            Mark::AttemptStarted { .. } | Mark::AttemptFailed { .. } | Mark::TaskDelegated { .. }
        );
        let answers = has_task.then(|| Answered {
            service: Some(name("Payments")),
            name: Some(name("charge")),
            run: None,
        });
        (of_run.clone(), What::Mark { mark, answers })
    });
    let job_marks = job_marks().into_iter().map(|mark| {
        let answers = None;
        (of_job.clone(), What::Mark { mark, answers })
    });
    let schedule_marks = schedule_marks().into_iter().map(|mark| {
        let answers = None;
        let about = About::Schedule {
            name: name("nightly"),
        };
        (about, What::Mark { mark, answers })
    });
    let mut all: Vec<Event> = entries
        .chain(marks)
        .chain(job_marks)
        .chain(schedule_marks)
        .map(|(about, what)| Event {
            shard: ShardId(3),
            at: FeedPosition {
                sequence: 1_712,
                slot: 4,
            },
            time: AT,
            kind: EventType::of(&what).expect("each example is an event"),
            about,
            what,
        })
        .collect();
    all.sort_by_key(|event| event.kind);
    all
}

fn cloud_event(event: &Event) -> Value {
    let text = serde_json::to_string(&CloudEvent::new(0x5eed, event)).expect("JSON");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn there_is_an_example_of_every_type() {
    let kinds: Vec<EventType> = examples().iter().map(|event| event.kind).collect();
    let mut all = EventType::ALL.to_vec();
    all.sort_unstable();
    assert_eq!(kinds, all);
}

#[test]
fn every_event_is_a_cloud_event() {
    for event in examples() {
        let json = cloud_event(&event);
        // CloudEvents 1.0.2, "REQUIRED Attributes": non-empty strings.
        for required in ["id", "source", "specversion", "type"] {
            let value = json[required].as_str();
            assert!(value.is_some_and(|text| !text.is_empty()), "{json}");
        }
        assert_eq!(json["specversion"], "1.0");
        assert_eq!(json["source"], "urn:trunkline:0000000000005eed");
        assert_eq!(json["id"], "3-1712-4");
        assert_eq!(json["datacontenttype"], "application/json");
        let time = json["time"].as_str().expect("a time");
        assert_eq!(crate::timestamp::parse(time), Some(AT), "{json}");
        assert!(json["data"].is_object());
        // "Naming Conventions": lower-case letters and digits only.
        for attribute in json.as_object().expect("an object").keys() {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            assert!(attribute.bytes().all(is_plain), "{attribute}");
        }
    }
}

#[test]
fn the_document_of_the_api_describes_the_events() {
    let document: Value = serde_json::from_str(crate::openapi::DOCUMENT).expect("JSON");
    let schema = &document["components"]["schemas"]["CloudEvent"];
    let properties = schema["properties"].as_object().expect("an object");
    let required = schema["required"].as_array().expect("an array");
    for event in examples() {
        let json = cloud_event(&event);
        let fields = json.as_object().expect("an object");
        for name in required {
            let name = name.as_str().expect("a name");
            assert!(fields.contains_key(name), "{name} is missing in {json}");
        }
        for name in fields.keys() {
            assert!(properties.contains_key(name), "{name} is not described");
        }
    }
}

/// The part of the guide that is made of the types and their examples.
fn reference() -> String {
    let mut text = String::from("| type | when | data |\n| --- | --- | --- |\n");
    let always = ["workflow", "run", "version", "run_started_at"];
    let of_jobs = [
        "job",
        "destination",
        "lane",
        "object_type",
        "action",
        "object_ids",
        "created_by",
    ];
    for event in examples() {
        let json = cloud_event(&event);
        let common: &[&str] = match event.about {
            About::Run { .. } => &always,
            About::Job(_) => &of_jobs,
            About::Schedule { .. } => &["schedule"],
        };
        let fields: Vec<String> = json["data"]
            .as_object()
            .expect("an object")
            .keys()
            .filter(|name| !common.contains(&name.as_str()))
            .map(|name| format!("`{name}`"))
            .collect();
        writeln!(
            text,
            "| `{}` | {} | {} |",
            event.kind.as_str(),
            event.kind.meaning(),
            fields.join(", ")
        )
        .expect("a String takes everything");
    }
    for kind in [
        EventType::RunStarted,
        EventType::TaskAttemptFailed,
        EventType::JobDelivered,
    ] {
        let events = examples();
        let event = events.iter().find(|event| event.kind == kind);
        let json = cloud_event(event.expect("there is one of each"));
        let pretty = serde_json::to_string_pretty(&json).expect("JSON");
        write!(text, "\n```json\n{pretty}\n```\n").expect("a String takes everything");
    }
    text
}

#[test]
fn the_guide_lists_every_type_with_its_fields() {
    const BEGIN: &str = "<!-- reference -->\n\n";
    const END: &str = "\n<!-- end of reference -->";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/events.md");
    let guide = std::fs::read_to_string(path).expect("the guide is there");
    let begin = guide.find(BEGIN).expect("the reference begins") + BEGIN.len();
    let end = guide.find(END).expect("the reference ends");
    let wanted = reference();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let updated = format!("{}{wanted}{}", &guide[..begin], &guide[end..]);
        std::fs::write(path, updated).expect("the guide can be written");
        return;
    }
    assert_eq!(&guide[begin..end], wanted, "run it with UPDATE_EXPECT=1");
}

#[test]
fn a_cursor_comes_back_as_it_was() {
    for shards in [1, 2, 3, 16, 300] {
        let place = |shard: u64| FeedPosition {
            sequence: 1 << (shard % 60),
            slot: (shard % 7) as u32 * 100,
        };
        let cursor = FeedCursor {
            of: u64::MAX - shards,
            positions: (0..shards).map(place).collect(),
        };
        let text = cursor::write(&cursor);
        assert_eq!(cursor::read(&text).expect("a cursor"), cursor);
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
    }
    for text in [
        "",
        "x",
        "AAAA",
        "Ag",
        "not a cursor",
        "AQAAAAAAAAAAgICAgICAgICAgICAgA",
    ] {
        let refused = cursor::read(text).expect_err("no cursor");
        assert_eq!(refused.code, Code::CursorInvalid, "{text}");
    }
}

#[test]
fn a_query_names_types_one_by_one_and_in_groups() {
    let query = |types: &str| EventQuery {
        types: Some(types.to_owned()),
        ..EventQuery::default()
    };
    let types = |text: &str| query(text).request().map(|request| request.filter.types);
    assert_eq!(
        types("run.completed,io.trunkline.task.failed"),
        Ok(vec![EventType::RunCompleted, EventType::TaskFailed])
    );
    let jobs = types("job.*").expect("a group");
    assert!(
        jobs.contains(&EventType::JobDead) && jobs.len() == 7,
        "{jobs:?}"
    );
    let refused = types("run.comleted").expect_err("misspelt");
    assert_eq!(refused.code, Code::EventTypeUnknown);
    let since = EventQuery {
        since: Some("2026-11-21T14:03:07.250Z".to_owned()),
        ..EventQuery::default()
    };
    let request = since.request().expect("a time");
    assert!(matches!(request.from, FeedFrom::Since(_)));
    let wrong = EventQuery {
        since: Some("yesterday".to_owned()),
        ..EventQuery::default()
    };
    assert_eq!(wrong.request().expect_err("no time").code, Code::WrongType);
}

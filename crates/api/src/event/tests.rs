//! Events are CloudEvents, the guide says what is in each, and cursors come back as they were.

mod examples;

use super::*;
use crate::core::code::Code;
use crate::core::egress::NewJob;
use crate::core::entry::{ChildOptions, Command, Notification, Outcome};
use crate::core::failure::{Failure, FailureKind};
use crate::core::feed::{FeedCursor, FeedFrom, FeedPosition, JobFacts};
use crate::core::ids::{CommandId, JobId, Nonce, RunId, ShardId};
use crate::core::payload::{Name, Payload};
use crate::core::peer::Rejection;
use crate::core::run::RunStatus;
use crate::core::schedule::{Cause, FireEnd};
use crate::core::time::Timestamp;
use examples::{AT, examples};
use serde_json::Value;
use std::fmt::Write as _;

fn json(text: &str) -> Payload {
    Payload::from(text.as_bytes())
}

fn name(text: &str) -> Name {
    Name::from(text)
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
            About::Destination { .. } => &["destination"],
            About::Credential { .. } => &["credential"],
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
        jobs.contains(&EventType::JobDead) && jobs.len() == 11,
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

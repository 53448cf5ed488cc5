//! The decoders: everything that reads what comes from a disk, a peer, a client, a user or a file.

use super::{Target, access, samples};
use serde::de::DeserializeOwned;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Runtime;
use trunkline_api::connector::{Answer, Call, Manifest};
use trunkline_api::core::calendar::Calendar;
use trunkline_api::core::egress::{Delivery, Destination, Job, Rule, Verdict};
use trunkline_api::core::entry::Entry;
use trunkline_api::core::failure::Failure;
use trunkline_api::core::feed::{Event, FeedCursor, Mark, ReadEvents};
use trunkline_api::core::ids::{JobId, Nonce, TaskId};
use trunkline_api::core::input::Message;
use trunkline_api::core::output::changes_in;
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::{FromPeer, Keep, Op, TaskStatus, ToPeer};
use trunkline_api::core::run::Run;
use trunkline_api::core::schedule::{Schedule, ScheduleState, When};
use trunkline_api::core::shard::{BulkRow, ChildRow, DestinationRow, ShardRow, TaskRow};
use trunkline_api::core::time::Timestamp;
use trunkline_api::egress::bulk::StartJobBulk;
use trunkline_api::egress::destination::PutDestination;
use trunkline_api::egress::job::NewJobBody;
use trunkline_api::event::EventQuery;
use trunkline_api::failure::FailureBody;
use trunkline_api::filter::{FilterBody, RunQuery};
use trunkline_api::frame::decode_batch;
use trunkline_api::history_file::HistoryFile;
use trunkline_api::many::{ActionBody, ForkRun, RetryRun, StartBulk};
use trunkline_api::method::{CallBody, CompleteTimers};
use trunkline_api::run::{StartRun, StopRun};
use trunkline_api::schedule::{BackfillSchedule, PauseSchedule, PutSchedule, TriggerSchedule};
use trunkline_api::task::{FailTask, HeartbeatTask};
use trunkline_api::{cursor, event, json, name, task, timestamp};
use trunkline_engine::{Config, Engine, Health};
use trunkline_expr::{Inputs, Limits, Predicate, Program};
use trunkline_journal::{Disk, Journal, Position, SimDisk, inspect};

/// Every decoder.
pub const TARGETS: &[Target] = &[
    Target {
        name: "frames",
        samples: samples::segments,
        decode: frames,
    },
    Target {
        name: "rows",
        samples: samples::rows,
        decode: rows,
    },
    Target {
        name: "protocol",
        samples: samples::batches,
        decode: protocol,
    },
    Target {
        name: "bodies",
        samples: samples::bodies,
        decode: bodies,
    },
    Target {
        name: "texts",
        samples: samples::texts,
        decode: texts,
    },
    Target {
        name: "schedules",
        samples: samples::schedules,
        decode: schedules,
    },
    Target {
        name: "expressions",
        samples: samples::expressions,
        decode: expressions,
    },
    Target {
        name: "connectors",
        samples: samples::connectors,
        decode: connectors,
    },
    Target {
        name: "rules",
        samples: samples::rules,
        decode: rules,
    },
    Target {
        name: "access",
        samples: access::samples,
        decode: access::decode,
    },
];

/// A journal whose one segment has these bytes is opened, and looked at.
fn frames(input: &[u8]) {
    let disk = SimDisk::new();
    let path = samples::SEGMENT;
    disk.create_dir(samples::JOURNAL).expect("a disk in memory");
    let file = disk.create(path).expect("a disk in memory");
    file.write_all_at(input, 0).expect("a disk in memory");
    // Refused or opened: both are answers.
    let _ = inspect(&disk, samples::JOURNAL);
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let mut visit = |_: trunkline_journal::Frame<'_>| Ok(());
    let opened = Journal::open(
        disk,
        samples::JOURNAL,
        samples::options(),
        Position::ZERO,
        &mut visit,
    );
    if let Ok(mut journal) = opened {
        // What opens can be written to.
        let _ = journal.append(1, 0, &[b"more"]);
        let _ = journal.flush();
    }
}

/// Everything that the core keeps as a row, and the body of a commit.
fn rows(input: &[u8]) {
    let _ = changes_in(input);
    let _ = minicbor::decode::<Run>(input);
    let _ = minicbor::decode::<Vec<Entry>>(input);
    let _ = minicbor::decode::<TaskRow>(input);
    let _ = minicbor::decode::<ChildRow>(input);
    let _ = minicbor::decode::<BulkRow>(input);
    let _ = minicbor::decode::<ShardRow>(input);
    let _ = minicbor::decode::<DestinationRow>(input);
    let _ = minicbor::decode::<Job>(input);
    let _ = minicbor::decode::<Message>(input);
    let _ = minicbor::decode::<Schedule>(input);
    let _ = minicbor::decode::<ScheduleState>(input);
    let _ = minicbor::decode::<Timestamp>(input);
    let _ = minicbor::decode::<Delivery>(input);
    let _ = minicbor::decode::<Mark>(input);
    let _ = minicbor::decode::<Event>(input);
    let _ = minicbor::decode::<Failure>(input);
    let _ = minicbor::decode::<FeedCursor>(input);
    let _ = minicbor::decode::<ReadEvents>(input);
    let _ = minicbor::decode::<Keep>(input);
    let _ = minicbor::decode::<TaskStatus>(input);
}

/// What a peer says: decoded, and if it can be, said to an engine, which has to live through it.
fn protocol(input: &[u8]) {
    let _ = decode_batch::<ToPeer>(input);
    if let Ok(batch) = decode_batch::<FromPeer>(input) {
        patient().hear(batch);
    }
}

/// A request's body, if it is one.
pub(super) fn read<T: DeserializeOwned>(input: &[u8]) -> Option<T> {
    json::parse(input).ok()
}

/// The bodies of requests, with what becomes of them.
fn bodies(input: &[u8]) {
    if let Some(body) = read::<StartRun>(input) {
        let _ = body.into_start("order", Nonce(1));
    }
    if let Some(body) = read::<PutDestination>(input) {
        let _ = body.into_destination("shop");
    }
    if let Some(body) = read::<NewJobBody>(input) {
        let _ = body.into_job(JobId(1));
    }
    if let Some(body) = read::<PutSchedule>(input) {
        let _ = body.into_schedule("nightly").map(|schedule| {
            Calendar::new(&schedule.when, &schedule.zone)
                .map(|calendar| calendar.next_after(Timestamp(1_700_000_000_000)))
        });
    }
    if let Some(body) = read::<FilterBody>(input) {
        let _ = body.filter();
    }
    if let Some(body) = read::<ActionBody>(input) {
        let _ = body.action(Nonce(1));
    }
    if let Some(body) = read::<StartBulk>(input) {
        let _ = (body.bulk(), body.meant());
    }
    if let Some(body) = read::<StartJobBulk>(input) {
        let _ = body.bulk();
    }
    if let Some(body) = read::<CompleteTimers>(input) {
        let _ = body.which();
    }
    if let Some(body) = read::<FailTask>(input) {
        let _ = body.into_outcome();
    }
    let _ = read::<Vec<NewJobBody>>(input);
    let _ = read::<CallBody>(input);
    let _ = read::<StopRun>(input);
    let _ = read::<RetryRun>(input);
    let _ = read::<ForkRun>(input);
    let _ = read::<HeartbeatTask>(input);
    let _ = read::<FailureBody>(input);
    let _ = read::<PauseSchedule>(input);
    let _ = read::<TriggerSchedule>(input);
    let _ = read::<BackfillSchedule>(input);
    if let Ok(file) = HistoryFile::parse(input) {
        let _ = file.decode();
    }
}

/// What a connector says of itself, is told, and answers.
fn connectors(input: &[u8]) {
    let _ = json::parse::<Manifest>(input);
    let _ = json::parse::<Call>(input);
    if let Ok(answer) = json::parse::<Answer>(input) {
        // What was read can be said again.
        let said = serde_json::to_vec(&answer).expect("an answer is JSON");
        let again: Answer = serde_json::from_slice(&said).expect("it was said just now");
        assert_eq!(again.items.len(), answer.items.len());
    }
}

/// What stands in addresses and headers: names, ids, cursors, times, filters.
fn texts(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let _ = cursor::read(text, &[Some(text), None]);
    let _ = event::cursor::read(text);
    let _ = task::task_id(text);
    let _ = TaskId::parse(text);
    let _ = timestamp::parse(text);
    let _ = name::name("it", text);
    let _ = name::workflow(text);
    let _ = name::run("order", text);
    let _ = name::tags(&text.split(',').map(str::to_owned).collect::<Vec<_>>());
    let _ = trunkline_api::egress::job::job_id_of(text);
    let _ = trunkline_api::egress::job::state_of(text);
    let _ = trunkline_api::filter::value_of(text);
    let pairs = text.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), value.to_owned())
    });
    if let Ok(query) = RunQuery::parse(pairs.collect()) {
        let _ = query.filter();
    }
    let query = EventQuery {
        cursor: Some(text.to_owned()),
        since: Some(text.to_owned()),
        types: Some(text.to_owned()),
        ..EventQuery::default()
    };
    let _ = query.request();
}

/// A line each: a time zone, and cron expressions.
fn schedules(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let mut lines = text.lines();
    let zone = lines.next().unwrap_or_default();
    let rules: Vec<When> = lines
        .take(8)
        .map(|line| When::Cron(Name::from(line)))
        .collect();
    let Ok(calendar) = Calendar::new(&rules, zone) else {
        return;
    };
    let mut at = Timestamp(1_700_000_000_000);
    for _ in 0..4 {
        let Some(next) = calendar.next_after(at) else {
            return;
        };
        assert!(next > at, "{rules:?} in {zone} goes back: {at:?} {next:?}");
        let _ = calendar.local(next);
        at = next;
    }
}

/// An expression, and behind a line with `---` what it is evaluated on; and the same as a predicate tree.
fn expressions(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (source, data) = text.split_once("\n---\n").unwrap_or((text, "{}"));
    let data: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
    let inputs = Inputs::at(1_700_000_000_000).with("x", &data);
    let run = |program: Program| {
        let _ = program.evaluate(&inputs);
        let _ = program.holds(&inputs);
    };
    let _ = Program::compile(source, &["x"], Limits::default()).map(run);
    if let Ok(tree) = serde_json::from_str::<Predicate>(source) {
        let _ = Program::of_predicate(&tree, &["x"], Limits::default()).map(run);
    }
}

/// A judging rule, as somebody sets it on a destination.
fn rules(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let destination = Destination {
        name: Name::from("shop"),
        url: Name::from("http://127.0.0.1:9/"),
        rules: vec![Rule {
            when: Name::from(text),
            then: Verdict::Fail,
        }],
        ..Destination::default()
    };
    patient().ask(Op::PutDestination {
        destination: Box::new(destination),
    });
}

/// An engine in memory that is told everything.
struct Patient {
    engine: Engine,
    runtime: Runtime,
}

/// How long it may take to answer. Beyond it a thread of it has ended.
const ANSWER_MAX: Duration = Duration::from_secs(30);

fn patient() -> &'static Patient {
    static PATIENT: OnceLock<Patient> = OnceLock::new();
    PATIENT.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime");
        let mut config = Config::new("in memory");
        (config.shards, config.threads) = (Some(2), Some(1));
        config.segment_bytes = 8 << 20;
        config.checkpoint_bytes = 2 << 20;
        let disk = Arc::new(SimDisk::new());
        let engine = Engine::open_on(disk, &config, runtime.handle().clone());
        Patient {
            engine: engine.expect("a disk in memory"),
            runtime,
        }
    })
}

impl Patient {
    /// A peer says something, and is gone.
    fn hear(&self, batch: Vec<FromPeer>) {
        let (session, mailbox) = self.engine.connect();
        session.send(batch);
        self.ask(Op::ListDestinations);
        drop((session, mailbox));
    }

    fn ask(&self, op: Op) {
        let asked = async { tokio::time::timeout(ANSWER_MAX, self.engine.request(op)).await };
        // Refused or done: both are answers.
        let answered = self.runtime.block_on(asked);
        assert!(answered.is_ok(), "the engine does not answer any more");
        assert!(
            matches!(self.engine.health(), Health::Ok),
            "the engine is {:?}",
            self.engine.health()
        );
    }
}

//! Inputs that the decoders accept: from simulated worlds where there are some, by hand where not.

use crate::clients::destination;
use crate::plan::Plan;
use crate::program::{Machine, input};
use crate::world::World;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use trunkline_api::core::entry::{Notification, Outcome};
use trunkline_api::core::failure::{Failure, FailureKind};
use trunkline_api::core::ids::{CommandId, Nonce, RequestId, RunId, Token};
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::{
    Bulk, CredentialNews, FromPeer, JobAction, JobFilter, JobWork, Keep, Kept, Op, Registration,
    Start, ToPeer, TurnDone, Work,
};
use trunkline_api::core::time::Timestamp;
use trunkline_api::frame::encode_batch;
use trunkline_journal::{Disk, Journal, Options, Position, SimDisk};

/// The folder of the journal whose bytes are fuzzed, and its one segment.
pub(super) const JOURNAL: &str = "journal-0";
pub(super) const SEGMENT: &str = "journal-0/00000001.seg";

pub(super) fn options() -> Options {
    let mut options = Options::new(7);
    options.segment_bytes = 8 << 10;
    options.frame_bytes_max = 1 << 10;
    options.spares = 1;
    options.free_bytes_min = 0;
    options
}

/// A segment with a few frames.
pub(super) fn segments() -> Vec<Vec<u8>> {
    let disk = SimDisk::new();
    let any: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut nobody = |_: trunkline_journal::Frame<'_>| Ok(());
    let opened = Journal::open(any, JOURNAL, options(), Position::ZERO, &mut nobody);
    let mut journal = opened.expect("a disk in memory");
    for body in [&b"one"[..], b"", b"a longer third one"] {
        journal.append(1, 3, &[body]).expect("it is small");
        journal.flush().expect("a disk in memory");
    }
    let names = disk.list(JOURNAL).expect("a disk in memory");
    let first = names.iter().find(|name| name.ends_with(".seg"));
    let first = first.expect("a journal has a segment");
    vec![disk.bytes(&format!("{JOURNAL}/{first}"))]
}

/// Rows of a few worlds: some of each kind. The worlds live once for a process.
pub(super) fn rows() -> Vec<Vec<u8>> {
    static ROWS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    ROWS.get_or_init(rows_of_worlds).clone()
}

fn rows_of_worlds() -> Vec<Vec<u8>> {
    let mut by_kind: BTreeMap<[u8; 2], Vec<Vec<u8>>> = BTreeMap::new();
    for seed in [1, 4, 7] {
        for (key, value) in World::rows_after(&Plan::of_seed(seed)) {
            let rows = by_kind.entry([key[0], key[1]]).or_default();
            if rows.len() < 12 && value.len() < 4_096 {
                rows.push(value);
            }
        }
    }
    let mut all: Vec<Vec<u8>> = by_kind.into_values().flatten().collect();
    all.push(nested_causes(300));
    all
}

/// A failure with so many causes, one within the other.
#[must_use]
pub(super) fn nested_causes(causes: usize) -> Vec<u8> {
    let mut bytes = [0x85, 0x00, 0x60, 0x60, 0xf6].repeat(causes);
    bytes.extend([0x83, 0x00, 0x60, 0x60]);
    bytes
}

/// Batches of what peers and the engine say.
pub(super) fn batches() -> Vec<Vec<u8>> {
    let run = RunId::new("order", "1");
    let begun = Timestamp(1_700_000_000_000);
    let started = |number| Notification::Started {
        input: input(number),
        seed: 5,
        tags: None,
    };
    let mut heard = vec![vec![
        FromPeer::Register(Registration {
            workflows: vec![(Name::from("order"), 1)],
            services: vec![Name::from("payments")],
            turn_slots: 3,
            task_slots: 3,
            ..Registration::default()
        }),
        FromPeer::Request(RequestId(1), Op::Start(start(&run))),
        FromPeer::Request(RequestId(2), Op::ListRuns(Box::default())),
        FromPeer::Drain,
    ]];
    for number in 0..12 {
        let mut machine = Machine::new(&input(number), begun);
        let commands = machine.play(0, &started(number));
        heard.push(vec![FromPeer::TurnDone(TurnDone {
            run: run.key(),
            token: Token(1),
            from: 0,
            upto: 1,
            commands,
            held: number % 2 == 0,
        })]);
    }
    let cause = Failure::new(FailureKind::TimedOut, "Late", "too late");
    let failure = Failure::new(FailureKind::Application, "Busy", "no").caused_by(cause);
    heard.push(vec![
        FromPeer::TaskDone {
            run: run.key(),
            command: CommandId(0),
            token: Token(2),
            outcome: Outcome::Failed(failure),
            then: None,
        },
        FromPeer::Evicted { run: run.key() },
    ]);
    let ops = [
        Op::PutDestination {
            destination: Box::new(destination("shop", 3, 2, 1, 4, true)),
        },
        Op::Signal {
            run: run.clone(),
            channel: Name::from("approvals"),
            payload: Payload::from(&b"1"[..]),
            nonce: Nonce(5),
        },
        Op::Cancel {
            run: run.clone(),
            reason: Name::from("why not"),
        },
        Op::History {
            run: run.clone(),
            from: 0,
        },
        Op::AwaitOutcome { run },
        Op::BulkList,
        Op::BulkStart {
            bulk: Box::new(Bulk {
                id: Name::from("again"),
                work: Work::Jobs(JobWork {
                    filter: JobFilter {
                        destination: Some(Name::from("shop")),
                        ..JobFilter::default()
                    },
                    action: JobAction::Replay,
                    enables: false,
                }),
                per_second: Some(5),
            }),
            expected: 3,
        },
        Op::Counters,
        Op::Keep(Keep {
            kept: Kept::Credential,
            name: Name::from("shop"),
            value: Some(Payload::from(&b"sealed"[..])),
            news: Some(CredentialNews::RefreshFailed {
                version: 2,
                reason: Name::from("it answers 401 invalid_client"),
            }),
        }),
    ];
    for (number, op) in (9..).zip(ops) {
        heard.push(vec![FromPeer::Request(RequestId(number), op)]);
    }
    let mut all: Vec<Vec<u8>> = heard.iter().map(|batch| encode_batch(batch)).collect();
    let told = [ToPeer::Forget {
        run: RunId::new("order", "1").key(),
    }];
    all.push(encode_batch(&told));
    all
}

fn start(run: &RunId) -> Start {
    Start {
        run: run.clone(),
        version: Some(1),
        input: input(3),
        tags: vec![Name::from("a"), Name::from("b:c")],
        nonce: Nonce(3),
        on_conflict: trunkline_api::core::peer::OnConflict::Reject,
        wait: false,
        timeout_ms: Some(1_000),
        start_at: None,
    }
}

fn lines(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub(super) fn bodies() -> Vec<Vec<u8>> {
    lines(&[
        r#"{"id":"o-1","input":{"total":12.50,"lines":[1,2,{"a":null}]},"version":2,"tags":["eu","vip"],"on_conflict":"attach","timeout_ms":60000,"start_at":"2030-01-31T08:00:00Z"}"#,
        r#"{"url":"http://127.0.0.1:9/","rate":{"per_second":10,"burst":3},"concurrency":2,"timeout_ms":1000,"retry":{"initial_ms":100,"factor":2.0,"max_ms":1000,"attempts":5},"head_of_line":"skip","rules":[{"when":"status == 404","then":"succeed"},{"when":"5xx","then":"retry","after_ms":5}]}"#,
        r#"{"destination":"shop","lane":"sku-1","object_type":"stock","action":"update","object_ids":["sku-1"],"body":{"quantity":3},"idempotency_key":"k-1"}"#,
        r#"{"workflow":"report","id":"report-{date}","input":null,"when":[{"cron":"0 8 * * MON-FRI"},{"every":"90m"},{"calendar":{"day":"LW","hour":"7-19/2"}}],"zone":"Europe/Berlin","overlap":"skip","jitter_ms":500,"catch_up_ms":60000}"#,
        r#"{"action":"signal","channel":"approvals","value":{"by":"anna"}}"#,
        r#"{"action":"cancel","reason":"recall","filter":{"workflow":"order","status":["failed"],"tags":["eu"],"started_after":"2026-01-01T00:00:00Z","properties":{"step":"paid"}}}"#,
        r#"{"error":"Declined","message":"no money","retryable":false,"detail":{"code":51}}"#,
        r#"{"trunkline_history":1,"workflow":"order","id":"1","version":1,"started_at":"2026-11-21T14:03:07Z","entries":[],"chunks":["gYIAghoAAAAB"]}"#,
        r#"{"reason":"because"}"#,
        r#"[]"#,
        r#""text""#,
        r#"-1.5e300"#,
    ])
}

pub(super) fn texts() -> Vec<Vec<u8>> {
    lines(&[
        "0123456789abcdef0123456789abcdef01234567",
        "2026-11-21T14:03:07.123Z",
        "2026-11-21T14:03:07+01:00",
        "order/1",
        "order.retry-2_x:y",
        "workflow=order&status=failed&tag=eu&limit=10&started_after=2026-01-01T00:00:00Z&property=step=\"paid\"",
        "run.completed,task.*,job.dead",
        "eyJvZiI6MX0",
        "0f3b.00000000000000000000000000000001.12",
        "oldest",
    ])
}

pub(super) fn schedules() -> Vec<Vec<u8>> {
    lines(&[
        "Europe/Berlin\n0 8 * * MON-FRI\n*/5 * * * *",
        "UTC\n0 0 L * *\n30 2 LW 1-6/2 ?",
        "America/New_York\n15 2 * * SUN#2\n0 0 29 2 *",
        "Asia/Kathmandu\n0/15 9-17 15W JAN,MAR FRIL 2030-2040",
        "Pacific/Apia\n@daily\n@hourly\n@every 90m",
        "UTC\n0 0 31 2 *",
        "Australia/Lord_Howe\n59 59 23 L-3 DEC ? 9999",
    ])
}

pub(super) fn expressions() -> Vec<Vec<u8>> {
    lines(&[
        "x.total > 100 && x.country in ['DE', 'AT']\n---\n{\"total\": 120.5, \"country\": \"DE\"}",
        "x.lines.map(l, l.price * l.quantity).all(p, p >= 0)\n---\n{\"lines\":[{\"price\":2,\"quantity\":3}]}",
        "has(x.a.b) ? x.a.b : decimal('0.1') + decimal('12345678901234567890')\n---\n{\"a\":{}}",
        "x.name.matches('^[a-z]+$') || x.name.startsWith('a')\n---\n{\"name\":\"anna\"}",
        "now > timestamp('2026-01-01T00:00:00Z') + duration('90m')",
        "[1, 2.5, 'three', null, true, {'a': [x]}][x]\n---\n3",
        "x.filter(i, i % 2 == 0).exists_one(i, i / 2 == 1)\n---\n[1,2,3,4]",
        "-9223372036854775807 - 1",
        "size(x) * 9223372036854775807\n---\n\"aaa\"",
        r#"{"operator":"and","subPredicates":[{"operator":"gte","path":"$.x.total","value":100},{"operator":"in","path":"$.x.country","value":["DE","AT"]}]}"#,
        r#"{"operator":"ne","path":"$.x[0]['a b'].c","value":{"Path":"$.x.d"}}"#,
    ])
}

pub(super) fn rules() -> Vec<Vec<u8>> {
    lines(&[
        "status == 404 && body.code == 'gone'",
        "5xx, 429, !503",
        ">=500, !501-503",
        "400-499, <200",
        "headers['retry-after'] != '' || error == 'timeout'",
        "attempt > 3 && job.action == 'delete'",
    ])
}

pub(super) fn connectors() -> Vec<Vec<u8>> {
    lines(&[
        r#"{"items":[{"id":"1","status":"succeeded","repeated":true}]}"#,
        r#"{"items":[{"id":"1","status":"failed","error":{"class":"rate_limited","message":"slow down","retry_after_ms":250}}]}"#,
        r#"{"contract":1,"destination":"shop","action":"update","object_type":"stock","items":[{"id":"1","object_ids":["7"],"attempt":2,"body":{"left":3}}]}"#,
        r#"{"contract":1,"name":"shop","version":"1","operations":[{"object_type":"stock","actions":["update"]}],"idempotency":"keys"}"#,
    ])
}

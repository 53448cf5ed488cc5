//! One event of each type.

use super::*;

fn why() -> Failure {
    Failure::new(
        FailureKind::Application,
        "CardDeclined",
        "the card was declined",
    )
}

pub(super) const AT: Timestamp = Timestamp(1_795_269_787_250);

/// What happens to a run, one example of each type.
fn notifications() -> Vec<Notification> {
    let command = CommandId(4);
    vec![
        Notification::Started {
            input: json("{\"order\":42}"),
            seed: 7,
            tags: None,
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
            options: Box::default(),
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
            job: Box::new(NewJob {
                destination: name("shop"),
                lane: name("sku-1"),
                object_type: name("stock"),
                action: name("update"),
                object_ids: vec![name("sku-1")],
                body: json("{}"),
                ..NewJob::default()
            }),
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
        Mark::JobSuperseded { by: JobId(8) },
        Mark::JobExpired,
        Mark::LaneBlocked {
            attempt: 20,
            reason: reason(),
        },
        Mark::LaneReleased,
        Mark::JobBlocked {
            reason: name("job `00000000000000000000000000000007` is dead"),
        },
        Mark::JobReleased,
    ]
}

fn destination_marks() -> Vec<Mark> {
    vec![
        Mark::DestinationFailing {
            until: AT,
            trips: 1,
        },
        Mark::DestinationRecovered,
        Mark::DestinationDisabled {
            reason: name("its breaker opened 10 times without a success between"),
        },
    ]
}

fn credential_marks() -> Vec<Mark> {
    vec![
        Mark::CredentialRefreshFailed {
            version: 2,
            reason: name("the token endpoint: it answers 401 invalid_client"),
        },
        Mark::CredentialRefreshRecovered { version: 2 },
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
pub(super) fn examples() -> Vec<Event> {
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
    let destination_marks = destination_marks().into_iter().map(|mark| {
        let answers = None;
        let about = About::Destination { name: name("shop") };
        (about, What::Mark { mark, answers })
    });
    let credential_marks = credential_marks().into_iter().map(|mark| {
        let answers = None;
        let about = About::Credential {
            name: name("shop-api"),
        };
        (about, What::Mark { mark, answers })
    });
    let mut all: Vec<Event> = entries
        .chain(marks)
        .chain(job_marks)
        .chain(schedule_marks)
        .chain(destination_marks)
        .chain(credential_marks)
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

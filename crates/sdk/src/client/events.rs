//! Listening: the events of the engine, as a stream that goes on through broken connections and restarts.

use super::{Client, ClientError};
use crate::payload;
use futures_util::Stream;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};
use std::time::Duration;
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::{Command, Entry, Notification, Outcome};
use trunkline_api::core::failure::Failure;
use trunkline_api::core::feed::{
    About, Answered, Event as FeedEvent, EventFilter, EventType, FeedCursor, FeedFrom, Mark,
    ReadEvents, What,
};
use trunkline_api::core::ids::{JobId, RunId};
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::{Op, Rejection, Reply};
use trunkline_api::core::time::Timestamp;
use trunkline_api::event::{CloudEvent, cursor};

/// How long one request waits for events.
const WAIT_MS: u64 = 20_000;
/// How many events one request brings at most.
const PAGE: u32 = 200;
/// How long to wait before asking again when the engine cannot answer now.
const AGAIN: Duration = Duration::from_millis(200);

/// A place in the event feed: all that a listener has to remember. It is text, to be kept wherever the listener keeps what it made
/// of the events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventCursor(FeedCursor);

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cursor::write(&self.0))
    }
}

impl FromStr for EventCursor {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        cursor::read(text)
            .map(Self)
            .map_err(|problem| ClientError::Rejected(Rejection::new(problem.code, problem.detail)))
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// The place behind this event, at which to go on once it has been dealt with.
    pub cursor: EventCursor,
    event: FeedEvent,
}

impl Event {
    /// Its identity: unique in its engine, and the same whenever the event is read.
    #[must_use]
    pub fn id(&self) -> String {
        self.event.id()
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> EventType {
        self.event.kind
    }

    /// When it was.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.event.time
    }

    /// The run that it is about; nothing if it is about a job.
    #[must_use]
    pub fn run(&self) -> Option<&RunId> {
        match &self.event.about {
            About::Run { id, .. } => Some(id),
            About::Job(_)
            | About::Schedule { .. }
            | About::Destination { .. }
            | About::Credential { .. } => None,
        }
    }

    /// The job that it is about.
    #[must_use]
    pub fn job(&self) -> Option<JobId> {
        match &self.event.about {
            About::Run { .. }
            | About::Schedule { .. }
            | About::Destination { .. }
            | About::Credential { .. } => None,
            About::Job(job) => Some(job.id),
        }
    }

    /// What it is about, with all that is known of it.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.event.about
    }

    /// What happened: the entry of the run's history, or what no history holds.
    #[must_use]
    pub fn what(&self) -> &What {
        &self.event.what
    }

    /// The service and the task that it is about.
    #[must_use]
    pub fn task(&self) -> Option<(&Name, &Name)> {
        match &self.event.what {
            What::Entry {
                entry: Entry::Command(Command::ScheduleTask { service, task, .. }),
                ..
            } => Some((service, task)),
            What::Entry { answers, .. } | What::Mark { answers, .. } => match answers.as_ref()? {
                Answered {
                    service: Some(service),
                    name: Some(name),
                    ..
                } => Some((service, name)),
                _ => None,
            },
        }
    }

    /// The value in it, if there is one: an argument, a result, a signal, a property.
    ///
    /// # Errors
    /// If it is not a `T`.
    pub fn value<T: DeserializeOwned>(&self) -> Result<Option<T>, ClientError> {
        let Some(value) = value_in(&self.event.what) else {
            return Ok(None);
        };
        payload::decode(value)
            .map(Some)
            .map_err(ClientError::payload)
    }

    /// The failure in it, if there is one.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        let of_outcome = |outcome: &'_ Outcome| matches!(outcome, Outcome::Failed(_));
        match &self.event.what {
            What::Entry { entry, .. } => match entry {
                Entry::Notification(_, Notification::TaskFailed { failure, .. }) => Some(failure),
                Entry::Notification(
                    _,
                    Notification::StepDone { outcome, .. }
                    | Notification::MethodEnded { outcome, .. },
                )
                | Entry::Command(Command::MethodReturned { outcome, .. })
                    if of_outcome(outcome) =>
                {
                    failure_in(outcome)
                }
                _ => None,
            },
            What::Mark { mark, .. } => match mark {
                Mark::AttemptFailed { failure, .. } => Some(failure),
                Mark::Ended { failure, .. } => failure.as_ref(),
                _ => None,
            },
        }
    }

    /// The event as a CloudEvent, as the HTTP API has it.
    #[must_use]
    pub fn to_cloud_event(&self) -> CloudEvent {
        CloudEvent::new(self.cursor.0.of, &self.event)
    }
}

fn failure_in(outcome: &Outcome) -> Option<&Failure> {
    match outcome {
        Outcome::Completed(_) => None,
        Outcome::Failed(failure) => Some(failure),
    }
}

fn value_in(what: &What) -> Option<&Payload> {
    let of_outcome = |outcome: &'_ Outcome| matches!(outcome, Outcome::Completed(_));
    let What::Entry { entry, .. } = what else {
        return None;
    };
    match entry {
        Entry::Notification(_, notification) => match notification {
            Notification::Started { input, .. } | Notification::MethodCalled { input, .. } => {
                Some(input)
            }
            Notification::TaskCompleted { result, .. } => Some(result),
            Notification::Signal { payload, .. } => Some(payload),
            Notification::StepDone { outcome, .. } | Notification::MethodEnded { outcome, .. }
                if of_outcome(outcome) =>
            {
                completed(outcome)
            }
            _ => None,
        },
        Entry::Command(command) => match command {
            Command::ScheduleTask { input, .. } | Command::CallMethod { input, .. } => Some(input),
            Command::SetProperty { value, .. } => Some(value),
            Command::MethodReturned { outcome, .. } | Command::Finish { outcome } => {
                completed(outcome)
            }
            _ => None,
        },
        Entry::Turn { .. } => None,
    }
}

fn completed(outcome: &Outcome) -> Option<&Payload> {
    match outcome {
        Outcome::Completed(value) => Some(value),
        Outcome::Failed(_) => None,
    }
}

/// The events of an engine, one after the other, without end.
///
/// It begins with the oldest event that is kept, unless told otherwise, and goes on through broken connections and restarts of
/// the engine without losing or repeating one. It ends with an error that waiting cannot heal: `TL0091` if the listener was away for
/// longer than events are kept.
///
/// A listener that must see every event keeps the [`cursor`](Event::cursor) of the last one *together* with what it made of it, in
/// one transaction, and begins there the next time:
///
/// ```no_run
/// # use trunkline::prelude::*;
/// # use trunkline::{EventCursor, EventType};
/// # fn cursor_in_my_database() -> Option<String> { None }
/// # fn count_and_keep(_: &trunkline::core::ids::RunId, _: String) {}
/// # async fn listen(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut events = client.events().types([EventType::RunCompleted]).workflow("Checkout");
/// if let Some(text) = cursor_in_my_database() {
///     events = events.from(text.parse()?);
/// }
/// while let Some(event) = events.next().await {
///     let event = event?;
///     if let Some(run) = event.run() {
///         count_and_keep(run, event.cursor.to_string());
///     }
/// }
/// # Ok(()) }
/// ```
#[must_use = "a stream does nothing until it is asked for its next event"]
pub struct EventStream {
    client: Client,
    from: FeedFrom,
    filter: EventFilter,
    /// Where the events read so far end.
    behind: Option<FeedCursor>,
    /// Where the reading stands that they came from.
    read: Option<FeedCursor>,
    ready: VecDeque<FeedEvent>,
    asking: Option<Asking>,
    is_over: bool,
}

type Asking =
    Pin<Box<dyn Future<Output = Result<(Vec<FeedEvent>, FeedCursor), ClientError>> + Send>>;

impl EventStream {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            from: FeedFrom::Oldest,
            filter: EventFilter::default(),
            behind: None,
            read: None,
            ready: VecDeque::new(),
            asking: None,
            is_over: false,
        }
    }

    /// Begins behind an event that was seen before.
    pub fn from(mut self, cursor: EventCursor) -> Self {
        self.from = FeedFrom::At(cursor.0);
        self
    }

    /// Begins with what happens from now on.
    pub fn newest(mut self) -> Self {
        self.from = FeedFrom::Newest;
        self
    }

    /// Begins with what happened at this time or later, milliseconds since 1970.
    pub fn since(mut self, at: Timestamp) -> Self {
        self.from = FeedFrom::Since(at);
        self
    }

    /// Only what is about runs of a workflow, with the jobs that they create.
    pub fn workflow(mut self, workflow: impl Into<Name>) -> Self {
        self.filter.workflow = Some(workflow.into());
        self
    }

    /// Only what is about the run with this id.
    pub fn id(mut self, id: impl Into<Name>) -> Self {
        self.filter.id = Some(id.into());
        self
    }

    /// Only events of these types.
    pub fn types(mut self, types: impl IntoIterator<Item = EventType>) -> Self {
        self.filter.types.extend(types);
        self
    }

    /// Where the stream stands: behind the last event that it gave, or further if what followed was not wanted. Nothing before the
    /// first answer of the engine.
    #[must_use]
    pub fn cursor(&self) -> Option<EventCursor> {
        let cursor = if self.ready.is_empty() {
            self.read.as_ref()
        } else {
            self.behind.as_ref()
        };
        cursor.cloned().map(EventCursor)
    }

    /// The next event; waits until there is one. Nothing after an error.
    pub async fn next(&mut self) -> Option<Result<Event, ClientError>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    fn take(&mut self) -> Option<Event> {
        let event = self.ready.pop_front()?;
        let behind = self.behind.as_mut()?;
        if let Some(position) = behind.positions.get_mut(usize::from(event.shard.0)) {
            *position = event.behind();
        }
        let cursor = EventCursor(behind.clone());
        Some(Event { cursor, event })
    }

    fn ask(&self) -> Asking {
        let client = self.client.clone();
        let request = ReadEvents {
            from: self.from.clone(),
            filter: self.filter.clone(),
            limit: PAGE,
            wait_ms: WAIT_MS,
            shard: None,
        };
        Box::pin(async move {
            loop {
                match client.request(Op::ReadEvents(request.clone())).await {
                    Ok(Reply::Events { events, next }) => return Ok((events, next)),
                    Ok(other) => return Err(ClientError::unexpected(&other)),
                    Err(error) if is_passing(error.code()) => tokio::time::sleep(AGAIN).await,
                    Err(error) => return Err(error),
                }
            }
        })
    }
}

/// True if the engine may well answer in a while: it is being restarted, or has too much to do.
fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::ShuttingDown | Code::Overloaded | Code::JournalPoisoned
    )
}

impl Stream for EventStream {
    type Item = Result<Event, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.take() {
                return Poll::Ready(Some(Ok(event)));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            let mut asking = match self.asking.take() {
                Some(asking) => asking,
                None => self.ask(),
            };
            match asking.as_mut().poll(context) {
                Poll::Pending => {
                    self.asking = Some(asking);
                    return Poll::Pending;
                }
                Poll::Ready(Ok((events, next))) => {
                    // In front of the first event of each shard; where there is none, behind everything.
                    let mut behind = next.clone();
                    for event in events.iter().rev() {
                        let shard = usize::from(event.shard.0);
                        if let Some(position) = behind.positions.get_mut(shard) {
                            *position = event.at;
                        }
                    }
                    self.behind = Some(behind);
                    self.from = FeedFrom::At(next.clone());
                    self.read = Some(next);
                    self.ready = events.into();
                }
                Poll::Ready(Err(error)) => {
                    self.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventStream({:?})", self.filter)
    }
}

//! `GET /v1/events`: the event feed, as a page or as a stream of server-sent events.
//!
//! A stream is pulled by its connection: the next page is asked for when the one before has been written, so a client that reads
//! slowly costs one page of memory and nobody waits for it. Each event has the cursor behind it as its `id`, so that a browser's
//! `EventSource`, which repeats the last one in `Last-Event-ID`, goes on exactly where it was.

use crate::answer::{Answer, Refusal};
use crate::app::{App, unexpected};
use crate::gate;
use crate::input::Asked;
use crate::pass::Pass;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use trunkline_api::core::code::Code;
use trunkline_api::core::feed::{Event, FeedCursor, FeedFrom, ReadEvents};
use trunkline_api::core::peer::{Op, Reply};
use trunkline_api::event::{BATCH_CONTENT_TYPE, CURSOR_HEADER, CloudEvent, EventQuery, cursor};
use trunkline_api::problem::Problem;

/// The media type of a stream (HTML Living Standard, 9.2).
const STREAM_CONTENT_TYPE: &str = "text/event-stream";
/// What a client waits before it connects again, in milliseconds.
const RETRY_MS: u32 = 1_000;

/// `GET /v1/events`
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    pass: Pass,
    headers: HeaderMap,
    Asked(mut query): Asked<EventQuery>,
) -> Answer {
    let is_stream = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains(STREAM_CONTENT_TYPE));
    if !is_stream {
        return page(&app, &query).await;
    }
    if let Some(last) = headers.get("last-event-id") {
        // It is later than the cursor with which the client began.
        query.cursor = Some(last.to_str().unwrap_or_default().to_owned());
    }
    stream(app, pass, &query).await
}

async fn page(app: &App, query: &EventQuery) -> Answer {
    let request = query.request()?;
    if u128::from(request.wait_ms) > app.config.wait_max.as_millis() {
        let detail = format!(
            "a request may wait {} ms at most",
            app.config.wait_max.as_millis()
        );
        return Err(Refusal::new(Code::WrongType, detail));
    }
    let answer = tokio::select! {
        answer = read(app, request.clone()) => answer?,
        // A server that stops does not keep those who wait.
        () = app.stopped() => read(app, ReadEvents { wait_ms: 0, ..request }).await?,
    };
    let (events, next) = answer;
    let of = next.of;
    let page: Vec<CloudEvent> = events
        .iter()
        .map(|event| CloudEvent::new(of, event))
        .collect();
    let bytes = serde_json::to_vec(&page).map_err(unwritable)?;
    let headers = [
        (header::CONTENT_TYPE.as_str(), BATCH_CONTENT_TYPE.to_owned()),
        (CURSOR_HEADER, cursor::write(&next)),
    ];
    Ok((headers, bytes).into_response())
}

async fn stream(app: Arc<App>, pass: Pass, query: &EventQuery) -> Answer {
    let mut request = query.request()?;
    let Ok(permit) = Arc::clone(&app.streams).try_acquire_owned() else {
        return Err(Refusal::new(
            Code::Overloaded,
            "too many streams of events are open",
        ));
    };
    // The first look says whether the cursor is usable, while there can still be a problem for an answer.
    request.wait_ms = 0;
    let (events, next) = read(&app, request.clone()).await?;
    request.wait_ms = app.config.heartbeat.as_millis() as u64;
    let mut text = format!("retry: {RETRY_MS}\n\n");
    tell(&mut text, &events, &next)?;
    let state = Streaming {
        app,
        pass,
        request: ReadEvents {
            from: FeedFrom::At(next),
            ..request
        },
        first: Some(text),
        _permit: permit,
    };
    let body = futures_util::stream::unfold(Some(state), |state| async move {
        let mut state = state?;
        let (text, more) = state.more().await?;
        let chunk = Ok::<_, std::convert::Infallible>(Bytes::from(text));
        Some((chunk, more.then_some(state)))
    });
    let headers = [
        (header::CONTENT_TYPE, STREAM_CONTENT_TYPE),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// A stream that is being read.
struct Streaming {
    app: Arc<App>,
    pass: Pass,
    request: ReadEvents,
    /// What is there already.
    first: Option<String>,
    _permit: OwnedSemaphorePermit,
}

impl Streaming {
    /// What is to be written next, and whether more may follow; nothing at the end.
    async fn more(&mut self) -> Option<(String, bool)> {
        if let Some(first) = self.first.take() {
            return Some((first, true));
        }
        let app = Arc::clone(&self.app);
        let read = tokio::select! {
            read = read(&app, self.request.clone()) => read,
            () = self.pass.ended() => Err(gate::over()),
            () = app.stopped() => return None,
        };
        let mut text = String::new();
        let told = read.and_then(|(events, next)| {
            tell(&mut text, &events, &next)?;
            self.request.from = FeedFrom::At(next);
            Ok(())
        });
        match told {
            Ok(()) => Some((text, true)),
            Err(problem) => {
                // The status is long sent; this is what is left to say it with.
                let body = serde_json::to_string(&problem.body("")).unwrap_or_default();
                Some((format!("event: problem\ndata: {body}\n\n"), false))
            }
        }
    }
}

/// Writes events, each with the cursor behind it, or a heartbeat. That has a cursor too: a filter may let nothing through for longer
/// than events are kept, and who comes back then is not to have fallen behind.
fn tell(text: &mut String, events: &[Event], next: &FeedCursor) -> Result<(), Problem> {
    let mut cursor = next.clone();
    for event in events.iter().rev() {
        if let Some(position) = cursor.positions.get_mut(usize::from(event.shard.0)) {
            *position = event.at;
        }
    }
    for event in events {
        if let Some(position) = cursor.positions.get_mut(usize::from(event.shard.0)) {
            *position = event.behind();
        }
        let body = serde_json::to_string(&CloudEvent::new(cursor.of, event)).map_err(unwritable)?;
        let id = cursor::write(&cursor);
        write!(text, "id: {id}\ndata: {body}\n\n").expect("a String takes everything");
    }
    if events.is_empty() {
        let id = cursor::write(next);
        write!(text, ": heartbeat\nid: {id}\n\n").expect("a String takes everything");
    }
    Ok(())
}

async fn read(app: &App, request: ReadEvents) -> Result<(Vec<Event>, FeedCursor), Problem> {
    match app.ask(Op::ReadEvents(request)).await? {
        Reply::Events { events, next } => Ok((events, next)),
        other => Err(unexpected(&other)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` takes")]
fn unwritable(error: serde_json::Error) -> Problem {
    Problem::new(Code::Internal, format!("writing the answer: {error}"))
}

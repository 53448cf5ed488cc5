//! A bad connector: a real HTTP server that fails at random, asks for patience in both forms, and drops connections after it
//! has accepted what they brought. It keeps its own [`records`](super::records).
//!
//! `POST /webhook` takes one job, `POST /connector` a call of the connector contract. A job's body says its lane's name and its
//! place in it, as its creator numbered it, so that nothing that Trunkline says about order has to be believed.

use super::records::{Arrival, End, Records};
use crate::dice::{chance, mix};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::RETRY_AFTER;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trunkline_api::connector::{Answer, Call, ItemAnswer};
use trunkline_core::egress::ErrorClass;

/// How bad a connector is.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    /// The seed of everything random.
    pub seed: u64,
    /// Of a hundred calls or items so many fail.
    pub failing_percent: u8,
    /// Of a hundred calls so many are accepted and never answered.
    pub dropping_percent: u8,
    /// The numbers of the calls of each kind that are answered with 429, in both forms in turn.
    pub patience_at: &'static [u64],
}

/// The connector. Clones are the same one.
#[derive(Clone, Debug)]
pub struct BadConnector {
    temper: Temper,
    records: Arc<Mutex<Records>>,
    webhooks: Arc<AtomicU64>,
    batches: Arc<AtomicU64>,
    /// The destination whose calls are read and not answered.
    silent: Arc<Mutex<Option<String>>>,
}

/// A job that came alone.
#[derive(Deserialize)]
struct Webhook {
    destination: String,
    lane: String,
    sequence: u64,
    body: Made,
}

/// The body that the acceptance gives its jobs.
#[derive(Deserialize)]
struct Made {
    place: u64,
}

/// How long the connector asks for patience, about.
const PATIENCE_S: u64 = 2;

impl BadConnector {
    /// One with empty records.
    #[must_use]
    pub fn new(temper: Temper) -> Self {
        Self {
            temper,
            records: Arc::default(),
            webhooks: Arc::default(),
            batches: Arc::default(),
            silent: Arc::default(),
        }
    }

    /// Begins to listen, on a runtime; returns its URL, without a path.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let connector = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Without it, an answer may wait for a packet of the other side.
                let _ = stream.set_nodelay(true);
                let connector = connector.clone();
                let service = service_fn(move |request| {
                    let connector = connector.clone();
                    async move { connector.serve(request).await }
                });
                tokio::spawn(async move {
                    // It ends with an error when the connector drops it, or the other side is killed.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        format!("http://{address}")
    }

    /// From now on, calls of this destination are read and never answered.
    pub fn silence(&self, destination: Option<&str>) {
        *self.silenced() = destination.map(str::to_owned);
    }

    fn silenced(&self) -> MutexGuard<'_, Option<String>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it has seen so far.
    pub fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error drops the connection: nothing is answered.
    async fn serve(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        // A call whose end never came is none.
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        if self.is_silent_for(&body) {
            return std::future::pending().await;
        }
        match head.uri.path() {
            "/webhook" => {
                let key = head.headers.get("idempotency-key");
                let key = key.and_then(|key| key.to_str().ok()).unwrap_or_default();
                self.webhook(key, &body)
            }
            "/connector" => self.batch(&body),
            _ => Ok(answer(StatusCode::NOT_FOUND, "")),
        }
    }

    fn is_silent_for(&self, body: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Named {
            destination: String,
        }
        let silent = self.silenced();
        let Some(silent) = &*silent else {
            return false;
        };
        serde_json::from_slice::<Named>(body).is_ok_and(|named| named.destination == *silent)
    }

    fn webhook(&self, key: &str, body: &[u8]) -> io::Result<Response<Full<Bytes>>> {
        let Ok(job) = serde_json::from_slice::<Webhook>(body) else {
            return Ok(answer(StatusCode::BAD_REQUEST, "this is no job"));
        };
        let number = self.webhooks.fetch_add(1, Ordering::SeqCst) + 1;
        let dice = mix(&[self.temper.seed, 1, number]);
        let patience = self.patience(number);
        let fails = chance(self.temper.failing_percent, &[dice, 1]);
        let drops = chance(self.temper.dropping_percent, &[dice, 2]);
        let end = match (patience.is_some() || fails, drops) {
            (true, _) => End::Failed,
            (false, true) => End::Lost,
            (false, false) => End::Accepted,
        };
        self.write_down(
            &job.destination,
            patience.as_ref(),
            [(
                job.lane.as_str(),
                Arrival {
                    place: job.body.place,
                    sequence: job.sequence,
                    key: key.to_owned(),
                    end,
                },
            )],
        );
        match (patience, fails, end) {
            (Some(patience), ..) => Ok(patience.answer()),
            // Some failures are no answer at all.
            (None, true, _) if chance(30, &[dice, 3]) => Err(dropped()),
            (None, true, _) => {
                let statuses = [500, 502, 503, 504, 408];
                let status = statuses[(dice % 5) as usize];
                let status = StatusCode::from_u16(status).map_err(io::Error::other)?;
                Ok(answer(status, "not now"))
            }
            (None, false, End::Accepted) => Ok(answer(StatusCode::OK, "")),
            (None, false, _) => Err(dropped()),
        }
    }

    fn batch(&self, body: &[u8]) -> io::Result<Response<Full<Bytes>>> {
        let Ok(call) = serde_json::from_slice::<Call>(body) else {
            return Ok(answer(StatusCode::BAD_REQUEST, "this is no call"));
        };
        let number = self.batches.fetch_add(1, Ordering::SeqCst) + 1;
        let dice = mix(&[self.temper.seed, 2, number]);
        let patience = self.patience(number);
        let drops = chance(self.temper.dropping_percent, &[dice, 2]);
        let mut answers = Answer::default();
        let mut arrivals = Vec::new();
        for (place, item) in call.items.iter().enumerate() {
            let dice = mix(&[dice, place as u64]);
            let fails = chance(self.temper.failing_percent, &[dice, 1]);
            let unmentioned = chance(self.temper.dropping_percent, &[dice, 4]);
            let end = if patience.is_some() || fails {
                End::Failed
            } else if drops || unmentioned {
                End::Lost
            } else {
                End::Accepted
            };
            if fails {
                let class = ErrorClass::Retryable;
                answers
                    .items
                    .push(ItemAnswer::failed(&item.id, class, "not now"));
            } else if !unmentioned {
                answers.items.push(ItemAnswer::succeeded(&item.id));
            }
            let made = Made::deserialize(&item.body).map_err(io::Error::other)?;
            arrivals.push((
                item.lane.as_str(),
                Arrival {
                    place: made.place,
                    sequence: item.sequence,
                    key: item.id.clone(),
                    end,
                },
            ));
        }
        self.write_down(&call.destination, patience.as_ref(), arrivals);
        if let Some(patience) = patience {
            return Ok(patience.answer());
        }
        if drops {
            return Err(dropped());
        }
        let text = serde_json::to_string(&answers).map_err(io::Error::other)?;
        Ok(answer(StatusCode::OK, text))
    }

    fn write_down<'a>(
        &self,
        destination: &str,
        patience: Option<&Patience>,
        arrivals: impl IntoIterator<Item = (&'a str, Arrival)>,
    ) {
        let mut records = self.records();
        let until = patience.map(|patience| records.now() + patience.lasts);
        records.call(destination, until);
        for (lane, arrival) in arrivals {
            records.arrival(destination, lane, arrival);
        }
    }

    /// Whether the call with this number is to be told to wait.
    fn patience(&self, number: u64) -> Option<Patience> {
        let place = self
            .temper
            .patience_at
            .iter()
            .position(|at| *at == number)?;
        Some(Patience::asked(place.is_multiple_of(2), SystemTime::now()))
    }
}

/// A request for patience.
struct Patience {
    /// The header's value: seconds, or a date.
    value: String,
    /// For how long nobody is to call.
    lasts: Duration,
}

impl Patience {
    fn asked(as_date: bool, now: SystemTime) -> Self {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if as_date {
            // A date has whole seconds.
            let until = now.as_secs() + 1 + PATIENCE_S;
            Self {
                value: http_date(until),
                lasts: Duration::from_secs(until).saturating_sub(now),
            }
        } else {
            Self {
                value: PATIENCE_S.to_string(),
                lasts: Duration::from_secs(PATIENCE_S),
            }
        }
    }

    fn answer(self) -> Response<Full<Bytes>> {
        let mut response = answer(StatusCode::TOO_MANY_REQUESTS, "too fast");
        if let Ok(value) = self.value.parse() {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
        response
    }
}

fn answer(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response
}

fn dropped() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the connector drops it")
}

/// A time as HTTP has it (RFC 9110, 5.6.7), such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
    let (mut year, mut day) = (1970, days);
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let months = [
        ("Jan", 31),
        ("Feb", 28 + u64::from(leap(year))),
        ("Mar", 31),
        ("Apr", 30),
        ("May", 31),
        ("Jun", 30),
        ("Jul", 31),
        ("Aug", 31),
        ("Sep", 30),
        ("Oct", 31),
        ("Nov", 30),
        ("Dec", 31),
    ];
    let mut month = months[0].0;
    for (name, length) in months {
        month = name;
        if day < length {
            break;
        }
        day -= length;
    }
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let (day, second) = (day + 1, second % 60);
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn a_date_is_written_as_http_has_it() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(http_date(1_798_761_599), "Thu, 31 Dec 2026 23:59:59 GMT");
    }
}

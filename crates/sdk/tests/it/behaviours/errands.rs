//! The service of the behaviours: small errands, some of which go wrong.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use trunkline::Ending;
use trunkline::prelude::*;

/// An error with fields, and a cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spilt {
    pub(crate) what: String,
    pub(crate) litres: u32,
}

impl std::fmt::Display for Spilt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} litres of {} spilt", self.litres, self.what)
    }
}

impl std::error::Error for Spilt {}

#[service]
pub(crate) trait Errands {
    async fn concat(&self, t: &TaskCx, a: String, b: String) -> Result<String>;
    async fn reverse(&self, t: &TaskCx, text: String) -> Result<String>;
    /// Takes so long on the bed's clock, and says how long.
    async fn takes(&self, t: &TaskCx, ms: u64) -> Result<u64>;
    /// Gives the text back, after so long on the bed's clock.
    async fn later(&self, t: &TaskCx, text: String, ms: u64) -> Result<String>;
    /// Fails for good while the service is closed.
    async fn needs_open(&self, t: &TaskCx) -> Result<String>;
    /// Fails for good.
    async fn refuse(&self, t: &TaskCx, why: String) -> Result<String>;
    /// Fails with a typed error.
    async fn spill(&self, t: &TaskCx, litres: u32) -> Result<(), Spilt>;
    /// Fails with an error whose cause is a typed one.
    async fn spill_inside(&self, t: &TaskCx, litres: u32) -> Result<()>;
    /// Fails twice, and then says how the attempt before failed.
    async fn third_time(&self, t: &TaskCx) -> Result<String>;
    /// What the task knows of its surroundings.
    async fn surroundings(&self, t: &TaskCx) -> Result<Vec<String>>;
    /// Waits until it is told that its time is over.
    async fn overstays(&self, t: &TaskCx) -> Result<()>;
    /// Somebody else answers.
    async fn ask(&self, t: &TaskCx) -> Result<String>;
    /// One attempt, which may take 100 ms.
    #[task(attempts = 1, timeout_ms = 100)]
    async fn brisk(&self, t: &TaskCx, ms: u64) -> Result<u64>;
    /// Three attempts, none of which succeeds.
    #[task(attempts = 3, initial_ms = 10)]
    async fn stubborn(&self, t: &TaskCx) -> Result<()>;
}

/// An implementation that says what was done.
#[derive(Clone, Default)]
pub(crate) struct Runner {
    pub(crate) open: Arc<AtomicBool>,
    pub(crate) attempts: Arc<AtomicU32>,
    pub(crate) asked: Arc<Mutex<Vec<trunkline::TaskId>>>,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

impl Runner {
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn saw(&self, what: impl Into<String>) {
        self.seen.lock().unwrap().push(what.into());
    }
}

impl Errands for Runner {
    async fn concat(&self, _: &TaskCx, a: String, b: String) -> Result<String> {
        Ok(a + &b)
    }

    async fn reverse(&self, _: &TaskCx, text: String) -> Result<String> {
        Ok(text.chars().rev().collect())
    }

    async fn takes(&self, t: &TaskCx, ms: u64) -> Result<u64> {
        t.sleep(millis(ms)).await;
        Ok(ms)
    }

    async fn later(&self, t: &TaskCx, text: String, ms: u64) -> Result<String> {
        t.sleep(millis(ms)).await;
        Ok(text)
    }

    async fn needs_open(&self, t: &TaskCx) -> Result<String> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        if self.open.load(Ordering::SeqCst) {
            return Ok("ok".into());
        }
        Err(t.fatal(Error::new("Closed", "nobody is there")))
    }

    async fn refuse(&self, t: &TaskCx, why: String) -> Result<String> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        Err(t.fatal(Error::new("Refused", why)))
    }

    async fn spill(&self, t: &TaskCx, litres: u32) -> Result<(), Spilt> {
        let what = "milk".into();
        Err(t.fatal(Spilt { what, litres }))
    }

    async fn spill_inside(&self, t: &TaskCx, litres: u32) -> Result<()> {
        let what = "milk".into();
        let spilt = Error::typed(Spilt { what, litres });
        Err(t.fatal(spilt.context("on the way home")))
    }

    async fn third_time(&self, t: &TaskCx) -> Result<String> {
        if t.attempt() < 3 {
            return Err(Error::new("Tripped", format!("attempt {}", t.attempt())));
        }
        let last = t.last_failure().unwrap();
        Ok(format!("{}: {}", last.name, last.message))
    }

    async fn surroundings(&self, t: &TaskCx) -> Result<Vec<String>> {
        let mut seen = vec![t.run_id().to_string(), t.service().to_string()];
        seen.extend(t.tags().iter().map(ToString::to_string));
        seen.extend(t.meta::<String>("colour"));
        Ok(seen)
    }

    async fn overstays(&self, t: &TaskCx) -> Result<()> {
        let seen = self.clone();
        t.on_timeout(move || seen.saw("called back"));
        let ending = t.cancelled().await;
        if ending == Ending::TimedOut && t.is_cancelled() {
            self.saw("timed out");
        }
        Ok(())
    }

    async fn ask(&self, t: &TaskCx) -> Result<String> {
        self.asked.lock().unwrap().push(t.id());
        t.delegate().await
    }

    async fn brisk(&self, t: &TaskCx, ms: u64) -> Result<u64> {
        t.sleep(millis(ms)).await;
        Ok(ms)
    }

    async fn stubborn(&self, _: &TaskCx) -> Result<()> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        Err(Error::new("No", "no"))
    }
}

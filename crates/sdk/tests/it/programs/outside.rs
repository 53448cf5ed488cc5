//! The outside world: services that do what programs ask, and remember every attempt.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use trunkline::Ending;
use trunkline::prelude::*;

/// What the tasks of programs do.
#[service]
pub(crate) trait Outside {
    async fn give(&self, t: &TaskCx, n: i64, failures: u32, fatal: bool) -> Result<i64>;
    async fn hang(&self, t: &TaskCx) -> Result<()>;
    async fn undo(&self, t: &TaskCx, saga: u64, step: usize) -> Result<()>;
    async fn clean_up(&self, t: &TaskCx) -> Result<i64>;
}

/// What was seen of one task.
#[derive(Clone, Debug)]
pub(crate) struct Effect {
    pub(crate) what: String,
    /// The saga that it undoes something of.
    pub(crate) saga: Option<u64>,
    pub(crate) attempts: u32,
    /// When it was seen first, in the order of everything.
    pub(crate) order: u64,
}

/// An outside world.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    /// By root run, then by the key that tells tasks apart.
    effects: Arc<Mutex<HashMap<String, BTreeMap<String, Effect>>>>,
    attempts: Arc<AtomicU64>,
    progress: Arc<Notify>,
}

impl Memory {
    /// What was seen of the tasks of a program, by their keys.
    pub(crate) fn of(&self, root: &str) -> BTreeMap<String, Effect> {
        self.effects
            .lock()
            .unwrap()
            .get(root)
            .cloned()
            .unwrap_or_default()
    }

    /// Returns once so many attempts have begun, in all.
    pub(crate) async fn reached(&self, attempts: u64) {
        loop {
            let progress = self.progress.notified();
            if self.attempts.load(Ordering::SeqCst) >= attempts {
                return;
            }
            progress.await;
        }
    }

    fn see(&self, t: &TaskCx, what: &str, saga: Option<u64>) {
        let order = self.attempts.fetch_add(1, Ordering::SeqCst);
        let id = t.run_id().id.as_str();
        let root = id.split('.').next().unwrap_or(id).to_owned();
        let mut effects = self.effects.lock().unwrap();
        let effect = effects
            .entry(root)
            .or_default()
            .entry(t.idempotency_key())
            .or_insert(Effect {
                what: what.to_owned(),
                saga,
                attempts: 0,
                order,
            });
        if effect.what != what {
            // Two tasks with one key: the model will not know this one.
            effect.what = format!("{} and {what}", effect.what);
        }
        effect.attempts = effect.attempts.max(t.attempt());
        drop(effects);
        self.progress.notify_waiters();
    }
}

impl Outside for Memory {
    async fn give(&self, t: &TaskCx, n: i64, failures: u32, fatal: bool) -> Result<i64> {
        self.see(t, &format!("task {n}"), None);
        match n % 3 {
            0 => {}
            1 => tokio::task::yield_now().await,
            _ => tokio::time::sleep(Duration::from_micros(200)).await,
        }
        if t.attempt() <= failures {
            let error = Error::new("Planned", "the program wants it so");
            return Err(if fatal { t.fatal(error) } else { error });
        }
        Ok(n)
    }

    async fn hang(&self, t: &TaskCx) -> Result<()> {
        self.see(t, "hang", None);
        tokio::select! {
            () = t.sleep(Duration::MAX) => {}
            ending = t.cancelled() => {
                if ending != Ending::Cancelled {
                    t.sleep(Duration::MAX).await;
                }
            }
        }
        Ok(())
    }

    async fn undo(&self, t: &TaskCx, saga: u64, step: usize) -> Result<()> {
        self.see(t, &format!("undo {step}"), Some(saga));
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn clean_up(&self, t: &TaskCx) -> Result<i64> {
        self.see(t, "clean up", None);
        Ok(1_000)
    }
}

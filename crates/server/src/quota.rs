//! Limits of a tenant: how often it may ask, and how much it may have.
//!
//! What a tenant has is counted when it asks for more, and not again for a while: between two counts, what was let in since is added.
//! So what comes from outside never exceeds a limit. What comes from inside counts, and is not refused: a run that was let in may
//! start children and create jobs, because half a turn cannot be refused.
//!
//! A tenant without limits passes here by one look at a flag.

use crate::disk::bytes_of;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use trunkline_api::access::{TenantLimits, TenantUse};
use trunkline_api::core::code::Code;
use trunkline_api::core::egress::Rate;
use trunkline_api::core::gcra::Gcra;
use trunkline_api::core::peer::{Counters, Op, Rejection};
use trunkline_api::core::run::RunStatus;
use trunkline_api::core::time::Timestamp;
use trunkline_engine::Engine;

/// A count is good for so long.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// However much is refused, nothing is counted again sooner.
const COUNTED_EVERY: Duration = Duration::from_millis(100);

/// The limits of a tenant, and what is known of its use.
#[derive(Debug)]
pub(crate) struct Quota {
    /// False: there are none, which is all that most requests have to know.
    is_set: AtomicBool,
    limits: RwLock<TenantLimits>,
    rate: Mutex<Option<Gcra>>,
    began: Instant,
    counted: tokio::sync::Mutex<Counted>,
    under_way: Arc<UnderWay>,
    /// The data folder; absent: its bytes are not known.
    folder: Option<PathBuf>,
    /// Requests refused, by what they hit.
    refused: [AtomicU64; Limit::ALL.len()],
}

/// What there may be too much of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Limit {
    Requests,
    Runs,
    Jobs,
    Disk,
}

impl Limit {
    pub(crate) const ALL: [Self; 4] = [Self::Requests, Self::Runs, Self::Jobs, Self::Disk];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Runs => "runs",
            Self::Jobs => "jobs",
            Self::Disk => "disk",
        }
    }
}

/// What was let in and has not reached the engine's counters for certain.
#[derive(Debug, Default)]
struct UnderWay {
    runs: AtomicU64,
    jobs: AtomicU64,
}

/// What was there at the last count, and what was let in since.
#[derive(Debug, Default)]
struct Counted {
    at: Option<Instant>,
    runs: u64,
    jobs: u64,
    disk_bytes: u64,
}

/// What a request would add.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Claim {
    runs: u64,
    jobs: u64,
}

/// Something that was let in. It is held until the engine has it.
#[derive(Debug)]
pub(crate) struct Permit {
    claim: Claim,
    under_way: Arc<UnderWay>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Claim { runs, jobs } = self.claim;
        self.under_way.runs.fetch_sub(runs, Ordering::SeqCst);
        self.under_way.jobs.fetch_sub(jobs, Ordering::SeqCst);
    }
}

impl Quota {
    pub(crate) fn new(limits: TenantLimits, folder: Option<PathBuf>) -> Self {
        let quota = Self {
            is_set: AtomicBool::new(false),
            limits: RwLock::default(),
            rate: Mutex::default(),
            began: Instant::now(),
            counted: tokio::sync::Mutex::default(),
            under_way: Arc::default(),
            folder,
            refused: Default::default(),
        };
        quota.set(limits);
        quota
    }

    pub(crate) fn limits(&self) -> TenantLimits {
        *self.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets all limits.
    pub(crate) fn set(&self, limits: TenantLimits) {
        let rate = limits.requests_per_second.map(|per_second| {
            let rate = Rate {
                per_second,
                burst: per_second,
            };
            Gcra::new(rate, 0)
        });
        *self.rate.lock().unwrap_or_else(PoisonError::into_inner) = rate;
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
        self.is_set
            .store(limits != TenantLimits::default(), Ordering::SeqCst);
    }

    /// True if a request may be refused here.
    pub(crate) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self, by: Limit) -> u64 {
        self.refused[by as usize].load(Ordering::Relaxed)
    }

    /// Counts a request.
    pub(crate) fn take_request(&self) -> Result<(), Rejection> {
        if !self.is_set() {
            return Ok(());
        }
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rate) = &mut *rate else {
            return Ok(());
        };
        // From one, because at zero a limiter that was never used would be ahead of itself.
        let now = Timestamp(self.began.elapsed().as_millis() as u64 + 1_000_000);
        if rate.wait_until(now).is_some() {
            let per_second = self.limits().requests_per_second.unwrap_or(0);
            let detail = format!("the tenant may ask {per_second} times a second");
            return Err(self.refuse(Limit::Requests, Code::TenantBusy, &detail));
        }
        rate.admit(now);
        Ok(())
    }

    /// Lets in what `op` adds, or refuses it.
    pub(crate) async fn admit(
        &self,
        engine: &Engine,
        op: &Op,
    ) -> Result<Option<Permit>, Rejection> {
        if !self.is_set() {
            return Ok(None);
        }
        let Some(claim) = Claim::of(op) else {
            return Ok(None);
        };
        let limits = self.limits();
        let TenantLimits {
            open_runs,
            open_jobs,
            disk_bytes,
            ..
        } = limits;
        if (open_runs, open_jobs, disk_bytes) == (None, None, None) {
            return Ok(None);
        }
        let mut counted = self.counted.lock().await;
        let age = counted.at.map(|at| at.elapsed());
        let is_good = age.is_some_and(|age| age < GOOD_FOR) && counted.hit(limits, claim).is_none();
        if !is_good && age.is_none_or(|age| age >= COUNTED_EVERY) {
            // What is on its way now may be in the figures or not. It is added, so that they are never too low.
            let runs = self.under_way.runs.load(Ordering::SeqCst);
            let jobs = self.under_way.jobs.load(Ordering::SeqCst);
            let at = Instant::now();
            let found = self.usage(engine, disk_bytes.is_some()).await;
            *counted = Counted {
                at: Some(at),
                runs: found.open_runs + runs,
                jobs: found.open_jobs + jobs,
                disk_bytes: found.disk_bytes,
            };
        }
        if let Some((limit, max)) = counted.hit(limits, claim) {
            let what = match limit {
                Limit::Runs => format!("the tenant may have {max} runs that have not ended"),
                Limit::Jobs => format!("the tenant may have {max} jobs that are not settled"),
                Limit::Disk | Limit::Requests => {
                    format!("the tenant may have {max} bytes on the disk")
                }
            };
            return Err(self.refuse(limit, Code::TenantFull, &what));
        }
        counted.runs += claim.runs;
        counted.jobs += claim.jobs;
        self.under_way.runs.fetch_add(claim.runs, Ordering::SeqCst);
        self.under_way.jobs.fetch_add(claim.jobs, Ordering::SeqCst);
        Ok(Some(Permit {
            claim,
            under_way: Arc::clone(&self.under_way),
        }))
    }

    /// What there is now.
    pub(crate) async fn usage(&self, engine: &Engine, with_disk: bool) -> TenantUse {
        let counters = engine.counters().await;
        let disk_bytes = match &self.folder {
            Some(folder) if with_disk => bytes_of(folder.clone()).await,
            _ => 0,
        };
        TenantUse {
            open_runs: open_runs(&counters),
            runs: counters.runs.iter().sum(),
            open_jobs: counters.jobs_pending + counters.jobs_in_flight + counters.jobs_dead,
            peers: engine.stats().peers,
            disk_bytes,
        }
    }

    fn refuse(&self, limit: Limit, code: Code, detail: &str) -> Rejection {
        self.refused[limit as usize].fetch_add(1, Ordering::Relaxed);
        Rejection::new(code, detail)
    }
}

fn open_runs(counters: &Counters) -> u64 {
    let each = RunStatus::ALL.into_iter().zip(counters.runs);
    each.filter(|(status, _)| !status.is_final())
        .map(|(_, count)| count)
        .sum()
}

impl Counted {
    /// The limit that `claim` would hit, and how high it is.
    fn hit(&self, limits: TenantLimits, claim: Claim) -> Option<(Limit, u64)> {
        let over = |limit, there: u64, claimed: u64, max: Option<u64>| {
            let max = max?;
            (claimed > 0 && there + claimed > max).then_some((limit, max))
        };
        over(Limit::Runs, self.runs, claim.runs, limits.open_runs)
            .or_else(|| over(Limit::Jobs, self.jobs, claim.jobs, limits.open_jobs))
            // Whatever is new takes some space; how much is known afterwards.
            .or_else(|| over(Limit::Disk, self.disk_bytes, 1, limits.disk_bytes))
    }
}

impl Claim {
    /// What `op` would add; nothing if it is no new work.
    fn of(op: &Op) -> Option<Self> {
        let run = Self { runs: 1, jobs: 0 };
        match op {
            Op::Start(_) | Op::Fork { .. } | Op::RetryRun { .. } | Op::TriggerSchedule { .. } => {
                Some(run)
            }
            Op::CreateJobs { jobs } => Some(Self {
                runs: 0,
                jobs: jobs.len() as u64,
            }),
            Op::Signal { .. }
            | Op::CallMethod(_)
            | Op::ReplayJob { .. }
            | Op::Tagged { .. }
            | Op::BulkStart { .. }
            | Op::PutDestination { .. }
            | Op::PutSchedule { .. }
            | Op::BackfillSchedule { .. } => Some(Self::default()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;

//! What a thread heard before it made a batch, and what that may explain.

use super::Model;
use std::collections::{BTreeMap, VecDeque};
use trunkline_core::egress::{Delivery, Destination, ErrorClass, Job, Verdict};
use trunkline_core::ids::{JobId, PeerId, ShardId, Token, destination_shard};
use trunkline_core::input::Input;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{EgressOp, JobsOp, Op};
use trunkline_core::time::Timestamp;

/// What a thread heard before it made a batch.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Peers that are gone.
    pub(super) gone: Vec<(PeerId, ShardId)>,
    /// What was asked for.
    asked: Vec<Op>,
    /// How calls have ended.
    ends: Vec<CallEnd>,
}

/// How a call has ended.
#[derive(Clone, Debug)]
struct CallEnd {
    destination: Name,
    job: JobId,
    token: Token,
    delivery: Delivery,
}

impl Heard {
    /// What is in these inputs.
    #[must_use]
    pub fn of(inputs: &VecDeque<(ShardId, Input)>) -> Self {
        let mut heard = Self::default();
        for (shard, input) in inputs {
            match input {
                Input::PeerGone { peer } => heard.gone.push((*peer, *shard)),
                Input::Request { op, .. } => heard.asked.push(op.clone()),
                Input::Delivered {
                    destination,
                    job,
                    token,
                    delivery,
                } => heard.ends.push(CallEnd {
                    destination: destination.clone(),
                    job: *job,
                    token: *token,
                    delivery: delivery.clone(),
                }),
                _ => {}
            }
        }
        heard
    }

    /// The places of the jobs that clients wanted accepted. One that was wanted twice has none.
    pub(super) fn places(&self) -> BTreeMap<JobId, Option<u32>> {
        let mut places = BTreeMap::new();
        let wanted = self.asked.iter().filter_map(|op| match op {
            Op::CreateJobs { jobs } => Some(jobs),
            _ => None,
        });
        for (place, (id, _)) in (0..).zip(wanted.flatten()) {
            places
                .entry(*id)
                .and_modify(|place| *place = None)
                .or_insert(Some(place));
        }
        places
    }

    /// How somebody has configured destinations, in their order.
    pub(super) fn all_puts(&self) -> impl Iterator<Item = &Destination> {
        self.asked.iter().filter_map(|op| match op {
            Op::PutDestination { destination } => Some(&**destination),
            _ => None,
        })
    }

    /// How somebody has configured this destination, in their order.
    pub(super) fn puts(&self, name: &Name) -> impl Iterator<Item = &Destination> {
        self.all_puts()
            .filter(move |destination| destination.name == *name)
    }

    /// True if somebody wants the destination to be called again, or has configured it.
    pub(super) fn is_enabled(&self, name: &Name) -> bool {
        self.asked.iter().any(|op| match op {
            Op::PutDestination { destination } => destination.name == *name,
            Op::Jobs(JobsOp::Enable { destination, .. }) => destination == name,
            _ => false,
        })
    }

    /// True if somebody has set the breaker of the destination, or has configured it.
    pub(super) fn is_breaker_set(&self, name: &Name) -> bool {
        self.asked.iter().any(|op| match op {
            Op::PutDestination { destination } => destination.name == *name,
            Op::Egress(EgressOp::SetBreaker { destination, .. }) => destination == name,
            _ => false,
        })
    }

    /// True if somebody lets a lane go on.
    pub(super) fn releases_lanes(&self) -> bool {
        let is_it = |op: &Op| matches!(op, Op::Egress(EgressOp::ReleaseLane { .. }));
        self.asked.iter().any(is_it)
    }

    /// True if somebody lets the job's lane go on: with `give_up`, or without.
    pub(super) fn is_lane_released(&self, job: &Job, wanted: bool) -> bool {
        self.asked.iter().any(|op| match op {
            Op::Egress(EgressOp::ReleaseLane {
                destination,
                lane,
                give_up,
            }) => {
                *destination == job.new.destination && *lane == job.new.lane && *give_up == wanted
            }
            _ => false,
        })
    }

    /// True if somebody lets the job go without what it waits for.
    pub(super) fn is_job_released(&self, job: &Job) -> bool {
        use trunkline_core::peer::WhichJobs;
        self.asked.iter().any(|op| match op {
            Op::Egress(EgressOp::ReleaseJobs { destination, which }) => {
                let is_it = match which {
                    WhichJobs::Job(id) => *id == job.id,
                    WhichJobs::Batch(batch) => job.new.batch.as_ref() == Some(batch),
                };
                is_it && *destination == job.new.destination
            }
            _ => false,
        })
    }

    /// True if somebody replays this one job.
    pub(super) fn is_replayed(&self, wanted: JobId) -> bool {
        let is_it = |op: &Op| matches!(op, Op::ReplayJob { job, .. } if *job == wanted);
        self.asked.iter().any(is_it)
    }

    /// The dead letter whose place the job with this id is to take, and its body.
    pub(super) fn correction(&self, wanted: JobId) -> Option<(JobId, &Payload)> {
        self.asked.iter().find_map(|op| match op {
            Op::Jobs(JobsOp::Correct { job, id, body, .. }) if *id == wanted => Some((*job, body)),
            _ => None,
        })
    }

    /// True if somebody cancels this one job.
    pub(super) fn is_cancelled(&self, wanted: JobId) -> bool {
        let is_it = |op: &Op| matches!(op, Op::CancelJob { job, .. } if *job == wanted);
        self.asked.iter().any(is_it)
    }

    /// How the call of a job has ended.
    pub(super) fn end_of(&self, job: JobId) -> Option<&Delivery> {
        let end = self.ends.iter().find(|end| end.job == job)?;
        Some(&end.delivery)
    }

    /// How calls of a destination have ended, with what they were about.
    pub(super) fn ends_at(&self, name: &Name) -> impl Iterator<Item = (JobId, &Delivery)> {
        let ends = self.ends.iter().filter(move |end| end.destination == *name);
        ends.map(|end| (end.job, &end.delivery))
    }
}

/// A delivery under way.
#[derive(Clone, Debug)]
pub(super) struct Flying {
    pub(super) destination: Name,
    pub(super) token: Token,
    /// It shares the call of another job, which counts.
    pub(super) rides: bool,
    /// From when on it counts as unanswered if nobody has reported.
    deadline: Timestamp,
}

/// How long after its time-out a call counts as unanswered of which nobody has reported.
const UNREPORTED_MS: u64 = 30_000;

impl Flying {
    pub(super) fn new(
        destination: &Destination,
        token: Token,
        rides: bool,
        now: Timestamp,
    ) -> Self {
        Self {
            destination: destination.name.clone(),
            token,
            rides,
            deadline: now.plus_ms(destination.timeout_ms + UNREPORTED_MS),
        }
    }
}

impl Model {
    /// Takes what a thread has heard. A report counts only while its call is under way, and then the call has ended. One of which
    /// nobody reports ends unanswered.
    pub(super) fn hear(&mut self, mut heard: Heard, thread: usize, now: Timestamp) {
        let is_lapsed = |flying: &Flying| flying.deadline <= now;
        heard.ends.retain(|end| {
            let flying = self.flying.get(&end.job);
            flying.is_some_and(|flying| flying.token == end.token && !is_lapsed(flying))
        });
        let of_thread = |flying: &Flying| {
            let shard = destination_shard(&flying.destination, self.shards);
            usize::from(shard.0) % self.pending.len() == thread
        };
        let lapsed = self
            .flying
            .iter()
            .filter(|(_, flying)| is_lapsed(flying) && of_thread(flying));
        heard.ends.extend(lapsed.map(|(job, flying)| CallEnd {
            destination: flying.destination.clone(),
            job: *job,
            token: flying.token,
            delivery: Delivery::Unanswered {
                reason: Name::from("no report"),
                verdict: None,
            },
        }));
        for end in &heard.ends {
            self.flying.remove(&end.job);
            let action = self.job(&end.destination, end.job);
            let action = action
                .map(|job| job.new.action)
                .unwrap_or_else(|| Name::from(""));
            let verdict = meaning(&end.delivery, &action);
            if matches!(verdict, Verdict::Pause | Verdict::Wait { .. }) {
                // It did not count, and will be made again.
                self.attempted.retain(|(id, ..)| *id != end.job);
            }
        }
        self.heard = heard;
    }
}

/// What the end of a call means: a rule says it, or the status does.
#[must_use]
pub fn meaning(delivery: &Delivery, action: &str) -> Verdict {
    let retry = Verdict::Retry { after_ms: None };
    match delivery {
        Delivery::Answered {
            verdict: Some(verdict),
            ..
        }
        | Delivery::Unanswered {
            verdict: Some(verdict),
            ..
        } => *verdict,
        Delivery::Answered { status, .. } => match status {
            200..=299 => Verdict::Succeed,
            404 if action == "delete" => Verdict::Succeed,
            408 | 425 | 429 | 500.. => retry,
            410 => Verdict::Pause,
            _ => Verdict::Fail,
        },
        Delivery::Unanswered { .. } => retry,
        Delivery::Item { failure, verdict } => {
            let failure = failure.as_ref();
            let after_ms = failure.and_then(|failure| failure.retry_after_ms);
            verdict.unwrap_or(match failure.map(|failure| failure.class) {
                None => Verdict::Succeed,
                Some(ErrorClass::Gone) if action == "delete" => Verdict::Succeed,
                Some(ErrorClass::Gone | ErrorClass::Invalid) => Verdict::Fail,
                Some(ErrorClass::Auth) => Verdict::Pause,
                Some(ErrorClass::RateLimited) => retry,
                Some(ErrorClass::Unknown | ErrorClass::Retryable) => Verdict::Retry { after_ms },
            })
        }
    }
}

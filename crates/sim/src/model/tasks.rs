//! Tasks and timers: backoff, leases, and that nothing that is due is left lying.

use super::{Checked, Model, broken, decode};
use std::collections::BTreeSet;
use trunkline_core::effect::Effect;
use trunkline_core::ids::{PeerId, ShardId};
use trunkline_core::peer::ToPeer;
use trunkline_core::policy::RetryPolicy;
use trunkline_core::row::{Keys, Kind, command_of_key, run_of_key};
use trunkline_core::shard::TaskRow;
use trunkline_core::time::Timestamp;

impl Model {
    /// A failed attempt costs one attempt, and the next one waits as long as the policy says.
    pub(super) fn check_task(
        &mut self,
        key: &[u8],
        old: Option<&[u8]>,
        new: Option<&[u8]>,
        now: Timestamp,
    ) -> Checked {
        let (Some(old), Some(new)) = (old, new) else {
            return Ok(());
        };
        let (old, new): (TaskRow, TaskRow) = (decode(old), decode(new));
        if new.failed_attempts == old.failed_attempts {
            return Ok(());
        }
        self.marks.set("an attempt of a task failed");
        if let (Some(run), Some(command)) = (run_of_key(key), command_of_key(key)) {
            self.leases.remove(&(run, command));
        }
        let lapsed = new
            .last_failure
            .as_ref()
            .is_some_and(|failure| &*failure.name == "TL0071");
        self.marks.set_if(lapsed, "an attempt of a task lapsed");
        let policy = new.options.retry.clone().unwrap_or_default();
        let (least, most) = bounds(&policy, new.failed_attempts);
        let waited = new.ready_at.since_ms(now);
        let in_bounds = new.ready_at >= now && (least..=most).contains(&waited);
        let allowed = policy.attempts == 0 || new.failed_attempts < policy.attempts;
        if new.failed_attempts != old.failed_attempts + 1 || !in_bounds || !allowed {
            let detail = format!("{key:02x?} at {now:?}: {old:?} became {new:?}");
            return broken("TASK-BACKOFF", detail);
        }
        Ok(())
    }

    /// Attempts that the engine takes back prove nothing from now on.
    pub(super) fn take_back<'a>(&mut self, effects: impl Iterator<Item = &'a Effect>) {
        for effect in effects {
            if let Effect::Tell {
                message:
                    ToPeer::AbandonTask {
                        run,
                        command,
                        token,
                    },
                ..
            } = effect
                && self
                    .leases
                    .get(&(*run, *command))
                    .is_some_and(|(newest, _)| newest == token)
            {
                self.leases.remove(&(*run, *command));
            }
        }
    }

    /// A peer is gone, and these shards know: what it had proves nothing from now on.
    pub fn peer_gone(&mut self, peer: PeerId, shard: ShardId) {
        let shards = self.shards;
        let before = self.leases.len();
        self.leases
            .retain(|(run, _), (_, holder)| *holder != peer || run.shard(shards) != shard);
        let lost = self.leases.len() < before;
        self.marks.set_if(lost, "a worker died with work");
    }

    /// What was set and due when the thread last worked has fired by now.
    pub(super) fn check_timers_due(&mut self, thread: usize, now: Timestamp) -> Checked {
        let threads = self.overdue.len();
        let mut overdue = BTreeSet::new();
        for shard in (0..self.shards).filter(|shard| usize::from(*shard) % threads == thread) {
            let (from, to) = Keys::new(ShardId(shard)).all(Kind::Timer);
            for (key, at) in self.live.range(from..to) {
                if decode::<Timestamp>(at) <= now {
                    overdue.insert(key.clone());
                }
            }
        }
        let before = std::mem::replace(&mut self.overdue[thread], overdue);
        let still = before.intersection(&self.overdue[thread]).next();
        match still {
            Some(key) => broken("TIMER-LOST", format!("{key:02x?} is overdue at {now:?}")),
            None => Ok(()),
        }
    }
}

/// The least and the most that the policy lets pass after the failure of `attempt`.
pub(super) fn bounds(policy: &RetryPolicy, attempt: u32) -> (u64, u64) {
    let mut delay = policy.initial_ms as f64;
    for _ in 1..attempt {
        delay = delay * f64::from(policy.factor_percent) / 100.0;
    }
    let most = delay.min(policy.max_ms as f64);
    let least = most * (1.0 - f64::from(policy.jitter_percent.min(100)) / 100.0);
    ((least - 1.0).max(0.0) as u64, most as u64 + 1)
}

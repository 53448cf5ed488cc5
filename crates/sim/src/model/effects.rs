//! Effects that leave: only what is durable, with tokens that grow, and calls within their rate.

use super::{Checked, Model, broken, token_of};
use trunkline_core::effect::Effect;
use trunkline_core::ids::ShardId;
use trunkline_core::time::Timestamp;
use trunkline_journal::Position;

impl Model {
    /// An effect of a batch made at `at`, whose last commit has the position `last`, leaves.
    ///
    /// # Errors
    /// The first broken invariant.
    pub fn released(
        &mut self,
        thread: usize,
        shard: ShardId,
        (at, last): (Timestamp, Position),
        effect: &Effect,
    ) -> Checked {
        if last > self.positions[thread] {
            let detail = format!("{effect:?} leaves before {last} is durable");
            return broken("ACK-DURABLE", detail);
        }
        if let Some(token) = token_of(effect) {
            let newest = self.tokens.insert(shard, token);
            if newest.is_some_and(|newest| token <= newest) {
                return broken("TOKEN-GROWS", format!("{token:?} after {newest:?}"));
            }
        }
        if let Effect::Deliver {
            destination, job, ..
        } = effect
        {
            self.left.insert(job.id);
            self.check_rate(destination, at)?;
            self.check_limits(destination, at)?;
        }
        Ok(())
    }
}

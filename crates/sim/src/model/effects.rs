//! Effects that leave: only what is durable, with tokens that grow, and calls within their rate.

use super::{Checked, Model, broken};
use trunkline_core::effect::Effect;
use trunkline_core::egress::Destination;
use trunkline_core::ids::{ShardId, Token};
use trunkline_core::peer::ToPeer;
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
        for token in tokens_of(effect) {
            let newest = self.tokens.insert(shard, token);
            if newest.is_some_and(|newest| token <= newest) {
                return broken("TOKEN-GROWS", format!("{token:?} after {newest:?}"));
            }
        }
        match effect {
            Effect::Deliver {
                destination, job, ..
            } => {
                self.left.insert(job.id);
                self.check_limited(destination, at)?;
            }
            // A call counts once, whatever is in it.
            Effect::DeliverBatch { destination, items } => {
                self.left.extend(items.iter().map(|item| item.job.id));
                self.check_limited(destination, at)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn check_limited(&mut self, destination: &Destination, at: Timestamp) -> Checked {
        self.check_rate(destination, at)?;
        self.check_limits(destination, at)
    }
}

/// The tokens of what an effect hands out, in their order.
fn tokens_of(effect: &Effect) -> Vec<Token> {
    match effect {
        Effect::Tell {
            message: ToPeer::Turn(turn),
            ..
        } => vec![turn.token],
        Effect::Tell {
            message: ToPeer::Task(task),
            ..
        } => vec![task.token],
        Effect::Deliver { token, .. } => vec![*token],
        Effect::DeliverBatch { items, .. } => items.iter().map(|item| item.token).collect(),
        _ => Vec::new(),
    }
}

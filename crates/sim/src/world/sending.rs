//! What leaves the shards for anywhere but a peer: messages to other shards, and deliveries. And what destinations do.

use super::{Event, World};
use crate::dice::mix;
use trunkline_core::effect::Effect;
use trunkline_core::egress::{Delivery, Destination, Job};
use trunkline_core::ids::{ShardId, Token};
use trunkline_core::input::Input;
use trunkline_core::payload::Name;

impl World {
    pub(super) fn send_out(&mut self, from: ShardId, effect: Effect) {
        let Some(process) = &mut self.process else {
            return;
        };
        match effect {
            Effect::Send {
                to,
                sequence,
                message,
            } => {
                self.model
                    .marks
                    .set("a message crossed from shard to shard");
                let input = Input::Message {
                    from,
                    sequence,
                    message,
                };
                process.submit(to, input);
            }
            Effect::Acknowledge { to, sequence } => {
                process.submit(to, Input::MessagesTaken { by: from, sequence });
            }
            Effect::Deliver {
                destination,
                job,
                attempt,
                token,
            } => self.deliver(from, &destination, &job, attempt, token),
            #[allow(unreachable_patterns, reason = "effects that come later")]
            _ => {}
        }
    }

    /// A destination is called. What it answers depends on the job and the attempt alone.
    fn deliver(
        &mut self,
        shard: ShardId,
        destination: &Destination,
        job: &Job,
        attempt: u32,
        token: Token,
    ) {
        let name = [job.id.0 as u64, u64::from(attempt), job.lane_sequence];
        let calls = self
            .calls
            .entry((job.id, job.lane_sequence, attempt))
            .or_insert(0);
        *calls += 1;
        let again = *calls > 1;
        self.model
            .marks
            .set_if(again, "a job was sent again after a power failure");
        let world = &*self;
        let fate = |percent, salt: u64| world.fate(percent, &[&name[..], &[salt]].concat());
        let answer = |status, retry_after_ms| Delivery::Answered {
            status,
            retry_after_ms,
            excerpt: Name::from(""),
            verdict: None,
        };
        let draw = mix(&[&name[..], &[self.setup.seed]].concat());
        let mut ms = draw % 300;
        let delivery = if fate(self.setup.refuse, 1) {
            answer(404, None)
        } else if fate(self.setup.patience, 2) {
            answer(429, Some(draw % 4_000))
        } else if fate(self.setup.error, 3) {
            answer(503, None)
        } else if fate(self.setup.lost, 4) {
            ms = destination.timeout_ms;
            let reason = Name::from("no answer");
            Delivery::Unanswered {
                reason,
                verdict: None,
            }
        } else {
            answer(200, None)
        };
        let (silent, twice) = (fate(self.setup.silent, 5), fate(self.setup.twice, 6));
        if silent {
            self.model.marks.set("a delivery was never reported");
            return;
        }
        let input = Input::Delivered {
            destination: destination.name.clone(),
            job: job.id,
            token,
            delivery,
        };
        let life = self.life;
        if twice {
            let input = input.clone();
            self.expect(ms + 40, Event::Delivered { life, shard, input });
        }
        self.expect(ms, Event::Delivered { life, shard, input });
    }
}

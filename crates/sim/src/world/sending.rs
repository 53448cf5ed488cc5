//! What leaves the shards for anywhere but a peer: messages to other shards, and deliveries. And what destinations do.

use super::{Event, World};
use crate::dice::mix;
use crate::model::meaning;
use trunkline_core::effect::{BatchItem, Effect};
use trunkline_core::egress::{Delivery, Destination, ErrorClass, ItemFailure, Verdict};
use trunkline_core::ids::{JobId, ShardId};
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
            } => {
                let item = BatchItem {
                    job: *job,
                    attempt,
                    token,
                };
                self.deliver(from, &destination, &[item]);
            }
            Effect::DeliverBatch { destination, items } => {
                self.deliver(from, &destination, &items);
            }
            #[allow(unreachable_patterns, reason = "effects that come later")]
            _ => {}
        }
    }

    /// A destination is called. A connector answers for each job, or is not there for any.
    fn deliver(&mut self, shard: ShardId, destination: &Destination, items: &[BatchItem]) {
        self.model
            .marks
            .set_if(items.len() > 1, "jobs shared a call to a connector");
        let mut of_all = None;
        for item in items {
            let mut end = self.end_of(destination, item);
            if destination.connector.is_some() {
                if items[0].job.id.0.is_multiple_of(4) {
                    end = of_all.get_or_insert(end).clone();
                } else {
                    end.delivery = of_item(end.delivery);
                }
            }
            self.report(shard, item, end);
        }
    }

    /// How the call of a job ends. That depends on the job and the attempt alone.
    fn end_of(&mut self, destination: &Destination, item: &BatchItem) -> End {
        let BatchItem { job, attempt, .. } = item;
        let calls = self.calls.entry(call_of(item)).or_default();
        calls.made += 1;
        let again = calls.made > 1 && calls.life != self.life;
        calls.life = self.life;
        let mut name = vec![job.id.0 as u64, u64::from(*attempt), job.lane_sequence];
        // What was not counted, or was released by an operator, has another fate the next time.
        let changed = calls.uncounted + self.model.releases_of(job.id);
        name.extend((changed > 0).then_some(changed));
        self.model
            .marks
            .set_if(again, "a job was sent again after a power failure");
        let world = &*self;
        let fate = |percent, salt: u64| world.fate(percent, &[&name[..], &[salt]].concat());
        let answer = |status, retry_after_ms| answered(status, retry_after_ms, None);
        let draw = mix(&[&name[..], &[self.setup.seed]].concat());
        let mut ms = draw % 300;
        let delivery = if fate(self.setup.rules, 7) {
            judged(draw)
        } else if fate(self.setup.refuse, 1) {
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
        End {
            delivery,
            ms,
            silent: fate(self.setup.silent, 5),
            twice: fate(self.setup.twice, 6),
        }
    }

    /// The engine hears how the call of a job has ended.
    fn report(&mut self, shard: ShardId, item: &BatchItem, end: End) {
        if end.silent {
            self.model.marks.set("a delivery was never reported");
            return;
        }
        let is_uncounted = matches!(
            meaning(&end.delivery, &item.job.new.action),
            Verdict::Pause | Verdict::Wait { .. }
        );
        if is_uncounted && let Some(calls) = self.calls.get_mut(&call_of(item)) {
            calls.uncounted += 1;
        }
        let input = Input::Delivered {
            destination: item.job.new.destination.clone(),
            job: item.job.id,
            token: item.token,
            delivery: end.delivery,
        };
        let life = self.life;
        if end.twice {
            let input = input.clone();
            self.expect(end.ms + 40, Event::Delivered { life, shard, input });
        }
        self.expect(end.ms, Event::Delivered { life, shard, input });
    }
}

/// How a call has ended for a job.
#[derive(Clone, Debug)]
struct End {
    delivery: Delivery,
    /// When that is heard, in milliseconds.
    ms: u64,
    /// It is never heard.
    silent: bool,
    /// It is heard twice.
    twice: bool,
}

fn call_of(item: &BatchItem) -> (JobId, u64, u32) {
    (item.job.id, item.job.lane_sequence, item.attempt)
}

/// What a connector says of a job, for which a webhook would have answered so.
fn of_item(answer: Delivery) -> Delivery {
    let Delivery::Answered {
        status,
        retry_after_ms,
        verdict,
        ..
    } = answer
    else {
        return answer;
    };
    let class = match status {
        200 => None,
        403 => Some(ErrorClass::Auth),
        404 => Some(ErrorClass::Gone),
        422 => Some(ErrorClass::Invalid),
        429 => Some(ErrorClass::RateLimited),
        503 => Some(ErrorClass::Retryable),
        _ => Some(ErrorClass::Unknown),
    };
    Delivery::Item {
        failure: class.map(|class| ItemFailure {
            class,
            message: Name::from(class.as_str()),
            retry_after_ms,
        }),
        verdict,
    }
}

fn answered(status: u16, retry_after_ms: Option<u64>, verdict: Option<Verdict>) -> Delivery {
    Delivery::Answered {
        status,
        retry_after_ms,
        excerpt: Name::from(""),
        verdict,
    }
}

/// What a destination answers, and a rule says of it.
fn judged(draw: u64) -> Delivery {
    let ms = 50 + draw / 32 % 1_500;
    match draw % 16 {
        0..=2 => answered(503, None, Some(Verdict::Succeed)),
        3..=5 => answered(200, None, Some(Verdict::Fail)),
        6 | 7 => {
            let verdict = Verdict::Retry { after_ms: Some(ms) };
            answered(404, None, Some(verdict))
        }
        8 | 9 => {
            let verdict = Verdict::Retry { after_ms: None };
            answered(422, None, Some(verdict))
        }
        10 | 11 => answered(403, None, Some(Verdict::Pause)),
        // No rule says it: whoever is gone is not to be called.
        12 => answered(410, None, None),
        // What authenticates the call was not there: nothing has left.
        _ => Delivery::Unanswered {
            reason: Name::from("no credential"),
            verdict: Some(Verdict::Wait { after_ms: ms }),
        },
    }
}

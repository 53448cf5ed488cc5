//! Jobs that clients ship: plain ones, those that wait for others, and those that make others superfluous.

use super::World;
use super::steering::destination_name;
use crate::dice::Dice;
use crate::plan::Step;
use crate::program::LANES;
use trunkline_core::egress::{NewJob, ObjectRef};
use trunkline_core::ids::JobId;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::Op;
use trunkline_core::time::Timestamp;

/// How many objects there are that jobs know of each other by.
const OBJECTS: u64 = 4;

impl World {
    /// The jobs that a step ships, if it does.
    pub(super) fn shipment(&self, step: Step) -> Option<Op> {
        match step {
            Step::Ship {
                destination,
                lane,
                count,
                key,
                delay_ms,
            } => Some(self.plain(destination, lane, count, key, delay_ms)),
            Step::Belt {
                destination,
                count,
                key,
            } => Some(self.belt(destination, count, key)),
            Step::Change {
                destination,
                count,
                key,
                delay_ms,
                lives_ms,
            } => Some(self.changes(destination, count, key, [delay_ms, lives_ms])),
            _ => None,
        }
    }

    fn plain(&self, destination: u8, lane: u8, count: u8, key: u16, delay_ms: u16) -> Op {
        let name = destination_name(destination);
        let not_before = self.later(delay_ms);
        let job = |number: u8| {
            let id = JobId::of_key(name, &format!("{key}-{number}"));
            let job = NewJob {
                destination: Name::from(name),
                lane: Name::from(LANES[usize::from(lane) % LANES.len()]),
                object_type: Name::from("stock"),
                action: Name::from("update"),
                object_ids: vec![Name::from(if number.is_multiple_of(2) {
                    "even"
                } else {
                    "odd"
                })],
                body: Payload::null(),
                not_before,
                expires_at: key.is_multiple_of(7).then(|| self.now.plus_ms(3_000)),
                ..NewJob::default()
            };
            (id, job)
        };
        Op::CreateJobs {
            jobs: (0..count).map(job).collect(),
        }
    }

    /// Jobs with a batch and a stage, or with objects that they depend on, in any lanes.
    fn belt(&self, destination: u8, count: u8, key: u16) -> Op {
        let name = destination_name(destination);
        let mut dice = Dice::new(u64::from(key), 0x6265_6c74);
        let mut job = |number: u8| {
            let id = JobId::of_key(name, &format!("belt-{key}-{number}"));
            let mut job = NewJob {
                destination: Name::from(name),
                lane: Name::from(*dice.pick(&LANES)),
                object_type: Name::from("item"),
                action: Name::from("update"),
                object_ids: vec![object(&mut dice)],
                body: Payload::null(),
                ..NewJob::default()
            };
            if dice.percent(60) {
                job.batch = Some(Name::from(format!("batch-{}", dice.below(2))));
                job.stage = Some(dice.below(3) as u32);
            }
            if job.batch.is_none() || dice.percent(20) {
                let mut depends_on = || ObjectRef {
                    object_type: Name::from("item"),
                    object_id: object(&mut dice),
                };
                job.depends_on = Some(vec![depends_on(), depends_on()]);
            }
            if dice.percent(10) {
                job.expires_at = self.later(dice.between(200, 4_000) as u16);
            }
            if dice.percent(20) {
                job.not_before = self.later(dice.between(1, 2_000) as u16);
            }
            (id, job)
        };
        Op::CreateJobs {
            jobs: (0..count).map(&mut job).collect(),
        }
    }

    /// What became of objects. Changes of an object mostly have one lane.
    fn changes(&self, destination: u8, count: u8, key: u16, [delay_ms, lives_ms]: [u16; 2]) -> Op {
        let name = destination_name(destination);
        let mut dice = Dice::new(u64::from(key), 0x6368_616e);
        let mut job = |number: u8| {
            let id = JobId::of_key(name, &format!("change-{key}-{number}"));
            let which = dice.below(OBJECTS);
            let lane = if dice.percent(85) {
                LANES[which as usize % LANES.len()]
            } else {
                dice.pick(&LANES)
            };
            let action = *dice.pick(&["create", "update", "update", "update", "delete"]);
            let mut object_ids = vec![Name::from(format!("o-{which}"))];
            if dice.percent(8) {
                object_ids.push(object(&mut dice));
            }
            let job = NewJob {
                destination: Name::from(name),
                lane: Name::from(lane),
                object_type: Name::from("item"),
                action: Name::from(action),
                object_ids,
                body: Payload::null(),
                not_before: self.later(delay_ms),
                expires_at: self.later(lives_ms),
                ..NewJob::default()
            };
            (id, job)
        };
        Op::CreateJobs {
            jobs: (0..count).map(&mut job).collect(),
        }
    }

    fn later(&self, ms: u16) -> Option<Timestamp> {
        (ms > 0).then(|| self.now.plus_ms(u64::from(ms)))
    }
}

fn object(dice: &mut Dice) -> Name {
    Name::from(format!("o-{}", dice.below(OBJECTS)))
}

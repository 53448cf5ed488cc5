//! Batches: jobs of one operation of a connector that share a call.
//!
//! The first job of a call is chosen as ever, by its lane and the limits. Jobs of the same action and object type that could leave
//! too ride along, up to the connector's batch size. Nothing waits for a batch to fill: what is ready goes. Each job has a lease of
//! its own, and the connector's answer settles each on its own. Two jobs of one lane never share a call, because a connector may apply
//! them in any order (ADR 0025).

use crate::effect::{BatchItem, Effect};
use crate::egress::{Connector, Job};
use crate::ids::{JobId, PeerId, Token};
use crate::io::Io;
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::shard::Shard;
use crate::shard::belts::may_wait;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;

/// Ready jobs that are looked at beyond the batch size, to find some of the same operation.
const LOOKED_AT_MORE: usize = 100;

impl Shard {
    /// Calls the connector `name` with a job that has been taken, and with those that ride along.
    pub(super) fn send_batch(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        (first, token): (Job, Token),
        holder: (PeerId, Timestamp),
    ) {
        let mut riders = self.riders(io, name, &first);
        let last_token = &mut self.last_token;
        let target = self.egress.targets.get_mut(name).expect("it was pumped");
        let taken = target.queue.take_along(holder, riders.len(), |id| {
            riders.contains_key(&id).then(|| {
                *last_token += 1;
                Token(*last_token)
            })
        });
        let mut items = vec![BatchItem::new(first, token)];
        for (id, token) in taken {
            let job = riders.remove(&id).expect("only riders are taken");
            if let Some(objects) = &mut target.objects {
                objects.sent(&job);
            }
            items.push(BatchItem::new(job, token));
        }
        let destination = Box::new(target.row.destination.clone());
        io.effect(Effect::DeliverBatch { destination, items });
    }

    /// Ready jobs that may share a call with `first`.
    fn riders(&self, io: &Io<'_>, name: &Name, first: &Job) -> BTreeMap<JobId, Job> {
        let mut riders = BTreeMap::new();
        let target = self.egress.targets.get(name).expect("it was pumped");
        let Some(Connector {
            batch_max,
            body_bytes_max,
            ..
        }) = &target.row.destination.connector
        else {
            return riders;
        };
        let most =
            batch_max.saturating_sub(1) as usize + usize::from(mutant::is(Mutant::BatchOverfull));
        let look_at = if most == 0 { 0 } else { most + LOOKED_AT_MORE };
        let mut bytes = first.new.body.len() as u64;
        for id in target.queue.ready().take(look_at) {
            if riders.len() == most {
                break;
            }
            let Some(job) = io.get::<Job>(&self.keys.job(name, id)) else {
                continue;
            };
            let same =
                job.new.action == first.new.action && job.new.object_type == first.new.object_type;
            let late = job.new.expires_at.is_some_and(|at| at <= io.now);
            let with_it = bytes + job.new.body.len() as u64;
            if !same || late || with_it > *body_bytes_max {
                continue;
            }
            let has_to_wait = may_wait(&job) && self.obstacle(io, target, &job).is_some();
            if has_to_wait && !mutant::is(Mutant::RiderImpatient) {
                continue;
            }
            bytes = with_it;
            riders.insert(id, job);
        }
        riders
    }
}

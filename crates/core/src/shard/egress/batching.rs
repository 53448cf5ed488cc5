//! Batches: jobs of one operation of a connector that share a call.
//!
//! The first job of a call is chosen as ever, by its lane and the limits. Jobs of the same action and object type that could leave
//! too ride along, up to the connector's batch size. Nothing waits for a batch to fill: what is ready goes. Each job has a lease of
//! its own, and the connector's answer settles each on its own. Two jobs of one lane never share a call, because a connector may apply
//! them in any order (ADR 0025).

use crate::effect::{BatchItem, Effect};
use crate::egress::Job;
use crate::ids::{PeerId, Token};
use crate::io::Io;
use crate::payload::Name;
use crate::shard::Shard;
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
        (peer, deadline): (PeerId, Timestamp),
    ) {
        let target = self.egress.targets.get_mut(name).expect("it was pumped");
        let destination = Box::new(target.row.destination.clone());
        let connector = destination.connector.as_ref();
        let most = connector.map_or(0, |connector| {
            connector.batch_max.saturating_sub(1) as usize
        });
        let (keys, last_token) = (self.keys, &mut self.last_token);
        let room = connector.map_or(0, |connector| connector.body_bytes_max);
        let mut bytes = first.new.body.len() as u64;
        let mut riders = BTreeMap::new();
        let taken = if most == 0 {
            vec![]
        } else {
            target
                .queue
                .take_along((peer, deadline), (most, most + LOOKED_AT_MORE), |id| {
                    let job: Job = io.get(&keys.job(name, id))?;
                    let same = job.new.action == first.new.action
                        && job.new.object_type == first.new.object_type;
                    let with_it = bytes + job.new.body.len() as u64;
                    (same && with_it <= room).then(|| {
                        bytes = with_it;
                        riders.insert(id, job);
                        *last_token += 1;
                        Token(*last_token)
                    })
                })
        };
        let mut items = vec![BatchItem::new(first, token)];
        for (id, token) in taken {
            let job = riders.remove(&id).expect("it was read when it was taken");
            items.push(BatchItem::new(job, token));
        }
        io.effect(Effect::DeliverBatch { destination, items });
    }
}

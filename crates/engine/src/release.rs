//! Release: what happens once a batch is durable. The journal's writer does it itself, so there is no further hop.
//!
//! The effects of all batches of one sync are sorted by where they go, so that each peer and each thread is woken once.

use crate::delivery::{Batch, Call};
use crate::node::Node;
use crate::peers::ENGINE;
use crate::weight;
use hashbrown::HashMap;
use std::sync::Arc;
use trunkline_core::effect::Effect;
use trunkline_core::ids::{PeerId, ShardId};
use trunkline_core::input::Input;
use trunkline_core::peer::ToPeer;

/// Effects on their way out.
#[derive(Debug)]
pub(crate) struct Release {
    node: Arc<Node>,
    told: HashMap<PeerId, (Vec<ToPeer>, usize)>,
    inputs: Vec<(Vec<(ShardId, Input)>, usize)>,
    calls: Vec<Call>,
    batches: Vec<Batch>,
    /// How far the feeds of shards can be read.
    heads: Vec<(ShardId, u64)>,
}

impl Release {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        let inputs = node.inboxes.iter().map(|_| (Vec::new(), 0)).collect();
        Self {
            node,
            told: HashMap::new(),
            inputs,
            calls: Vec::new(),
            batches: Vec::new(),
            heads: Vec::new(),
        }
    }

    /// Takes the effects of the shard `from`, in order.
    pub(crate) fn add(&mut self, from: ShardId, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Tell { peer, message } => {
                    let (messages, bytes) = self.told.entry(peer).or_default();
                    *bytes += weight::of_told(&message);
                    messages.push(message);
                }
                Effect::Deliver {
                    destination,
                    job,
                    attempt,
                    token,
                } => self.calls.push(Call {
                    shard: from,
                    destination,
                    job,
                    attempt,
                    token,
                }),
                Effect::DeliverBatch { destination, items } => self.batches.push(Batch {
                    shard: from,
                    destination,
                    items,
                }),
                Effect::Send {
                    to,
                    sequence,
                    message,
                } => self.submit(
                    to,
                    Input::Message {
                        from,
                        sequence,
                        message,
                    },
                ),
                Effect::Events { upto } => {
                    self.heads.push((from, upto));
                }
                Effect::Acknowledge { to, sequence } => {
                    self.submit(to, Input::MessagesTaken { by: from, sequence });
                }
            }
        }
    }

    fn submit(&mut self, to: ShardId, input: Input) {
        let (inputs, bytes) = &mut self.inputs[self.node.thread_of(to)];
        *bytes += weight::of_input(&input);
        inputs.push((to, input));
    }

    /// Sends everything taken on its way.
    pub(crate) fn send(&mut self) {
        for (inbox, (inputs, bytes)) in self.node.inboxes.iter().zip(&mut self.inputs) {
            inbox.push(inputs, std::mem::take(bytes));
        }
        for (id, (mut messages, bytes)) in self.told.drain() {
            if id == ENGINE {
                self.node.requests.answer(&mut messages);
            } else if let Some(peer) = self.node.peers.get(id) {
                self.node.tell(&peer, &mut messages, bytes);
            }
        }
        if !self.heads.is_empty() {
            for (shard, upto) in self.heads.drain(..) {
                self.node.feed.reaches(shard, upto);
            }
            self.node.feed.wake();
        }
        if !self.calls.is_empty() {
            self.node
                .deliveries
                .start(&self.node, std::mem::take(&mut self.calls));
        }
        let batches = std::mem::take(&mut self.batches);
        self.node.deliveries.start_batches(&self.node, batches);
    }
}

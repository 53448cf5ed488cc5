//! A session: what a peer sends.
//!
//! The other direction is the peer's [`Mailbox`](crate::Mailbox). A request is answered there exactly once, unless the
//! session ends first; so is one that is refused at the door.

use crate::door::{self, Admitted};
use crate::engine::Inner;
use crate::list;
use crate::node::Node;
use crate::peers::Peer;
use crate::stats::add;
use crate::weight;
use std::sync::Arc;
use trunkline_core::ids::{PeerId, RequestId, RunKey, ShardId};
use trunkline_core::input::Input;
use trunkline_core::peer::{FromPeer, Op, Registration, Rejection, Reply, ToPeer};

/// A peer's connection. Dropping it disconnects the peer: what it was doing is given to others, its questions are moot.
#[derive(Debug)]
pub struct Session {
    engine: Arc<Inner>,
    peer: Arc<Peer>,
}

impl Session {
    pub(crate) fn new(engine: Arc<Inner>, peer: Arc<Peer>) -> Self {
        Self { engine, peer }
    }

    /// The peer's number.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer.id
    }

    /// Takes what the peer says, in order. Never blocks. Does nothing once the peer is disconnected.
    pub fn send(&self, batch: Vec<FromPeer>) {
        let node = self.engine.node();
        if self.peer.is_gone() || node.has_ended() {
            return;
        }
        // First the slots, then the inputs: the thread that takes them finds the slots free.
        if let Some(slots) = self.peer.slots() {
            node.workers.heard(slots, &batch);
        }
        let mut sorted = Sorted::new(node);
        for message in batch {
            self.sort(message, &mut sorted);
        }
        for (inbox, (inputs, bytes)) in node.inboxes.iter().zip(&mut sorted.inputs) {
            inbox.push(inputs, *bytes);
        }
        node.tell(&self.peer, &mut sorted.replies, sorted.reply_bytes);
    }

    /// Refuses requests of the peer that were not sent on to the engine.
    pub fn refuse(&self, refused: Vec<(RequestId, Rejection)>) {
        let node = self.engine.node();
        let mut sorted = Sorted::new(node);
        for (request, rejection) in refused {
            sorted.reply(request, Err(rejection));
        }
        node.tell(&self.peer, &mut sorted.replies, sorted.reply_bytes);
    }

    fn sort(&self, message: FromPeer, sorted: &mut Sorted<'_>) {
        match message {
            FromPeer::Request(request, op) => self.request(request, op, sorted),
            FromPeer::Register(registration) => self.register(registration, sorted),
            FromPeer::Drain => sorted.node.workers.withdraw(self.peer.id),
            FromPeer::TurnDone(ref turn) => self.report(turn.run, message, sorted),
            FromPeer::TurnStuck { run, .. }
            | FromPeer::TaskDone { run, .. }
            | FromPeer::StepDone { run, .. }
            | FromPeer::Heartbeat { run, .. }
            | FromPeer::TaskDelegated { run, .. }
            | FromPeer::QueryDone { run, .. }
            | FromPeer::Evicted { run } => self.report(run, message, sorted),
        }
    }

    fn report(&self, run: RunKey, report: FromPeer, sorted: &mut Sorted<'_>) {
        let shard = run.shard(sorted.node.shards);
        let mut report = door::mend(report);
        crate::versions::fill_in(&sorted.node.workflows, &mut report);
        self.peer.touches(shard);
        sorted.input(
            shard,
            Input::Report {
                peer: self.peer.id,
                report,
            },
        );
    }

    fn request(&self, request: RequestId, op: Op, sorted: &mut Sorted<'_>) {
        match door::admit(sorted.node, op) {
            Ok(Admitted::One(shard, op)) => {
                self.peer.touches(shard);
                sorted.input(
                    shard,
                    Input::Request {
                        peer: self.peer.id,
                        request,
                        op,
                    },
                );
            }
            Ok(Admitted::All(op)) => self.ask_all(request, op),
            Err(rejection) => {
                add(&sorted.node.figures.refused, 1);
                sorted.reply(request, Err(rejection));
            }
        }
    }

    /// Asks shard after shard, aside.
    fn ask_all(&self, request: RequestId, op: Op) {
        let engine = Arc::clone(&self.engine);
        let peer = Arc::clone(&self.peer);
        self.engine.runtime().spawn(async move {
            let reply = ToPeer::Reply(request, list::ask_all(engine.node(), op).await);
            let bytes = weight::of_told(&reply);
            engine.node().tell(&peer, &mut vec![reply], bytes);
        });
    }

    fn register(&self, mut registration: Registration, sorted: &mut Sorted<'_>) {
        registration.workflows.retain(|(workflow, _)| {
            let usable = door::check_name("the workflow", workflow);
            if let Err(rejection) = &usable {
                tracing::warn!(
                    peer = self.peer.id.0,
                    detail = rejection.detail.as_str(),
                    "a workflow is not registered"
                );
            }
            usable.is_ok()
        });
        for (workflow, version) in &registration.workflows {
            let Some(version) = sorted.node.workflows.register(workflow, *version) else {
                continue;
            };
            for shard in (0..sorted.node.shards).map(ShardId) {
                sorted.input(
                    shard,
                    Input::WorkflowKnown {
                        workflow: workflow.clone(),
                        version,
                    },
                );
            }
        }
        let slots = self.peer.becomes_worker();
        let workers = &sorted.node.workers;
        workers.register(self.peer.id, slots, registration);
        // It may have been disconnected since it sent this, by someone who then found no worker to withdraw.
        if self.peer.is_gone() {
            workers.withdraw(self.peer.id);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.engine.node().disconnect(self.peer.id);
    }
}

/// What a peer has sent, sorted by where it goes.
struct Sorted<'a> {
    node: &'a Node,
    inputs: Vec<(Vec<(ShardId, Input)>, usize)>,
    replies: Vec<ToPeer>,
    reply_bytes: usize,
}

impl<'a> Sorted<'a> {
    fn new(node: &'a Node) -> Self {
        Self {
            node,
            inputs: node.inboxes.iter().map(|_| (Vec::new(), 0)).collect(),
            replies: Vec::new(),
            reply_bytes: 0,
        }
    }

    fn input(&mut self, shard: ShardId, input: Input) {
        let (inputs, bytes) = &mut self.inputs[self.node.thread_of(shard)];
        *bytes += weight::of_input(&input);
        inputs.push((shard, input));
    }

    fn reply(&mut self, request: RequestId, answer: Result<Reply, Rejection>) {
        let reply = ToPeer::Reply(request, answer);
        self.reply_bytes += weight::of_told(&reply);
        self.replies.push(reply);
    }
}

#[cfg(test)]
mod tests;

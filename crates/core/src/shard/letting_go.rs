//! Workers let go of runs: they forget one, or are gone with all of theirs.

use super::Shard;
use super::hot::Hot;
use crate::ids::{PeerId, RunKey};
use crate::io::Io;
use crate::mutant::{self, Mutant};

impl Shard {
    pub(super) fn evicted(&mut self, io: &mut Io<'_>, peer: PeerId, key: RunKey) {
        let Some(mut hot) = self.load(io, key) else {
            return;
        };
        self.let_go(&mut hot, peer);
        self.keep(key, hot);
    }

    /// A peer is gone: its turns are ready again, its futures lost, its questions moot.
    pub(super) fn release_turns(&mut self, io: &mut Io<'_>, peer: PeerId) {
        for key in self.runs_with(peer) {
            if let Some(mut hot) = self.load(io, key) {
                self.let_go(&mut hot, peer);
                if hot.steps_with == Some(peer) {
                    hot.steps_with = None;
                }
                self.keep(key, hot);
            }
        }
        self.forget_waiters(peer);
    }

    fn let_go(&mut self, hot: &mut Hot, peer: PeerId) {
        if hot.turn.is_some_and(|lease| lease.peer == peer) && !mutant::is(Mutant::WakeLost) {
            self.end_turn(hot);
        }
        if hot.holder.is_some_and(|holder| holder.peer == peer) {
            hot.holder = None;
        }
    }
}

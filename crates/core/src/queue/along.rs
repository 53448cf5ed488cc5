//! Riders: messages that leave together with one that the limits have admitted.
//!
//! A call to a connector carries several jobs. The first is taken as ever and pays for the call; the others ride along. They are
//! ready themselves, so each is the first of its line: two of one line never leave together. They count for no limit.

use super::{Lease, Queue, State};
use crate::ids::{PeerId, Token};
use crate::time::Timestamp;
use alloc::vec::Vec;
use core::fmt::Debug;

impl<K: Copy + Ord + Debug> Queue<K> {
    /// Leases ready messages for which `wants` gives a token, in order, `most` of them. The others keep their places.
    pub fn take_along(
        &mut self,
        (peer, deadline): (PeerId, Timestamp),
        most: usize,
        mut wants: impl FnMut(K) -> Option<Token>,
    ) -> Vec<(K, Token)> {
        let (mut taken, mut passed) = (Vec::new(), Vec::new());
        while taken.len() < most {
            let Some(key) = self.ready.pop_front() else {
                break;
            };
            let Some(token) = wants(key) else {
                passed.push(key);
                continue;
            };
            let message = self.messages.get_mut(&key).expect("what is ready is here");
            message.state = State::Leased(Lease {
                peer,
                token,
                deadline,
            });
            self.leased += 1;
            self.riders.insert(key);
            self.deadlines.insert((deadline, key));
            taken.push((key, token));
        }
        for key in passed.into_iter().rev() {
            self.ready.push_front(key);
        }
        taken
    }

    /// The messages that are ready, in order.
    pub fn ready(&self) -> impl Iterator<Item = K> {
        self.ready.iter().copied()
    }

    /// Calls under way: messages that are leased and do not ride along.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.leased - self.riders.len()
    }
}

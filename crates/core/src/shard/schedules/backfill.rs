//! Backfill: the fires of a range of the past, worked off in order.
//!
//! Under a policy that makes fires wait, the next one is looked for only when no run is open: so a range of any length takes
//! no more room than its two ends.

use super::super::Shard;
use super::Active;
use crate::io::Io;
use crate::schedule::{Cause, Overlap};

/// Fires of one schedule worked off in one go.
const BACKFILLED_AT_ONCE_MAX: usize = 100;

impl Active {
    /// True if the next fire of a range can be taken now.
    pub(super) fn can_backfill(&self) -> bool {
        let Some(backfill) = self.state.backfills.first() else {
            return false;
        };
        match backfill.overlap {
            Overlap::BufferOne | Overlap::BufferAll => {
                self.state.running.is_empty() && self.state.waiting.is_empty()
            }
            Overlap::AllowAll => !self.is_busy(Overlap::AllowAll),
            Overlap::Skip | Overlap::CancelOther | Overlap::TerminateOther => true,
        }
    }
}

impl Shard {
    /// Takes the next fires of the ranges that are asked for.
    pub(super) fn work_off(&mut self, io: &mut Io<'_>, active: &mut Active) {
        for _ in 0..BACKFILLED_AT_ONCE_MAX {
            if !active.can_backfill() {
                return;
            }
            let backfill = active.state.backfills[0].clone();
            let next = active.calendar.next_after(backfill.after);
            match next.filter(|next| *next <= backfill.to) {
                Some(at) => {
                    active.state.backfills[0].after = at;
                    self.fire(io, active, (at, Cause::Backfill), backfill.overlap);
                }
                None => {
                    active.state.backfills.remove(0);
                }
            }
        }
    }
}

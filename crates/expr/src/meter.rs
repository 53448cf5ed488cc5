//! The meter of an evaluation: how many steps it may still take.

use crate::fault::{Fault, FaultKind};

/// Steps that are left.
#[derive(Debug)]
pub(crate) struct Meter {
    left: u64,
}

impl Meter {
    pub(crate) fn new(steps: u64) -> Self {
        Self { left: steps }
    }

    /// Takes one step off, and `more`.
    pub(crate) fn take(&mut self, more: usize) -> Result<(), Fault> {
        let steps = (more as u64).saturating_add(1);
        if self.left < steps {
            self.left = 0;
            let message = "the evaluation takes too many steps";
            return Err(Fault::new(FaultKind::Limit, message));
        }
        self.left -= steps;
        Ok(())
    }
}

//! The journal writer, without the thread: batches in, and their effects out once they are durable.
//!
//! [`writer`](crate) gives it whatever is ready, has it [flush](Scribe::flush), and hands out what it
//! [releases](Scribe::release). The simulator does the same, one step at a time, and crashes in between.
//!
//! **Architecture Invariant:** effects come out in the order of their batches, and only after every commit up to their own
//! batch is durable. A batch without rows waits like any other, because what it says may rest on rows of earlier batches.

use crate::driver::{Batch, FRAME_COMMIT};
use trunkline_core::effect::Effect;
use trunkline_core::ids::ShardId;
use trunkline_core::mutant::{self, Mutant};
use trunkline_journal::{Error, Journal, Position, Space, SpareMaker};

/// A journal, and the effects that wait for it.
#[derive(Debug)]
pub struct Scribe {
    journal: Journal,
    /// True if something was appended since the last flush.
    appended: bool,
    held: Vec<(ShardId, Vec<Effect>)>,
}

/// How much a batch wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Commits.
    pub commits: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Scribe {
    /// A scribe that writes to `journal`.
    #[must_use]
    pub fn new(journal: Journal) -> Self {
        Self {
            journal,
            appended: false,
            held: Vec::new(),
        }
    }

    /// Appends the commits of a batch, and holds its effects.
    ///
    /// # Errors
    /// What the journal says. Nothing is to be released after that.
    pub fn take(&mut self, mut batch: Batch) -> Result<Written, Error> {
        let mut written = Written::default();
        for commit in batch.commits {
            self.journal
                .append(FRAME_COMMIT, commit.shard.0, &[&commit.body])?;
            written.commits += 1;
            written.bytes += commit.body.len() as u64;
        }
        self.appended |= written.commits > 0;
        self.held.append(&mut batch.effects);
        Ok(written)
    }

    /// Makes everything taken durable.
    ///
    /// # Errors
    /// `ErrorKind::Full`: nothing is lost, and the same call may work later. After any other nothing is to be released.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.appended {
            self.journal.flush()?;
            self.appended = false;
        }
        Ok(())
    }

    /// What may leave: every effect held, in order, if everything taken is durable; else nothing.
    pub fn release(&mut self) -> Vec<(ShardId, Vec<Effect>)> {
        if self.appended && !mutant::is(Mutant::AckBeforeSync) {
            return Vec::new();
        }
        std::mem::take(&mut self.held)
    }

    /// Gives up the journal below `below`, see [`Journal::trim`].
    ///
    /// # Errors
    /// What the journal says.
    pub fn trim(&mut self, below: Position) -> Result<(), Error> {
        self.journal.trim(below)
    }

    /// The position of the last durable commit.
    #[must_use]
    pub fn durable(&self) -> Position {
        self.journal.durable()
    }

    /// Bytes of the journal since the last trim.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.journal.live_bytes()
    }

    /// Whether there is disk space for what is to come.
    #[must_use]
    pub fn space(&self) -> Space {
        self.journal.space()
    }

    /// What prepares the journal's spare segments.
    #[must_use]
    pub fn spare_maker(&self) -> SpareMaker {
        self.journal.spare_maker()
    }
}

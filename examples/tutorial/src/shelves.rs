//! The desk's work, done by a worker. The ladder is taken at first, so that there is something to try again.

use crate::Desk;
use trunkline::prelude::*;

/// A library with one ladder.
#[derive(Clone, Copy, Debug)]
pub struct Shelves;

impl Desk for Shelves {
    async fn fetch(&self, t: &TaskCx, book: String) -> Result<String> {
        if t.attempt() == 1 {
            return Err(Error::new("LadderTaken", "somebody else has the ladder"));
        }
        Ok(format!("shelf {}", book.len() % 9))
    }

    async fn remind(&self, t: &TaskCx, book: String) -> Result<()> {
        // The same key on every attempt, so that whoever sends the letter can tell a repeat.
        println!("{}: please bring back {book:?}", t.idempotency_key());
        Ok(())
    }
}

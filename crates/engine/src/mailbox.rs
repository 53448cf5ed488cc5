//! The mailbox of a peer: what it is told, in order, until it reads it.
//!
//! Everything that is ready is read at once, with one wake-up. A mailbox is bounded in bytes; a peer that does not read is
//! disconnected rather than waited for, because the one who posts is the journal's writer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use trunkline_core::peer::ToPeer;

/// Where a peer reads what the engine tells it.
#[derive(Debug)]
pub struct Mailbox {
    post: Arc<Post>,
}

impl Mailbox {
    pub(crate) fn new(post: Arc<Post>) -> Self {
        Self { post }
    }

    /// Everything that is there, in order; waits until there is something. Nothing once the peer is disconnected: its
    /// session is gone, it has not read for too long, or the engine has ended or failed.
    pub async fn recv(&mut self) -> Option<Vec<ToPeer>> {
        loop {
            {
                let mut posted = self.post.lock();
                if posted.closed {
                    return None;
                }
                posted.at_work = !posted.messages.is_empty();
                if posted.at_work {
                    posted.bytes = 0;
                    return Some(std::mem::take(&mut posted.messages));
                }
            }
            self.post.arrived.notified().await;
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.post.close();
    }
}

/// The engine's end of a mailbox.
#[derive(Debug, Default)]
pub(crate) struct Post {
    posted: Mutex<Posted>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Posted {
    messages: Vec<ToPeer>,
    bytes: usize,
    closed: bool,
    /// The reader has taken messages, and not come back for more.
    at_work: bool,
}

impl Post {
    /// Adds messages of `bytes` in all, and leaves none. False if more than `bytes_max` wait now.
    pub(crate) fn post(&self, messages: &mut Vec<ToPeer>, bytes: usize, bytes_max: usize) -> bool {
        let mut posted = self.lock();
        if posted.closed {
            messages.clear();
            return true;
        }
        posted.bytes += bytes;
        if posted.messages.is_empty() {
            std::mem::swap(&mut posted.messages, messages);
        } else {
            posted.messages.append(messages);
        }
        let fits = posted.bytes <= bytes_max;
        drop(posted);
        self.arrived.notify_one();
        fits
    }

    /// True if the reader has read everything and come back for more.
    pub(crate) fn is_at_rest(&self) -> bool {
        let posted = self.lock();
        posted.closed || posted.messages.is_empty() && !posted.at_work
    }

    pub(crate) fn close(&self) {
        let mut posted = self.lock();
        posted.closed = true;
        posted.messages = Vec::new();
        drop(posted);
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

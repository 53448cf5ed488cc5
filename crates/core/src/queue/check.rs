//! The invariants of a queue, looked at one by one.

use super::{Queue, State};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use core::fmt::Debug;

impl<K: Copy + Ord + Debug> Queue<K> {
    /// The invariants of the module's description, or what is wrong.
    ///
    /// # Errors
    /// What was found.
    pub fn check(&self) -> Result<(), String> {
        let mut leased = 0;
        for (key, message) in &self.messages {
            let first = match &message.group {
                None => true,
                Some(name) => {
                    let line = self
                        .groups
                        .get(name)
                        .ok_or(format!("{key:?} has no line"))?;
                    if line.iter().filter(|other| *other == key).count() != 1 {
                        return Err(format!("{key:?} is not once in its line"));
                    }
                    line.front() == Some(key)
                }
            };
            let indexed = match message.state {
                State::Ready => self.ready.iter().filter(|other| *other == key).count() == 1,
                State::Delayed(at) => self.delayed.contains(&(at, *key)),
                State::Behind(_) => !first,
                State::Aside => first,
                State::Leased(lease) => {
                    leased += 1;
                    self.deadlines.contains(&(lease.deadline, *key))
                }
            };
            if !indexed || (!first && !matches!(message.state, State::Behind(_))) {
                return Err(format!("{key:?} is {:?}, first: {first}", message.state));
            }
        }
        let indexed = self.ready.len() + self.delayed.len() + self.deadlines.len();
        let behind = self
            .messages
            .values()
            .filter(|m| matches!(m.state, State::Behind(_) | State::Aside))
            .count();
        if leased != self.leased || indexed + behind != self.messages.len() {
            return Err(format!(
                "{leased} leased, {indexed} indexed, {behind} behind"
            ));
        }
        if self.groups.values().any(VecDeque::is_empty) {
            return Err(String::from("an empty line"));
        }
        Ok(())
    }
}

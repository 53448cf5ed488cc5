//! What must hold between runs on different shards: the invariant that no single shard can check.

use super::{ChildRow, Violation};
use crate::ids::{RunKey, ShardId};
use crate::input::Message;
use crate::io::decode;
use crate::row::{Keys, Kind, Rows, command_of_key, run_of_key};
use crate::run::{Origin, Run};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

/// The invariant of [`check_kinship`]: name and meaning.
pub const KINSHIP: (&str, &str) = (
    "CHILD-ALIVE",
    "every child that a run waits for is alive and knows who waits, or a message about its start or end is under way",
);

/// Holds [`KINSHIP`] against the rows of all shards of a node, in the order of their numbers, between batches.
///
/// # Errors
/// The first child found for which it is broken.
pub fn check_kinship(shards: &[&dyn Rows]) -> Result<(), Violation> {
    let count = u16::try_from(shards.len()).expect("shards are numbered with 16 bits");
    let under_way = told(shards, count);
    for number in 0..count {
        let keys = Keys::new(ShardId(number));
        let rows = shards[usize::from(number)];
        let (from, to) = keys.all(Kind::Child);
        let mut children: Vec<(RunKey, Origin, ChildRow)> = Vec::new();
        rows.scan(&from, &to, &mut |key, value| {
            let parent = run_of_key(key).expect("a child's key");
            let command = command_of_key(key).expect("a child's key");
            let run: Run = decode(&rows.get(&keys.run(parent)).expect("a child has a parent"));
            let origin = Origin::Run {
                began_at: run.began_at(),
                run: run.id,
                command,
            };
            children.push((parent, origin, decode(value)));
            true
        });
        for (_, origin, row) in children {
            let key = row.run.key();
            let home = key.shard(count);
            let found = shards[usize::from(home.0)].get(&Keys::new(home).run(key));
            let is_alive = found.is_some_and(|bytes| {
                let run: Run = decode(&bytes);
                let listening = run.listeners.unwrap_or_default();
                !run.status.is_final()
                    && (run.origin.as_ref() == Some(&origin) || listening.contains(&origin))
            });
            if !is_alive && !under_way.contains(&origin) {
                return Err(Violation {
                    invariant: KINSHIP.0,
                    detail: format!("{} of {origin:?}", row.run),
                });
            }
        }
    }
    Ok(())
}

/// Those about whose children a message waits in an outbox.
fn told(shards: &[&dyn Rows], count: u16) -> BTreeSet<Origin> {
    let mut told = BTreeSet::new();
    for number in 0..count {
        let keys = Keys::new(ShardId(number));
        let (from, to) = keys.all(Kind::Outbox);
        shards[usize::from(number)].scan(&from, &to, &mut |key, value| {
            // Number 0 is not a message but the last number given.
            if key[6..].iter().any(|byte| *byte != 0) {
                match decode(value) {
                    Message::StartRun { origin, .. } | Message::RunEnded { origin, .. } => {
                        told.insert(origin);
                    }
                    Message::RunStarted {
                        origin,
                        refused: Some(_),
                        ..
                    } => {
                        told.insert(origin);
                    }
                    _ => {}
                }
            }
            true
        });
    }
    told
}

//! Calls of methods and queries: what clients ask of runs, and what workers answer.

use super::asking::run_id;
use super::{Event, World};
use crate::dice::mix;
use crate::model::decode;
use crate::plan::Step;
use crate::program::{METHODS, Machine};
use trunkline_core::entry::{Entry, Notification};
use trunkline_core::ids::{Nonce, PeerId};
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{AskQuery, CallMethod, FromPeer, Op, Query, QueryAnswer, WhichTimers};

impl World {
    /// Asks what a client wants to know of a run; false if that is not what the step is about.
    pub(super) fn talk(&mut self, client: u8, step: Step) -> bool {
        let op = match step {
            Step::Call {
                run,
                method,
                nonce,
                wait,
            } => Op::CallMethod(CallMethod {
                run: run_id(run),
                method: Name::from(METHODS[usize::from(method) % METHODS.len()]),
                input: Payload::from(nonce.to_string().into_bytes()),
                nonce: Nonce(u128::from(nonce)),
                wait,
            }),
            Step::Query { run } => Op::Query(AskQuery {
                run: run_id(run),
                query: Name::from("heard"),
                input: Payload::null(),
                timeout_ms: None,
            }),
            Step::Hurry { run } => Op::CompleteTimers {
                run: run_id(run),
                which: WhichTimers::All,
            },
            _ => return false,
        };
        self.ask(client, op, false);
        true
    }

    /// A worker answers a query: from the future that it holds, or by replaying the history.
    pub(super) fn answer_query(&mut self, number: u8, peer: PeerId, query: &Query) {
        let heard = match &query.chunks {
            Some(chunks) => {
                self.model.marks.set("a history was replayed for a query");
                let entries: Vec<Entry> = chunks
                    .iter()
                    .flat_map(|chunk| decode::<Vec<Entry>>(chunk))
                    .collect();
                replayed(&entries)
            }
            None => {
                let worker = self.workers.get(&number);
                let future = worker.and_then(|worker| worker.futures.get(&query.run));
                future.map(|future| future.machine.heard())
            }
        };
        let answer = match heard {
            Some(heard) => QueryAnswer::Value(Payload::from(heard.to_string().into_bytes())),
            None if query.chunks.is_none() => QueryAnswer::NotHeld,
            None => QueryAnswer::Failed(Name::from("no history")),
        };
        let report = FromPeer::QueryDone {
            run: query.run,
            number: query.number,
            answer,
        };
        let ms = mix(&[self.setup.seed, query.number, query.run.0 as u64]) % 20;
        self.expect(
            ms,
            Event::Say {
                worker: number,
                peer,
                report,
            },
        );
    }
}

/// What a program has heard after all turns of its history.
fn replayed(entries: &[Entry]) -> Option<u64> {
    let mut machine = Machine::of(entries)?;
    let mut consumed = 0;
    for entry in entries {
        let Entry::Turn { upto } = entry else {
            continue;
        };
        for index in consumed..*upto {
            if let Entry::Notification(_, notification) = &entries[index as usize] {
                machine.play(index, notification);
            }
        }
        machine.end_turn();
        consumed = *upto;
    }
    // A run that has just begun has heard nothing, not even that.
    let begun = matches!(
        entries.first(),
        Some(Entry::Notification(_, Notification::Started { .. }))
    );
    begun.then(|| machine.heard())
}

//! Tasks that are not done by their workers to the end: delegated, answered from outside, asked to end, kept alive.

use super::{Event, World};
use crate::dice::mix;
use crate::model::OUTSIDE;
use crate::plan::Step;
use trunkline_core::entry::Outcome;
use trunkline_core::ids::{Nonce, PeerId, TaskId};
use trunkline_core::payload::Payload;
use trunkline_core::peer::{FromPeer, Op, TaskAttempt};

impl World {
    /// Asks what somebody outside wants of a task; false if that is not what the step is about.
    pub(super) fn interfere(&mut self, client: u8, step: Step) -> bool {
        let (Step::Answer { place, .. } | Step::CancelTask { place } | Step::Beat { place }) = step
        else {
            return false;
        };
        let Some(task) = self.model.open_task(usize::from(place)) else {
            return true;
        };
        let op = match step {
            Step::Answer { number, .. } => answer(task, u64::from(number)),
            Step::CancelTask { .. } => Op::CancelTask { task },
            _ => Op::HeartbeatTask {
                task,
                details: Some(Payload::from(&b"1"[..])),
            },
        };
        self.ask(client, op, false);
        true
    }

    /// A worker hands a task on: who has it answers in time, late, twice or differently.
    pub(super) fn delegate(&mut self, task: &TaskAttempt, worker: u8, peer: PeerId) {
        let name = [task.run.0 as u64, task.token.0];
        let report = FromPeer::TaskDelegated {
            run: task.run,
            command: task.command,
            token: task.token,
        };
        let Some(ms) = self.answer(worker, peer, &name, report) else {
            return;
        };
        let draw = mix(&[self.setup.seed, name[0], name[1], 11]);
        let first = answer(task.task_id(), draw & 0xffff);
        let at = ms + draw % 3_000;
        if draw.is_multiple_of(3) {
            let other = answer(task.task_id(), (draw & 0xffff) + draw % 2);
            self.expect(at + draw % 500, Event::Ask { op: other });
        }
        self.expect(at, Event::Ask { op: first });
    }

    /// A worker says from time to time that it is at work, until it answers.
    pub(super) fn beat(&mut self, task: &TaskAttempt, worker: u8, peer: PeerId, until_ms: u64) {
        let Some(every_ms) = task.options.heartbeat_timeout_ms else {
            return;
        };
        let mut ms = every_ms / 2;
        while ms < until_ms {
            let report = FromPeer::Heartbeat {
                run: task.run,
                command: task.command,
                token: task.token,
                details: Some(Payload::from(ms.to_string().into_bytes())),
                meta: None,
            };
            self.model.marks.set("a worker said that it is at work");
            self.expect(
                ms,
                Event::Say {
                    worker,
                    peer,
                    report,
                },
            );
            ms += every_ms / 2;
        }
    }
}

/// The answer with this number, from outside.
fn answer(task: TaskId, number: u64) -> Op {
    let result = OUTSIDE + number;
    Op::CompleteTask {
        task,
        outcome: Outcome::Completed(Payload::from(result.to_string().into_bytes())),
        nonce: Nonce(u128::from(result)),
    }
}

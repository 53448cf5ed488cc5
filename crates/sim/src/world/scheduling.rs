//! What operators ask of schedules.

use super::World;
use crate::model::BACKFILLS;
use crate::plan::Step;
use crate::program::{WORKFLOWS, input};
use trunkline_core::ids::Nonce;
use trunkline_core::payload::Name;
use trunkline_core::peer::Op;
use trunkline_core::schedule::{Action, Overlap, Schedule, When};
use trunkline_core::time::Timestamp;

/// How many schedules there are.
const SCHEDULES: u8 = 4;

impl World {
    /// Asks for what somebody wants of a schedule; false if that is not what the step is about.
    pub(super) fn plan_ahead(&mut self, client: u8, step: Step) -> bool {
        let op = match step {
            Step::Schedule {
                name,
                every,
                overlap,
                catch_up,
                program,
            } => {
                let schedule = schedule(name, every, overlap, catch_up, program);
                self.model.note_schedule(&schedule);
                Op::PutSchedule {
                    schedule: Box::new(schedule),
                    paused: None,
                }
            }
            Step::PauseSchedule { name, pause } => {
                let name = name_of(name);
                if pause {
                    self.model.book.held_back.insert(name.to_string());
                }
                let note = pause.then(|| Name::from("not now"));
                Op::PauseSchedule { name, note }
            }
            Step::DeleteSchedule { name } => Op::DeleteSchedule {
                name: name_of(name),
            },
            Step::Trigger { name, nonce } => Op::TriggerSchedule {
                name: name_of(name),
                overlap: None,
                nonce: Nonce(u128::from(nonce)),
            },
            Step::Backfill {
                name,
                back_ms,
                nonce,
            } => Op::BackfillSchedule {
                name: name_of(name),
                from: Timestamp(self.now.0 - u64::from(back_ms)),
                to: Timestamp(self.now.0 - u64::from(back_ms) / 4),
                overlap: None,
                nonce: Nonce(BACKFILLS + u128::from(nonce)),
            },
            _ => return false,
        };
        self.ask(client, op, false);
        true
    }

    /// No schedule starts anything any more.
    pub(super) fn end_schedules(&mut self) {
        for name in (0..SCHEDULES).map(name_of) {
            self.ask(0, Op::DeleteSchedule { name }, false);
        }
    }
}

fn name_of(name: u8) -> Name {
    Name::from(format!("plan-{}", name % SCHEDULES))
}

fn schedule(name: u8, every: u8, overlap: u8, catch_up: u8, program: u16) -> Schedule {
    let when = When::Every {
        every_ms: [10_000, 10_000, 30_000, 60_000][usize::from(every % 4)],
        offset_ms: 0,
    };
    let action = Action {
        workflow: Name::from(WORKFLOWS[usize::from(name % 2)]),
        id: Name::from(if name.is_multiple_of(2) {
            "by-{schedule}-{time}"
        } else {
            "by-{schedule}-{number}"
        }),
        version: Some(1),
        input: input(u64::from(program)),
        tags: vec![Name::from("group:0")],
        timeout_ms: None,
    };
    let mut schedule = Schedule::new(name_of(name), vec![when], action);
    schedule.overlap = Overlap::ALL[usize::from(overlap) % Overlap::ALL.len()];
    schedule.buffer_max = 1 + u32::from(catch_up);
    schedule.catch_up_ms = [500, 4_000, 60_000, 86_400_000][usize::from(catch_up % 4)];
    schedule
}

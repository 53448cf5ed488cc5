//! What a worker can take: the room that is left, counted down as it is given work.

use crate::ids::PeerId;
use crate::payload::Name;
use crate::peer::Registration;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A worker with room for more work.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The worker.
    pub peer: PeerId,
    /// What it can do.
    pub abilities: Arc<Registration>,
    /// Turns it can take now. `dispatch` counts it down.
    pub turns: u32,
    /// Tasks it can take now. `dispatch` counts it down.
    pub tasks: u32,
    /// Tasks of each service in `abilities.service_slots` that it can take now, in that order.
    pub service_tasks: Vec<u32>,
    /// Turns of each workflow in `abilities.workflow_slots` that it can take now, in that order.
    pub workflow_turns: Vec<u32>,
}

impl Offer {
    /// Tasks of `service` that it can take now.
    pub(super) fn tasks_of(&self, service: &Name) -> u32 {
        match place(self.abilities.service_slots.as_deref(), service) {
            Some(at) => self.tasks.min(self.service_tasks[at]),
            None => self.tasks,
        }
    }

    /// Counts a task of `service` that it is given.
    pub(super) fn give_task(&mut self, service: &Name) {
        self.tasks -= 1;
        if let Some(at) = place(self.abilities.service_slots.as_deref(), service) {
            self.service_tasks[at] -= 1;
        }
    }

    /// Turns of `workflow` that it can take now.
    pub(super) fn turns_of(&self, workflow: &Name) -> u32 {
        match place(self.abilities.workflow_slots.as_deref(), workflow) {
            Some(at) => self.turns.min(self.workflow_turns[at]),
            None => self.turns,
        }
    }

    /// Counts a turn of `workflow` that it is given.
    pub(super) fn give_turn(&mut self, workflow: &Name) {
        self.turns -= 1;
        if let Some(at) = place(self.abilities.workflow_slots.as_deref(), workflow) {
            self.workflow_turns[at] -= 1;
        }
    }
}

/// Where the limit of `name` is among `limits`.
fn place(limits: Option<&[(Name, u32)]>, name: &Name) -> Option<usize> {
    limits?.iter().position(|(limited, _)| limited == name)
}

//! Methods of programs. One returns at once, one fails, one sleeps first; all others do not exist.

use super::Machine;
use trunkline_core::entry::{Command, Outcome};
use trunkline_core::failure::{Failure, FailureKind};
use trunkline_core::ids::CommandId;
use trunkline_core::payload::{Name, Payload};

/// The methods that all programs have.
pub const METHODS: [&str; 3] = ["echo", "fail", "doze"];

impl Machine {
    /// A method is called: `call` is the place of that in the history.
    pub(super) fn called(
        &mut self,
        call: u32,
        method: &Name,
        input: &Payload,
        commands: &mut Vec<Command>,
    ) {
        let outcome = match method.as_str() {
            "echo" => Outcome::Completed(input.clone()),
            "doze" if !self.cancelled => {
                self.clock = self.clock.plus_ms(1_500 + u64::from(call) * 200);
                let command = self.claim();
                self.methods.insert(call, command);
                commands.push(Command::StartTimer {
                    command,
                    at: self.clock,
                    call: Some(call),
                });
                return;
            }
            _ => Outcome::Failed(Failure::new(FailureKind::Application, "NoMethod", "no")),
        };
        commands.push(Command::MethodReturned { call, outcome });
    }

    /// The method that has slept returns.
    pub(super) fn method_timer_fired(&mut self, timer: CommandId, commands: &mut Vec<Command>) {
        let call = self.methods.iter().find(|(_, waits)| **waits == timer);
        if let Some(call) = call.map(|(call, _)| *call) {
            self.methods.remove(&call);
            let outcome = Outcome::Completed(Payload::from(call.to_string().into_bytes()));
            commands.push(Command::MethodReturned { call, outcome });
        }
    }

    /// Methods that sleep give up, because the run is to cancel.
    pub(super) fn give_up_methods(&mut self, commands: &mut Vec<Command>) {
        for call in std::mem::take(&mut self.methods).into_keys() {
            let failure = Failure::new(FailureKind::Cancelled, "TL0076", "cancelled");
            let outcome = Outcome::Failed(failure);
            commands.push(Command::MethodReturned { call, outcome });
        }
    }
}

//! What programs ask for of other runs, and of themselves later: children, and to continue as new.

use super::methods::METHODS;
use super::{Flavour, Machine, PROGRAMS, input};
use trunkline_core::entry::{ChildOptions, Command, OnParentEnd};
use trunkline_core::ids::RunId;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::OnConflict;

/// The workflows of the world.
pub const WORKFLOWS: [&str; 2] = ["order", "refund"];
/// So many children have names of their own; others meet one that is there.
const NAMES: u64 = 90;

impl Machine {
    /// A child. Whose names a child has depends on how far down it is, so that nobody waits for an ancestor.
    pub(super) fn child(&mut self, wait: bool) -> Command {
        let command = self.claim();
        if wait {
            self.waits.insert(command);
        }
        let (name, flavour) = if self.flavour.has(Flavour::CHILD) {
            ("grandchild", 0)
        } else if self.dice.percent(50) {
            ("child", Flavour::PARENT | Flavour::CHILD)
        } else {
            ("child", 0)
        };
        let flavour = flavour | self.flavour.0 & Flavour::UNLUCKY;
        let flavour = flavour
            | if self.dice.percent(30) {
                self.flavour.0 & Flavour::AGAIN
            } else {
                0
            };
        let workflow = *self.dice.pick(&WORKFLOWS);
        Command::StartChild {
            command,
            run: RunId::new(workflow, format!("{name}-{}", self.dice.below(NAMES))),
            version: Some(1),
            input: input(self.dice.below(PROGRAMS) + PROGRAMS * flavour),
            options: ChildOptions {
                tags: vec![Name::from(format!("group:{}", command.0 % 3))],
                on_conflict: if self.dice.percent(30) {
                    OnConflict::Attach
                } else {
                    OnConflict::Reject
                },
                on_parent_end: *self.dice.pick(&[
                    OnParentEnd::Cancel,
                    OnParentEnd::Cancel,
                    OnParentEnd::Abandon,
                    OnParentEnd::Terminate,
                ]),
                timeout_ms: None,
                announce: self.dice.percent(30).then_some(true),
            },
        }
    }

    /// Something asked of another run: to take a signal, alone or with others, or to do one of its methods.
    pub(super) fn ask(&mut self, wait: bool) -> Command {
        let command = self.claim();
        if wait {
            self.waits.insert(command);
        }
        let number = self.dice.below(12);
        let workflow = WORKFLOWS[(number % 2) as usize];
        let run = RunId::new(workflow, number.to_string());
        let payload = Payload::from(self.heard.to_string().into_bytes());
        let channel = Name::from("news");
        match self.dice.below(3) {
            0 => Command::SignalRun {
                command,
                run,
                channel,
                payload,
            },
            1 => Command::SignalTagged {
                command,
                workflow: Name::from(workflow),
                tag: Name::from(format!("group:{}", number % 3)),
                channel,
                payload,
            },
            _ => Command::CallMethod {
                command,
                run,
                method: Name::from(*self.dice.pick(&METHODS)),
                input: payload,
            },
        }
    }

    /// The code goes on as new, with another program that goes on less often, and with the signals that it has not received.
    pub(super) fn go_on(&mut self) -> Command {
        self.again = true;
        let number = self.dice.below(PROGRAMS);
        // Numbers only fall, so that it comes to an end.
        let flavour = if number < self.number {
            self.flavour.0
        } else {
            self.flavour.0 & !Flavour::AGAIN
        };
        Command::ContinueAsNew {
            input: input(number + PROGRAMS * flavour),
            version: None,
            carry: self.signals.iter().copied().collect(),
        }
    }
}

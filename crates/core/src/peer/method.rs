//! Requests about methods of runs, and about their timers.

use crate::ids::{CommandId, Nonce, RunId};
use crate::payload::{Name, Payload};
use minicbor::{Decode, Encode};

/// A request to call a method of a run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct CallMethod {
    /// The run.
    #[n(0)]
    pub run: RunId,
    /// The method.
    #[n(1)]
    pub method: Name,
    /// Its argument.
    #[n(2)]
    pub input: Payload,
    /// A repeat with the same nonce gets the answer of the first call.
    #[n(3)]
    pub nonce: Nonce,
    /// True: answer with `Reply::MethodEnded` when the method has ended; false: with `Reply::MethodCalled` at once.
    #[n(4)]
    pub wait: bool,
}

/// Timers of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub enum WhichTimers {
    /// All that are set.
    #[default]
    #[n(0)]
    All,
    /// Those that the run's own code has set.
    #[n(1)]
    Main,
    /// Those that the method of this call has set.
    #[n(2)]
    Call(#[n(0)] u32),
    /// The one of this command.
    #[n(3)]
    Timer(#[n(0)] CommandId),
}

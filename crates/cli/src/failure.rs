//! How a command fails: with a code, a line for a person, and an exit code for a script.

use std::io;
use trunkline_api::core::code::Code;

/// Something was refused (`sysexits.h` has no code for it).
const REFUSED: i32 = 1;
/// `EX_UNAVAILABLE` of `sysexits.h`.
const UNREACHABLE: i32 = 69;
/// `EX_SOFTWARE` of `sysexits.h`.
const INTERNAL: i32 = 70;

/// Why a command did not do what it was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// A rule of Trunkline's, under its code.
    Coded {
        /// The code.
        code: Code,
        /// What exactly.
        detail: String,
    },
    /// The run or the examination ended badly, and that has been printed already.
    Reported,
    /// Standard output is closed: whoever read it has seen enough.
    OutputClosed,
}

impl Failure {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self::Coded {
            code,
            detail: detail.into(),
        }
    }

    /// The line on standard error.
    pub(crate) fn line(&self) -> Option<String> {
        match self {
            Self::Coded { code, detail } => Some(format!(
                "error[{code}]: {}: {detail} (run 'trunkline explain {code}')",
                code.title()
            )),
            Self::Reported | Self::OutputClosed => None,
        }
    }

    /// Its code, if it has one.
    pub(crate) fn code(&self) -> Option<Code> {
        match self {
            Self::Coded { code, .. } => Some(*code),
            Self::Reported | Self::OutputClosed => None,
        }
    }

    /// True if the server may well answer in a while.
    pub(crate) fn may_pass(&self) -> bool {
        let passing = [
            Code::ServerUnreachable,
            Code::ShuttingDown,
            Code::Overloaded,
        ];
        matches!(self, Self::Coded { code, .. } if passing.contains(code))
    }

    pub(crate) fn exit_code(&self) -> i32 {
        match self {
            Self::Coded { code, .. } => match code {
                Code::ServerUnreachable => UNREACHABLE,
                Code::Internal | Code::JournalPoisoned => INTERNAL,
                _ => REFUSED,
            },
            Self::Reported => REFUSED,
            Self::OutputClosed => 0,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::new(Code::Internal, format!("cannot write the output: {error}")),
        }
    }
}

#[cfg(test)]
mod tests;

//! Why an engine could not be opened.

use std::fmt;
use trunkline_core::code::Code;
use trunkline_journal::{Error, ErrorKind};

/// Why an engine could not be opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenError {
    /// Which rule it broke.
    pub code: Code,
    /// What exactly, for a person; with file and offset where there is damage.
    pub message: String,
}

impl OpenError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// An error of the data folder or a journal.
    pub(crate) fn of_journal(error: &Error) -> Self {
        Self::of(error, Code::JournalDamaged)
    }

    /// An error of a checkpoint store.
    pub(crate) fn of_store(error: &Error) -> Self {
        Self::of(error, Code::StoreDamaged)
    }

    fn of(error: &Error, damaged: Code) -> Self {
        let code = match error.kind() {
            ErrorKind::InUse => Code::DataFolderInUse,
            ErrorKind::UnsupportedVersion { .. } => Code::DataFolderVersion,
            ErrorKind::Corrupt => damaged,
            ErrorKind::Full => Code::DiskFull,
            ErrorKind::Invalid | ErrorKind::TooLarge => Code::ConfigInvalid,
            ErrorKind::Poisoned => Code::JournalPoisoned,
            _ => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.code, self.code.title(), self.message)
    }
}

impl std::error::Error for OpenError {}

//! The one error type of this crate: few kinds, each of which tells the caller what to do.

use std::fmt;
use std::io;

/// What went wrong, in the terms in which a caller decides what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call or its options make no sense. A fault of the program or of its configuration.
    Invalid,
    /// Another process holds the data folder. Stop that one first.
    InUse,
    /// The files were written by a version of the format that this program cannot read.
    UnsupportedVersion {
        /// The version the files carry.
        found: u32,
        /// The newest version that this program reads.
        supported: u32,
    },
    /// Bytes that were durable have changed or are missing. Nothing is repaired: restore a backup,
    /// or look at the place that the error names.
    Corrupt,
    /// The disk is full. Nothing was lost; the same call works again once there is space.
    Full,
    /// An earlier write or sync failed, so nothing more is accepted. Stop, and open again.
    Poisoned,
    /// The operating system refused an operation on a file.
    Io,
    /// The frame is larger than the journal accepts.
    TooLarge,
}

/// A failure of the journal, the store or the data folder.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    file: Option<String>,
    offset: Option<u64>,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind with a message for a human.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            file: None,
            offset: None,
            message: message.into(),
            source: None,
        }
    }

    /// Damage of durable bytes.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// A refused operation on `file`. A full disk becomes [`ErrorKind::Full`], everything else
    /// [`ErrorKind::Io`].
    pub fn io(file: &str, doing: &str, source: io::Error) -> Self {
        let kind = if is_full(&source) {
            ErrorKind::Full
        } else {
            ErrorKind::Io
        };
        Self::new(kind, format!("cannot {doing}"))
            .in_file(file)
            .caused_by(source)
    }

    pub(crate) fn poisoned() -> Self {
        Self::new(
            ErrorKind::Poisoned,
            "an earlier write or sync failed, so the journal accepts nothing more",
        )
    }

    /// Names the file, unless one is named already.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        self.file.get_or_insert_with(|| file.to_owned());
        self
    }

    /// Names the file and the offset in it, unless a file is named already.
    #[must_use]
    pub fn at(mut self, file: &str, offset: u64) -> Self {
        if self.file.is_none() {
            self.file = Some(file.to_owned());
            self.offset = Some(offset);
        }
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file concerned, relative to the data folder.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The byte in [`Error::file`] at which it was noticed.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// What happened, without file and offset.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Whether an operation failed because there is no space left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}")?;
            if let Some(offset) = self.offset {
                write!(f, ", byte {offset}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

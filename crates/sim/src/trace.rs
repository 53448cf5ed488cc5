//! The trace: a digest of everything that happened, in order. The same plan gives the same one, or something is not
//! deterministic.

use std::fmt::{Debug, Result, Write};

/// A digest that grows; and, if somebody wants to read them, the newest lines.
#[derive(Clone, Debug)]
pub struct Trace {
    digest: u128,
    lines: Option<Vec<String>>,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            digest: 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d,
            lines: None,
        }
    }
}

impl Trace {
    /// Keeps the lines from now on.
    pub fn keep_lines(&mut self) {
        self.lines = Some(Vec::new());
    }

    /// The lines kept.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    /// Adds what happened.
    pub fn note(&mut self, what: &impl Debug) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{what:?}"));
        }
        // Writing to it cannot fail.
        let _ = writeln!(self, "{what:?}");
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        // FNV-1a (Fowler, Noll, Vo).
        for byte in bytes {
            self.digest =
                (self.digest ^ u128::from(*byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b);
        }
    }

    /// The digest.
    #[must_use]
    pub fn digest(&self) -> u128 {
        self.digest
    }
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

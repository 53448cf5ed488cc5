//! Fuzzing: whatever a decoder is given, it answers. It does not panic, does not run away, and takes no memory without bound.
//!
//! Each [`Target`] is a decoder with what is done with the value right after it. Inputs are made from seeds, real or found
//! earlier (`corpus/`), by [mutations](mutation) that a number decides: so the number is enough to see a failure again.
//!
//! What this is not: it does not follow the coverage of the code. It needs no nightly compiler and no instrumented build, and
//! is cheap enough to be a test.

mod access;
pub mod mutation;
mod samples;
mod targets;

pub use targets::TARGETS;

use crate::dice::mix;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A decoder.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// Inputs that it accepts, to begin with.
    pub samples: fn() -> Vec<Vec<u8>>,
    /// Gives it an input.
    pub decode: fn(&[u8]),
}

/// An input that was not answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What happened.
    pub what: String,
    /// The input.
    pub input: Vec<u8>,
}

/// How long one input may take. None should come near it: beyond it something runs away.
const INPUT_MAX: Duration = Duration::from_secs(10);
/// Bytes of memory that the process may take more than before, at its highest.
const GROWTH_MAX: u64 = 512 << 20;
/// Bytes of an input.
pub const INPUT_BYTES_MAX: usize = 64 << 10;

impl Target {
    /// The target with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// What it begins with: its samples, and what was found earlier.
    ///
    /// # Panics
    /// If the corpus cannot be read.
    #[must_use]
    pub fn corpus(&self) -> Vec<Vec<u8>> {
        let mut all = (self.samples)();
        all.extend(self.found_earlier());
        all
    }

    /// The files of its corpus, by name.
    ///
    /// # Panics
    /// If they cannot be read.
    #[must_use]
    pub fn found_earlier(&self) -> Vec<Vec<u8>> {
        let folder = corpus_folder().join(self.name);
        let Ok(files) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = files
            .map(|file| file.expect("the corpus can be listed").path())
            .collect();
        paths.sort_unstable();
        let read = |path| std::fs::read(path).expect("the corpus can be read");
        paths.into_iter().map(read).collect()
    }

    /// The input that `number` makes of `corpus`.
    #[must_use]
    pub fn input(&self, corpus: &[Vec<u8>], number: u64) -> Vec<u8> {
        let salt = self
            .name
            .bytes()
            .fold(0, |salt, byte| mix(&[salt, u64::from(byte)]));
        mutation::mutated(corpus, mix(&[number, salt]))
    }

    /// Gives it an input.
    ///
    /// # Errors
    /// What it did instead of answering.
    pub fn try_input(&self, input: &[u8]) -> Result<(), Finding> {
        let began = Instant::now();
        let answered = catch_unwind(AssertUnwindSafe(|| (self.decode)(input)));
        let found = |what: String| {
            Err(Finding {
                what,
                input: input.to_vec(),
            })
        };
        match answered {
            Err(panic) => {
                let text = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                found(format!("it panics: {}", text.unwrap_or_default()))
            }
            Ok(()) if began.elapsed() > INPUT_MAX => {
                found(format!("it runs away: {:?}", began.elapsed()))
            }
            Ok(()) => Ok(()),
        }
    }

    /// Gives it the inputs of `numbers`. Says how many.
    ///
    /// # Errors
    /// The first that is not answered, with its number.
    pub fn try_numbers(
        &self,
        corpus: &[Vec<u8>],
        numbers: std::ops::Range<u64>,
    ) -> Result<u64, (u64, Finding)> {
        let before = memory_peak();
        let count = numbers.end - numbers.start;
        for number in numbers {
            let input = self.input(corpus, number);
            self.try_input(&input).map_err(|found| (number, found))?;
            if memory_peak() > before + GROWTH_MAX {
                let what = format!("it takes {} bytes of memory", memory_peak() - before);
                return Err((number, Finding { what, input }));
            }
        }
        Ok(count)
    }
}

/// Where inputs are kept that found something.
#[must_use]
pub fn corpus_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The most memory that this process has ever had, in bytes; 0 where the system does not say.
fn memory_peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

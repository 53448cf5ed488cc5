//! The house rules: what this repository promises about itself, checked by `tests/it`.
//!
//! This crate reads the working tree and Cargo's own description of it. It is not part of the product and nothing depends
//! on it. A rule that fails prints every place that breaks it and what to do about it.
//!
//! Read in this order: [`tree`] (the files), [`cargo`] (packages, arrows, licences), [`markdown`] (tables, links and
//! transcripts in the documents), [`transcript`] (commands that a document shows, run again).
#![warn(missing_docs)]

pub mod cargo;
pub mod markdown;
pub mod transcript;
pub mod tree;

/// Fails with the whole list of what breaks a rule, and with what to do about it.
///
/// # Panics
/// If `broken` is not empty: that is how a rule of the house reports.
#[track_caller]
pub fn assert_none(broken: &[String], remedy: &str) {
    assert!(broken.is_empty(), "\n\n{}\n\n{remedy}\n", broken.join("\n"));
}

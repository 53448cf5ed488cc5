//! The house rules. Each module is one room of the house; each test is one rule and says in its failure what to do.

mod arrows;
mod behaviours;
mod codes;
mod dependencies;
mod documents;
mod files;
mod records;
mod transcripts;
mod words;

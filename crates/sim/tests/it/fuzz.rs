//! Fuzzing, bounded: what was found earlier, and fresh inputs for every decoder.

use std::time::{SystemTime, UNIX_EPOCH};
use trunkline_sim::fuzz::{TARGETS, Target, corpus_folder};

/// Inputs of each decoder.
const INPUTS: u64 = 2_000;

#[test]
fn every_input_that_once_found_something_is_answered() {
    for target in TARGETS {
        for input in target.corpus() {
            if let Err(found) = target.try_input(&input) {
                panic!("{}: {} {:02x?}", target.name, found.what, found.input);
            }
        }
    }
}

#[test]
fn no_input_panics_runs_away_or_takes_memory_without_bound() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = since.as_millis() as u64 * 1_000;
    for target in TARGETS {
        let corpus = target.corpus();
        if let Err((number, found)) = target.try_numbers(&corpus, first..first + INPUTS) {
            panic!(
                "{} {number}: {}: {:02x?}",
                target.name, found.what, found.input
            );
        }
    }
}

#[test]
fn the_same_number_makes_the_same_input() {
    for target in TARGETS {
        let corpus = target.corpus();
        assert!(!corpus.is_empty(), "{}", target.name);
        let again = target.corpus();
        for number in 0..50 {
            let input = target.input(&corpus, number);
            assert_eq!(input, target.input(&again, number));
        }
    }
}

#[test]
fn every_folder_of_the_corpus_has_a_decoder() {
    for folder in std::fs::read_dir(corpus_folder()).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(Target::named(&name).is_some(), "{name}");
    }
}

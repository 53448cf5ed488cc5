//! Mutations: small wrong things that are done to an input, one to six at a time.
//!
//! Some know what inputs are made of: the heads of CBOR with lengths that nobody has, brackets that do not end, digits that
//! overflow, pieces that are repeated into themselves.

use super::INPUT_BYTES_MAX;
use crate::dice::Dice;

/// Bytes that mean something: the ends of numbers, heads of CBOR, brackets, quotes and signs.
const BYTES: &[u8] =
    b"\x00\x01\x17\x18\x19\x1a\x1b\x20\x3b\x40\x5b\x5f\x60\x7b\x7f\x80\x81\x9b\x9f\xa0\xbb\xbf\xc0\xdb\xf4\xf6\xf7\xfb\xff{}[]()\"\\,:.-+*/%?&|!<>=0123456789aeELW# \t\n";

/// Pieces that are put in somewhere.
const PIECES: &[&[u8]] = &[
    // Strings, arrays and maps of sizes that nobody has.
    b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\x9b\x00\x00\x00\xff\xff\xff\xff\xff",
    b"\xbb\x00\x00\x00\x00\xff\xff\xff\xff",
    b"\x9a\x10\x00\x00\x00",
    b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x3b\x7f\xff\xff\xff\xff\xff\xff\xff",
    // Numbers at the ends of their types, and beyond.
    b"0",
    b"-1",
    b"18446744073709551615",
    b"18446744073709551616",
    b"-9223372036854775808",
    b"4294967296",
    b"1e999",
    b"0.1",
    b"99999999999999999999999999999999999999",
    // Words of the languages.
    b"null",
    b"true",
    b"[[[[[[[[",
    b"((((((((",
    b"{\"a\":",
    b"\\ud800",
    b"\xf0\x9f\xa6\x80",
    b"\xc3\x28",
    b"*/1",
    b"L-31",
    b"0/0",
    b"9999",
    b" ? x : ",
    b".map(x, x)",
    b".all(x, x > 0)",
    b"matches('(a+)+$')",
    b"TZ=",
];

/// What `number` makes of one of `corpus`, or of several.
#[must_use]
pub fn mutated(corpus: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut dice = Dice::new(number, 0x6675_7a7a);
    let mut input = if corpus.is_empty() || dice.percent(3) {
        (0..dice.below(64)).map(|_| dice.roll() as u8).collect()
    } else {
        dice.pick(corpus).clone()
    };
    for _ in 0..dice.between(1, 6) {
        mutate(&mut input, corpus, &mut dice);
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], dice: &mut Dice) {
    let length = input.len() as u64;
    let at = dice.below(length + 1) as usize;
    let end = at + dice.below(length - at as u64 + 1) as usize;
    match dice.below(11) {
        0 if at < input.len() => input[at] ^= 1 << dice.below(8),
        1 if at < input.len() => input[at] = *dice.pick(BYTES),
        2 if at < input.len() => {
            let by: u8 = *dice.pick(&[1, 255]);
            input[at] = input[at].wrapping_add(by);
        }
        3 => input.truncate(at),
        4 => drop(input.drain(at..end)),
        5 => {
            let byte = *dice.pick(BYTES);
            input.insert(at, byte);
        }
        6 => {
            let piece = *dice.pick(PIECES);
            input.splice(at..at, piece.iter().copied());
        }
        7 => {
            // In the place of as much.
            let piece = *dice.pick(PIECES);
            let end = (at + piece.len()).min(input.len());
            input.splice(at..end, piece.iter().copied());
        }
        8 => {
            // A piece is repeated into itself: lists grow, and what nests nests deeper.
            let piece = input[at..end.min(at + 200)].to_vec();
            let times = 1 << dice.below(10);
            let times = times.min(INPUT_BYTES_MAX / (piece.len() + 1));
            input.splice(at..at, piece.repeat(times));
        }
        9 if !corpus.is_empty() => {
            // The end of another.
            let other = dice.pick(corpus);
            let from = dice.below(other.len() as u64 + 1) as usize;
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            let byte = dice.roll() as u8;
            input.insert(at, byte);
        }
    }
}

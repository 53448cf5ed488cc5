//! Cursors of the event feed, as text: opaque to users, and valid until the events behind them are gone.
//!
//! ```text
//! 1 │ feed: 8 bytes │ for each shard: sequence, slot (LEB128)      in base64url (RFC 4648, 5) without padding
//! ```
//!
//! A cursor holds all of a reader's state. It survives restarts of both sides, and is not larger for a reader who filters.

use crate::core::code::Code;
use crate::core::feed::{FeedCursor, FeedPosition};
use crate::problem::Problem;

/// The form of a cursor that is written here.
const FORM: u8 = 1;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The cursor as text.
#[must_use]
pub fn write(cursor: &FeedCursor) -> String {
    let mut bytes = vec![FORM];
    bytes.extend_from_slice(&cursor.of.to_be_bytes());
    for position in &cursor.positions {
        put(position.sequence, &mut bytes);
        put(u64::from(position.slot), &mut bytes);
    }
    base64(&bytes)
}

/// The cursor in a text.
///
/// # Errors
/// `TL0030` if it is none.
pub fn read(text: &str) -> Result<FeedCursor, Problem> {
    let refused = || {
        Problem::new(
            Code::CursorInvalid,
            "`cursor` is not one that this server gave out",
        )
    };
    bytes_of(text)
        .and_then(|bytes| parse(&bytes))
        .ok_or_else(refused)
}

fn parse(bytes: &[u8]) -> Option<FeedCursor> {
    let (&form, rest) = bytes.split_first()?;
    let (of, mut rest) = rest.split_at_checked(8)?;
    let of = u64::from_be_bytes(of.try_into().ok()?);
    let mut positions = Vec::new();
    while !rest.is_empty() {
        let sequence = take(&mut rest)?;
        let slot = u32::try_from(take(&mut rest)?).ok()?;
        positions.push(FeedPosition { sequence, slot });
    }
    (form == FORM).then_some(FeedCursor { of, positions })
}

fn put(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..10 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0_u32, |bits, (at, byte)| {
            bits | u32::from(*byte) << (16 - 8 * at)
        });
        for at in 0..=group.len() {
            let six = bits >> (18 - 6 * at) & 0x3f;
            text.push(char::from(ALPHABET[six as usize]));
        }
    }
    text
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    for group in text.as_bytes().chunks(4) {
        if group.len() == 1 {
            return None;
        }
        let mut bits = 0_u32;
        for (at, letter) in group.iter().enumerate() {
            let six = ALPHABET.iter().position(|other| other == letter)?;
            bits |= (six as u32) << (18 - 6 * at);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}

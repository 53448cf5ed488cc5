//! Page cursors: opaque to users, and valid only for the list that they came from.
//!
//! ```text
//! 32 hex digits: where to go on │ 8 hex digits: a digest of the list's filter
//! ```
//!
//! A cursor holds no state on the server. It survives a restart, and goes on behind an item even if that is gone.

use crate::core::code::Code;
use crate::problem::Problem;

const UNKNOWN: &str = "`cursor` is not one that this server gave out";

/// The cursor that goes on behind the item `after` of the list with these `filters`.
#[must_use]
pub fn write(after: u128, filters: &[Option<&str>]) -> String {
    format!("{after:032x}{:08x}", digest(filters))
}

/// The same for an item that takes two numbers to find.
#[must_use]
pub fn write_pair((first, second): (u128, u128), filters: &[Option<&str>]) -> String {
    format!("{first:032x}{}", write(second, filters))
}

/// Where a cursor made by [`write_pair`] goes on.
///
/// # Errors
/// As for [`read`].
pub fn read_pair(text: &str, filters: &[Option<&str>]) -> Result<(u128, u128), Problem> {
    let (first, rest) = text.split_at_checked(32).unwrap_or(("", text));
    let second = read(rest, filters)?;
    match u128::from_str_radix(first, 16) {
        Ok(first) => Ok((first, second)),
        Err(_) => Err(Problem::new(Code::CursorInvalid, UNKNOWN)),
    }
}

/// Where the cursor `text` goes on.
///
/// # Errors
/// `TL0030` if it is no cursor, or one of a list with other filters.
pub fn read(text: &str, filters: &[Option<&str>]) -> Result<u128, Problem> {
    let refuse = |why: &str| Problem::new(Code::CursorInvalid, why);
    if text.len() != 40 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(refuse(UNKNOWN));
    }
    let (after, of) = text.split_at(32);
    let number = |hex| u128::from_str_radix(hex, 16).expect("hex digits were checked above");
    if number(of) != u128::from(digest(filters)) {
        return Err(refuse(
            "`cursor` belongs to a list with other filters: repeat the request with the filters of its first page",
        ));
    }
    Ok(number(after))
}

/// FNV-1a over the filters, each with a mark that tells an absent from an empty one.
fn digest(filters: &[Option<&str>]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    let mut eat = |byte: u8| hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    for filter in filters {
        eat(u8::from(filter.is_some()));
        filter.unwrap_or_default().bytes().for_each(&mut eat);
        eat(0xff);
    }
    hash
}

#[cfg(test)]
mod tests;

//! Money: exact decimals, never floating point.
//!
//! Invariant: amounts of the order lines that [`parse`] and the line rules admit cannot overflow when multiplied with a
//! quantity and summed over any file that fits into memory (see [`PRICE_MAX`]).

use rust_decimal::Decimal;

/// Prices are below this: one thousand million.
pub const PRICE_MAX: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);

/// Digits that a price may have behind the point.
pub const PRICE_SCALE_MAX: usize = 6;

/// Reads an amount: an optional sign, digits, and at most one point with at most [`PRICE_SCALE_MAX`] digits behind it.
///
/// # Errors
/// In words, what is wrong with it.
pub fn parse(text: &str) -> Result<Decimal, String> {
    let trimmed = text.trim();
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return Err(format!("{text:?} is not a decimal number"));
    }
    if fraction.len() > PRICE_SCALE_MAX {
        return Err(format!(
            "{text:?} has more than {PRICE_SCALE_MAX} digits behind the point"
        ));
    }
    let amount = format!("{}.{fraction}0", if whole.is_empty() { "0" } else { whole })
        .parse::<Decimal>()
        .ok()
        .filter(|amount| *amount < PRICE_MAX)
        .ok_or_else(|| format!("{text:?} is out of range"))?;
    Ok(if trimmed.starts_with('-') {
        -amount
    } else {
        amount
    }
    .normalize())
}

/// The amount for a person and for JSON: at least two digits behind the point, more only where they are not zero.
#[must_use]
pub fn show(amount: Decimal) -> String {
    let mut amount = amount.normalize();
    if amount.scale() < 2 {
        amount.rescale(2);
    }
    amount.to_string()
}

#[cfg(test)]
mod tests;

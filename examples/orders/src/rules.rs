//! The rules of the shop: which order lines are valid, and with which reason code the others are rejected.

use crate::line::OrderLine;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a line is not part of its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The line could not be read.
    LineBroken,
    /// StockCode is not five digits and up to two letters: postage, discounts, bank charges.
    StockCodeNotAProduct,
    /// Description is blank.
    DescriptionBlank,
    /// UnitPrice is zero or below.
    UnitPriceNotPositive,
    /// Quantity of an order is zero or below: a write-off.
    QuantityNotPositive,
    /// Quantity of a cancellation is zero or above.
    QuantityNotNegative,
}

impl Reason {
    /// Every reason, in the order in which they are looked at: a line is rejected with the first that applies.
    pub const ALL: [Self; 6] = [
        Self::LineBroken,
        Self::StockCodeNotAProduct,
        Self::DescriptionBlank,
        Self::UnitPriceNotPositive,
        Self::QuantityNotPositive,
        Self::QuantityNotNegative,
    ];

    /// The reason code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::LineBroken => "line-broken",
            Self::StockCodeNotAProduct => "stock-code-not-a-product",
            Self::DescriptionBlank => "description-blank",
            Self::UnitPriceNotPositive => "unit-price-not-positive",
            Self::QuantityNotPositive => "quantity-not-positive",
            Self::QuantityNotNegative => "quantity-not-negative",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// True if the invoice is a cancellation: its number begins with C.
#[must_use]
pub fn is_cancellation(invoice: &str) -> bool {
    invoice.starts_with('C')
}

/// Judges a line.
///
/// # Errors
/// The reason why it is rejected.
pub fn judge(line: &OrderLine) -> Result<(), Reason> {
    if !is_product(&line.stock_code) {
        return Err(Reason::StockCodeNotAProduct);
    }
    if line.description.trim().is_empty() {
        return Err(Reason::DescriptionBlank);
    }
    if line.unit_price <= Decimal::ZERO {
        return Err(Reason::UnitPriceNotPositive);
    }
    match (is_cancellation(&line.invoice), line.quantity) {
        (false, ..=0) => Err(Reason::QuantityNotPositive),
        (true, 0..) => Err(Reason::QuantityNotNegative),
        _ => Ok(()),
    }
}

/// `^[0-9]{5}[A-Za-z]{0,2}$`
fn is_product(stock_code: &str) -> bool {
    let bytes = stock_code.as_bytes();
    (5..=7).contains(&bytes.len())
        && bytes[..5].iter().all(u8::is_ascii_digit)
        && bytes[5..].iter().all(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests;

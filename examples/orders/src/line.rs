//! Order lines as they stand in the CSV file: typed, and not yet judged.
//!
//! What it is not: whether a line is a valid order line is decided in [`crate::rules`]. Here it is only read; a line that
//! cannot be read is a [`BrokenLine`].

use crate::money;
use crate::rows::{Row, Rows};
use rust_decimal::Decimal;
use std::fmt;
use trunkline::core::code::Code;

/// The columns that a file must have, in any order; others are passed over.
pub const COLUMNS: [&str; 8] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
];

/// Bytes of an invoice number, a customer and a country: they become ids, lanes and tags.
const NAME_BYTES_MAX: usize = 200;

/// Quantities are within this, either way.
const QUANTITY_MAX: i64 = 2_000_000_000;

/// A line of an invoice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderLine {
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// The invoice it belongs to.
    pub invoice: String,
    /// The article.
    pub stock_code: String,
    /// The article's description.
    pub description: String,
    /// Pieces; negative when they come back.
    pub quantity: i64,
    /// The price of one piece, in pounds.
    pub unit_price: Decimal,
    /// Who ordered, if known.
    pub customer: Option<String>,
    /// Where to.
    pub country: String,
}

/// A line that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokenLine {
    /// The line of the file, from 1.
    pub line: u64,
    /// The invoice it belongs to, if that much can be read.
    pub invoice: Option<String>,
    /// What is wrong with it, in words.
    pub reason: String,
}

impl fmt::Display for BrokenLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: line {} is broken: {}",
            Code::CsvLine,
            self.line,
            self.reason
        )
    }
}

/// The file is not one of order lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ColumnsMissing(pub Vec<&'static str>);

impl fmt::Display for ColumnsMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: the CSV file lacks columns: {} (its first line must name {})",
            Code::CsvColumns,
            self.0.join(", "),
            COLUMNS.join(", ")
        )
    }
}

impl std::error::Error for ColumnsMissing {}

/// Reads every line of a CSV text: nothing vanishes, each is an order line or a broken one.
///
/// # Errors
/// If columns are missing.
pub fn read(text: &[u8]) -> Result<Vec<Result<OrderLine, BrokenLine>>, ColumnsMissing> {
    let mut rows = Rows::new(text);
    let header = match rows.next() {
        Some(Row::Fields { fields, .. }) => fields,
        Some(Row::Broken { .. }) | None => Vec::new(),
    };
    let mut places = [0; COLUMNS.len()];
    let mut missing = Vec::new();
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        match header.iter().position(|name| name.trim() == column) {
            Some(found) => *place = found,
            None => missing.push(column),
        }
    }
    if !missing.is_empty() {
        return Err(ColumnsMissing(missing));
    }
    Ok(rows.map(|row| line(row, &places)).collect())
}

/// Reads one row. `places` says where the [`COLUMNS`] are.
fn line(row: Row, places: &[usize; COLUMNS.len()]) -> Result<OrderLine, BrokenLine> {
    let (line, mut fields) = match row {
        Row::Fields { line, fields } => (line, fields),
        Row::Broken { line, reason } => {
            return Err(BrokenLine {
                line,
                invoice: None,
                reason,
            });
        }
    };
    let [
        invoice,
        stock_code,
        description,
        quantity,
        _date,
        unit_price,
        customer,
        country,
    ] = places.map(|place| std::mem::take(&mut fields[place]));
    let invoice = invoice.trim().to_owned();
    let broken = |invoice: Option<String>, reason: String| BrokenLine {
        line,
        invoice,
        reason,
    };
    if invoice.is_empty() {
        return Err(broken(None, "InvoiceNo is empty".to_owned()));
    }
    if !is_name(&invoice) {
        return Err(broken(None, "InvoiceNo is not usable as an id".to_owned()));
    }
    for (column, text) in [("CustomerID", &customer), ("Country", &country)] {
        if !is_name(text.trim()) {
            let reason = format!("{column} is not usable as a name");
            return Err(broken(Some(invoice), reason));
        }
    }
    let quantity = match quantity.trim().parse::<i64>() {
        Ok(pieces) if pieces.abs() <= QUANTITY_MAX => pieces,
        Ok(_) => {
            let reason = format!("Quantity {quantity:?} is out of range");
            return Err(broken(Some(invoice), reason));
        }
        Err(_) => {
            let reason = format!("Quantity {quantity:?} is not a whole number");
            return Err(broken(Some(invoice), reason));
        }
    };
    let unit_price = match money::parse(&unit_price) {
        Ok(price) => price,
        Err(reason) => return Err(broken(Some(invoice), format!("UnitPrice {reason}"))),
    };
    let customer = customer.trim();
    Ok(OrderLine {
        line,
        invoice,
        stock_code,
        description,
        quantity,
        unit_price,
        customer: (!customer.is_empty()).then(|| customer.to_owned()),
        country: country.trim().to_owned(),
    })
}

/// True if the text is short and plain enough for an id, a lane or a tag.
fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;

//! Invoices: the lines of a file, grouped by InvoiceNo and judged. One invoice is the argument of one run.
//!
//! Invariant: nothing vanishes. Every line of the file is in exactly one place: a valid line of an invoice, or a rejected
//! line (of an invoice, or of none if its InvoiceNo cannot be read).

use crate::line::{BrokenLine, OrderLine};
use crate::rules::{self, Reason};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// An invoice: an order, or the cancellation of one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Invoice {
    /// Its InvoiceNo, and the id of its run.
    pub number: String,
    /// Who ordered, if known.
    pub customer: Option<String>,
    /// Where to.
    pub country: String,
    /// The valid lines, in the order of the file.
    pub lines: Vec<ValidLine>,
    /// How many lines were rejected.
    pub lines_rejected: u32,
}

/// A valid line of an invoice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ValidLine {
    /// The article.
    pub sku: String,
    /// Pieces: positive in an order, negative in a cancellation.
    pub quantity: i64,
    /// The price of one piece.
    pub unit_price: Decimal,
}

/// A rejected line, for the list of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RejectedLine {
    /// The line of the file, from 1.
    pub line: u64,
    /// The invoice, if it can be read.
    pub invoice: Option<String>,
    /// The reason code.
    pub reason: Reason,
    /// The value that is at fault, or what is broken.
    pub detail: String,
}

/// A whole file: invoices in the order of their first lines, and every rejected line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Book {
    /// The invoices.
    pub invoices: Vec<Invoice>,
    /// The rejected lines.
    pub rejected: Vec<RejectedLine>,
    /// Lines in the file, its header and blank lines aside.
    pub lines: u64,
}

impl Invoice {
    /// True if it takes an order back.
    #[must_use]
    pub fn is_cancellation(&self) -> bool {
        rules::is_cancellation(&self.number)
    }

    /// The sum of quantity × price of its valid lines; what a cancellation pays back counts as positive.
    #[must_use]
    pub fn value(&self) -> Decimal {
        self.lines
            .iter()
            .map(|line| Decimal::from(line.quantity.abs()) * line.unit_price)
            .sum::<Decimal>()
            .normalize()
    }
}

impl Book {
    /// Groups and judges the lines of a file.
    #[must_use]
    pub fn of(lines: Vec<Result<OrderLine, BrokenLine>>) -> Self {
        let mut book = Self {
            lines: lines.len() as u64,
            ..Self::default()
        };
        let mut places = HashMap::new();
        for line in lines {
            match line {
                Ok(line) => {
                    let verdict = rules::judge(&line);
                    let invoice = book.invoice(&mut places, &line.invoice);
                    if invoice.country.is_empty() {
                        invoice.country.clone_from(&line.country);
                    }
                    if invoice.customer.is_none() {
                        invoice.customer.clone_from(&line.customer);
                    }
                    match verdict {
                        Ok(()) => invoice.lines.push(ValidLine {
                            sku: line.stock_code,
                            quantity: line.quantity,
                            unit_price: line.unit_price,
                        }),
                        Err(reason) => {
                            invoice.lines_rejected += 1;
                            book.rejected.push(rejected(line, reason));
                        }
                    }
                }
                Err(broken) => {
                    if let Some(number) = &broken.invoice {
                        book.invoice(&mut places, number).lines_rejected += 1;
                    }
                    book.rejected.push(RejectedLine {
                        line: broken.line,
                        invoice: broken.invoice,
                        reason: Reason::LineBroken,
                        detail: broken.reason,
                    });
                }
            }
        }
        book
    }

    /// The invoice `number`, begun if it is new.
    fn invoice(&mut self, places: &mut HashMap<String, usize>, number: &str) -> &mut Invoice {
        let place = match places.get(number) {
            Some(place) => *place,
            None => {
                places.insert(number.to_owned(), self.invoices.len());
                self.invoices.push(Invoice {
                    number: number.to_owned(),
                    customer: None,
                    country: String::new(),
                    lines: Vec::new(),
                    lines_rejected: 0,
                });
                self.invoices.len() - 1
            }
        };
        &mut self.invoices[place]
    }
}

/// The entry of a judged line in the list of rejected ones.
fn rejected(line: OrderLine, reason: Reason) -> RejectedLine {
    let detail = match reason {
        Reason::StockCodeNotAProduct => line.stock_code,
        Reason::DescriptionBlank | Reason::LineBroken => line.description,
        Reason::UnitPriceNotPositive => line.unit_price.to_string(),
        Reason::QuantityNotPositive | Reason::QuantityNotNegative => line.quantity.to_string(),
    };
    RejectedLine {
        line: line.line,
        invoice: Some(line.invoice),
        reason,
        detail,
    }
}

#[cfg(test)]
mod tests;

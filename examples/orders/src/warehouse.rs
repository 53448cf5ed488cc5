//! The warehouse: reserves stock for orders, and gives it back.
//!
//! What it is not: it does not know how much there is; the file says nothing about that. It keeps what is reserved for
//! whom, in the worker's memory.
//!
//! Invariant: reserving and giving back are idempotent by the invoice's number.

use crate::invoice::ValidLine;
use std::collections::HashMap;

/// What is reserved.
#[derive(Debug, Default)]
pub struct Warehouse {
    reserved: HashMap<String, Vec<(String, i64)>>,
}

impl Warehouse {
    /// Reserves the lines for the invoice, and answers how many pieces that are.
    pub fn reserve(&mut self, invoice: &str, lines: &[ValidLine]) -> i64 {
        let pieces = |(_, pieces): &(String, i64)| *pieces;
        self.reserved
            .entry(invoice.to_owned())
            .or_insert_with(|| {
                lines
                    .iter()
                    .map(|line| (line.sku.clone(), line.quantity))
                    .collect()
            })
            .iter()
            .map(pieces)
            .sum()
    }

    /// Gives back what is reserved for the invoice.
    pub fn release(&mut self, invoice: &str) {
        self.reserved.remove(invoice);
    }

    /// The invoices for which something is reserved.
    #[must_use]
    pub fn reservations(&self) -> usize {
        self.reserved.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Warehouse;
    use crate::invoice::ValidLine;
    use rust_decimal::Decimal;

    #[test]
    fn reserving_twice_reserves_once_and_releasing_gives_it_back() {
        let mut warehouse = Warehouse::default();
        let lines = [ValidLine {
            sku: "22041".to_owned(),
            quantity: 48,
            unit_price: Decimal::TWO,
        }];
        assert_eq!(warehouse.reserve("536477", &lines), 48);
        assert_eq!(warehouse.reserve("536477", &lines), 48);
        assert_eq!(warehouse.reservations(), 1);
        warehouse.release("536477");
        warehouse.release("536477");
        assert_eq!(warehouse.reservations(), 0);
    }
}

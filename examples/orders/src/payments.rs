//! The payment service: charges orders and refunds cancellations, and fails now and then as remote services do.
//!
//! It lives in the worker's memory, because the worker is never killed in the demo. What it is not: it is no workflow code;
//! it stands for a service of somebody else.
//!
//! Invariants:
//!
//! * An order is charged once, however often the task is attempted: the caller's key is remembered. Half of the failures
//!   happen after the money has moved, as they do in life.
//! * Only a customer who is refused by name is refused for good; every other failure is worth another attempt.

use crate::dice::Dice;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fmt;

/// How many of 1,000 calls fail.
pub const FAILURES_PER_MILLE: u64 = 20;

/// Proof of a payment, or of its return.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// The key under which it was made.
    pub key: String,
    /// The amount, positive either way.
    pub amount: Decimal,
}

/// Why there is no receipt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PaymentError {
    /// The service did not answer. Whether the money has moved is unknown; the same key may be tried again.
    Unavailable,
    /// The customer's bank refuses, and will go on to.
    Refused {
        /// Who is refused.
        customer: String,
    },
}

impl fmt::Display for PaymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable => f.write_str("the payment service did not answer"),
            Self::Refused { customer } => write!(f, "the bank of customer {customer} refuses"),
        }
    }
}

impl std::error::Error for PaymentError {}

/// The books of the service.
#[derive(Debug)]
pub struct PaymentService {
    dice: Dice,
    refused_customers: HashSet<String>,
    charges: HashMap<String, Decimal>,
    refunds: HashMap<String, Decimal>,
}

impl PaymentService {
    /// A service that refuses the customers `refused`, and fails by chance.
    #[must_use]
    pub fn new(seed: u64, refused: impl IntoIterator<Item = String>) -> Self {
        Self {
            dice: Dice::new(seed),
            refused_customers: refused.into_iter().collect(),
            charges: HashMap::new(),
            refunds: HashMap::new(),
        }
    }

    /// Charges `customer` once for `key`.
    ///
    /// # Errors
    /// If the service fails by chance, or the customer is refused for good.
    pub fn charge(
        &mut self,
        key: &str,
        customer: Option<&str>,
        amount: Decimal,
    ) -> Result<Receipt, PaymentError> {
        if let Some(customer) =
            customer.filter(|customer| self.refused_customers.contains(*customer))
        {
            return Err(PaymentError::Refused {
                customer: customer.to_owned(),
            });
        }
        Self::book(&mut self.dice, &mut self.charges, key, amount)
    }

    /// Pays `amount` back once for `key`.
    ///
    /// # Errors
    /// If the service fails by chance.
    pub fn refund(&mut self, key: &str, amount: Decimal) -> Result<Receipt, PaymentError> {
        Self::book(&mut self.dice, &mut self.refunds, key, amount)
    }

    /// What has been charged in all.
    #[must_use]
    pub fn charged(&self) -> Decimal {
        self.charges.values().sum()
    }

    /// What has been paid back in all.
    #[must_use]
    pub fn refunded(&self) -> Decimal {
        self.refunds.values().sum()
    }

    fn book(
        dice: &mut Dice,
        book: &mut HashMap<String, Decimal>,
        key: &str,
        amount: Decimal,
    ) -> Result<Receipt, PaymentError> {
        let fails = dice.happens(FAILURES_PER_MILLE);
        if fails && dice.happens(500) {
            return Err(PaymentError::Unavailable);
        }
        let amount = *book.entry(key.to_owned()).or_insert(amount);
        if fails {
            return Err(PaymentError::Unavailable);
        }
        Ok(Receipt {
            key: key.to_owned(),
            amount,
        })
    }
}

#[cfg(test)]
mod tests;

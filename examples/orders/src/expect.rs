//! The independent computation: the totals, and every job that the shop must see, straight from the CSV file.
//!
//! What it is not: it shares nothing with the main job but the splitting of rows ([`crate::rows`]). It reads columns, judges
//! lines and adds money in its own words, in whole millionths instead of decimals, so that a mistake in one of the two
//! shows as a difference.

use crate::rows::{Row, Rows};
use crate::totals::Totals;
use std::collections::{BTreeMap, HashMap};

/// Orders of this value and more need an approval, in millionths of a pound: 5,000.00.
const APPROVAL_MICROS: i128 = 5_000_000_000;

/// What must come out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expectation {
    /// The totals.
    pub totals: Totals,
    /// How often each job must have been delivered, by its content: see [`crate::delivery::Envelope::content`].
    pub jobs: BTreeMap<String, u64>,
}

/// What is known of an invoice.
#[derive(Default)]
struct Account {
    customer: String,
    micros: i128,
    stock: Vec<(String, i64)>,
}

/// Computes what must come out of the CSV text.
///
/// # Errors
/// If columns are missing.
pub fn expect(text: &[u8]) -> Result<Expectation, String> {
    let mut rows = Rows::new(text);
    let Some(Row::Fields { fields: header, .. }) = rows.next() else {
        return Err("TL0060: the file has no header".to_owned());
    };
    let column = |name: &str| {
        header
            .iter()
            .position(|field| field.trim() == name)
            .ok_or_else(|| format!("TL0060: there is no column {name}"))
    };
    let (invoice_no, stock_code) = (column("InvoiceNo")?, column("StockCode")?);
    let (description, quantity) = (column("Description")?, column("Quantity")?);
    let (unit_price, customer_id) = (column("UnitPrice")?, column("CustomerID")?);
    let country = column("Country")?;
    column("InvoiceDate")?;

    let mut totals = Totals::default();
    let mut accounts: HashMap<String, Account> = HashMap::new();
    for row in rows {
        totals.lines += 1;
        let Row::Fields { fields, .. } = row else {
            totals.lines_rejected += 1;
            continue;
        };
        let number = fields[invoice_no].trim();
        let usable = |name: &str| name.len() <= 200 && !name.chars().any(char::is_control);
        if number.is_empty() || !usable(number) {
            totals.lines_rejected += 1;
            continue;
        }
        let account = accounts.entry(number.to_owned()).or_default();
        if !usable(fields[customer_id].trim()) || !usable(fields[country].trim()) {
            totals.lines_rejected += 1;
            continue;
        }
        let (Some(pieces), Some(micros)) = (whole(&fields[quantity]), micros(&fields[unit_price]))
        else {
            totals.lines_rejected += 1;
            continue;
        };
        if account.customer.is_empty() {
            fields[customer_id].trim().clone_into(&mut account.customer);
        }
        let code = &fields[stock_code];
        let letters = code.trim_start_matches(|c: char| c.is_ascii_digit());
        let valid = code.len() - letters.len() == 5
            && letters.len() <= 2
            && letters.chars().all(|c| c.is_ascii_alphabetic())
            && fields[description].chars().any(|c| !c.is_whitespace())
            && micros > 0
            && if number.starts_with('C') {
                pieces < 0
            } else {
                pieces > 0
            };
        if valid {
            account.micros += i128::from(pieces.abs()) * micros;
            account.stock.push((code.clone(), -pieces));
        } else {
            totals.lines_rejected += 1;
        }
    }

    let mut jobs = BTreeMap::new();
    let (mut revenue, mut refunds) = (0, 0);
    totals.invoices = accounts.len() as u64;
    for (number, account) in accounts {
        if account.stock.is_empty() {
            totals.rejected += 1;
            continue;
        }
        if number.starts_with('C') {
            totals.refunded += 1;
            refunds += account.micros;
        } else {
            totals.completed += 1;
            totals.approvals += u64::from(account.micros >= APPROVAL_MICROS);
            revenue += account.micros;
        }
        let lane = match account.customer.as_str() {
            "" => "guest",
            customer => customer,
        };
        let value = pounds(account.micros);
        let order = format!("order|create|{lane}|{number}|{value}");
        *jobs.entry(order).or_default() += 1;
        for (sku, delta) in account.stock {
            *jobs
                .entry(format!("stock|update|{sku}|{sku}|{delta}|{number}"))
                .or_default() += 1;
        }
    }
    totals.revenue = pounds(revenue);
    totals.refunds = pounds(refunds);
    totals.jobs = jobs.values().sum();
    Ok(Expectation { totals, jobs })
}

/// A whole number of at most ten digits, up to two thousand million.
fn whole(text: &str) -> Option<i64> {
    let number: i64 = text.trim().parse().ok()?;
    (-2_000_000_000..=2_000_000_000)
        .contains(&number)
        .then_some(number)
}

/// A price in millionths of a pound, below a thousand million pounds.
fn micros(text: &str) -> Option<i128> {
    let text = text.trim();
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let mut value: i128 = 0;
    let mut behind_point: Option<u32> = None;
    let mut seen = 0;
    for c in digits.chars() {
        match (c.to_digit(10), behind_point) {
            (Some(digit), _) => {
                value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
                seen += 1;
                behind_point = behind_point.map(|places| places + 1);
            }
            (None, None) if c == '.' => behind_point = Some(0),
            (None, _) => return None,
        }
    }
    let places = behind_point.unwrap_or(0);
    if seen == 0 || places > 6 {
        return None;
    }
    let value = value.checked_mul(10_i128.pow(6 - places))?;
    (value < 1_000_000_000_000_000).then_some(sign * value)
}

/// Millionths of a pound as pounds: two digits behind the point, more only where they are not zero.
fn pounds(micros: i128) -> String {
    let mut text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    while text.ends_with('0') && text.len() - text.find('.').unwrap_or(0) > 3 {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests;

//! A seeded generator of order files, as untidy as the real one: lines that are no products, write-offs without description
//! or price, unknown customers, quotes and commas in descriptions, blanks at their ends, cancellations.
//!
//! Invariant: the same seed and counts give the same bytes.

use crate::dice::Dice;
use std::fmt::Write;

const WORDS: [&str; 24] = [
    "WHITE",
    "RED RETROSPOT",
    "VINTAGE",
    "HEART",
    "T-LIGHT HOLDER",
    "LUNCH BAG",
    "CAKE TIN",
    "GLASS STAR",
    "METAL SIGN",
    "POPPY'S PLAYHOUSE",
    "SET OF 3",
    "PACK OF 12",
    "IVORY",
    "HOT WATER BOTTLE",
    "UNION JACK",
    "HAND WARMER",
    "BABUSHKA",
    "NESTING BOXES",
    "PAISLEY",
    "BIRD ORNAMENT",
    "WOOLLY HOTTIE",
    "DOORMAT",
    "JAM MAKING SET",
    "CHRISTMAS",
];
const PRICES: [&str; 14] = [
    "1.25", "2.95", "0.85", "1.65", "2.1", "3.75", "0.42", "2.51", "2.55", "1.95", "4.95", "4.21",
    "7.65", "12.75",
];
const QUANTITIES: [u64; 16] = [1, 1, 1, 1, 1, 2, 2, 3, 4, 5, 6, 8, 10, 12, 12, 24];
const COUNTRIES: [&str; 6] = ["Germany", "EIRE", "France", "Norway", "Lithuania", "Japan"];
/// What stands among the products without being one: code, description, price.
const SIDE_LINES: [(&str, &str, &str); 6] = [
    ("POST", "POSTAGE", "18"),
    ("M", "Manual", "2.5"),
    ("DOT", "DOTCOM POSTAGE", "569.77"),
    ("D", "Discount", "27.5"),
    ("C2", "CARRIAGE", "50"),
    ("BANK CHARGES", "Bank Charges", "15"),
];

/// An article of the catalogue.
struct Product {
    code: String,
    description: String,
    price: &'static str,
}

/// Writes a file of `invoices` invoices, in which `broken` lines cannot be read.
#[must_use]
pub fn generate(seed: u64, invoices: u32, broken: u32) -> String {
    let mut dice = Dice::new(seed);
    let products: Vec<Product> = (0..u64::from(invoices).clamp(40, 2_000))
        .map(|at| product(&mut dice, at))
        .collect();
    let customers: Vec<u64> = (0..u64::from(invoices / 3 + 5))
        .map(|_| 12_346 + dice.below(5_942))
        .collect();
    let mut text = crate::line::COLUMNS.join(",");
    text.push('\n');
    // The first December morning of the real file.
    let mut minute = 8 * 60 + 26;
    for at in 0..invoices {
        minute += dice.below(4);
        invoice(
            &mut dice,
            &mut text,
            536_365 + at,
            minute,
            &products,
            &customers,
        );
    }
    for _ in 0..broken {
        break_a_line(&mut dice, &mut text);
    }
    text
}

/// Makes up an article.
fn product(dice: &mut Dice, at: u64) -> Product {
    let letters = ["", "", "", "A", "B", "C", "BL", "a"][dice.below(8) as usize];
    let (first, second) = (*dice.pick(&WORDS), *dice.pick(&WORDS));
    let description = match dice.below(24) {
        0 => format!(
            "LETTER \"{}\" BLING KEY RING",
            char::from(b'A' + dice.below(26) as u8)
        ),
        1 => format!("{first},{second}"),
        2 => format!("{first}  {second}"),
        3..=6 => format!("{first} {second} "),
        7 => format!("FRAME {}\" {second}", 5 + dice.below(9)),
        _ => format!("{first} {second}"),
    };
    Product {
        // The step keeps the numbers apart: letters alone would not.
        code: format!("{}{letters}", 20_000 + at * 37 % 70_000),
        description,
        price: PRICES[dice.below(PRICES.len() as u64) as usize],
    }
}

/// Writes the lines of one invoice.
fn invoice(
    dice: &mut Dice,
    text: &mut String,
    number: u32,
    minute: u64,
    products: &[Product],
    customers: &[u64],
) {
    let date = format!(
        "2010-12-{:02}T{:02}:{:02}:00Z",
        1 + minute / 1_440 % 28,
        minute / 60 % 24,
        minute % 60
    );
    let customer = if dice.happens(230) {
        String::new()
    } else {
        dice.pick(customers).to_string()
    };
    let country = if dice.happens(920) {
        "United Kingdom"
    } else {
        *dice.pick(&COUNTRIES)
    };
    let mut line = |number: &str,
                    code: &str,
                    description: &str,
                    quantity: i64,
                    price: &str,
                    customer: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{number},{code},{},{quantity},{date},{price},{customer},{country}",
            quoted(description)
        );
    };
    match dice.below(100) {
        // A write-off or a stock count: no description, no price, no customer.
        0..=7 => {
            let quantity = if dice.happens(400) {
                -(1 + dice.below(40) as i64)
            } else {
                1 + dice.below(60) as i64
            };
            line(
                &number.to_string(),
                &dice.pick(products).code,
                "",
                quantity,
                "0",
                "",
            );
        }
        8..=16 => {
            let number = format!("C{number}");
            if dice.happens(100) {
                line(&number, "D", "Discount", -1, "27.5", &customer);
                return;
            }
            for _ in 0..=dice.below(6) {
                let product = dice.pick(products);
                line(
                    &number,
                    &product.code,
                    &product.description,
                    -(*dice.pick(&QUANTITIES) as i64),
                    product.price,
                    &customer,
                );
            }
        }
        kind => {
            let number = number.to_string();
            // A wholesale order now and then needs an approval; a few hundred lines come from the web shop at once.
            let (lines, times) = match (kind, dice.below(40)) {
                (17, _) => (5 + dice.below(5), 250),
                (_, 0) => (100 + dice.below(400), 1),
                (_, 1..=9) => (20 + dice.below(60), 1),
                _ => (1 + dice.below(18), 1),
            };
            for _ in 0..lines {
                let product = dice.pick(products);
                let quantity = *dice.pick(&QUANTITIES) * times;
                let price = if dice.happens(2) { "0" } else { product.price };
                line(
                    &number,
                    &product.code,
                    &product.description,
                    quantity as i64,
                    price,
                    &customer,
                );
            }
            if dice.happens(60) {
                let (code, description, price) = dice.pick(&SIDE_LINES);
                line(&number, code, description, 1, price, &customer);
            }
        }
    }
}

/// The field as it stands in a CSV file.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// Spoils one line in one of the ways in which exports are spoiled.
fn break_a_line(dice: &mut Dice, text: &mut String) {
    let starts: Vec<usize> = text
        .match_indices('\n')
        .map(|(at, _)| at + 1)
        .filter(|at| *at < text.len())
        .collect();
    if starts.is_empty() {
        return;
    }
    let start = *dice.pick(&starts);
    let end = text[start..]
        .find('\n')
        .map_or(text.len(), |length| start + length);
    let line = text[start..end].to_owned();
    let fields: Vec<&str> = line.split(',').collect();
    let spoiled = match dice.below(5) {
        0 => fields[..fields.len() / 2].join(","),
        1 => format!("{line},"),
        2 => line.replacen(',', ",\"", 2),
        3 => line.replacen("2010", "2010,", 1),
        _ => format!(",{}", line.split_once(',').map_or("", |(_, rest)| rest)),
    };
    text.replace_range(start..end, &spoiled);
}

#[cfg(test)]
mod tests;

//! The generator: repeatable, and untidy.

use super::generate;
use crate::invoice::Book;
use crate::rules::Reason;
use std::collections::BTreeSet;

fn book(text: &str) -> Book {
    Book::of(crate::line::read(text.as_bytes()).unwrap())
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    assert_eq!(generate(7, 100, 3), generate(7, 100, 3));
    assert_ne!(generate(7, 100, 3), generate(8, 100, 3));
}

#[test]
fn a_file_is_as_untidy_as_the_real_one() {
    let text = generate(1, 512, 0);
    let book = book(&text);
    assert_eq!(book.invoices.len(), 512);
    assert!(
        (5_000..20_000).contains(&book.lines),
        "{} lines",
        book.lines
    );
    let reasons: BTreeSet<Reason> = book.rejected.iter().map(|line| line.reason).collect();
    for reason in [
        Reason::StockCodeNotAProduct,
        Reason::DescriptionBlank,
        Reason::UnitPriceNotPositive,
    ] {
        assert!(
            reasons.contains(&reason),
            "no line is rejected with {reason}"
        );
    }
    let cancelled = book
        .invoices
        .iter()
        .filter(|invoice| invoice.is_cancellation())
        .count();
    assert!((20..80).contains(&cancelled), "{cancelled} cancellations");
    assert!(book.invoices.iter().any(|invoice| invoice.lines.is_empty()));
    assert!(
        book.invoices
            .iter()
            .any(|invoice| invoice.customer.is_none())
    );
    let large = book
        .invoices
        .iter()
        .filter(|i| !i.is_cancellation() && i.value() >= 5_000.into())
        .count();
    assert!((1..20).contains(&large), "{large} orders need an approval");
    assert!(
        text.contains("\"\"") && text.contains(" ,"),
        "no quotes or blanks"
    );
}

#[test]
fn broken_lines_are_made_on_demand() {
    let broken = |count| {
        book(&generate(3, 200, count))
            .rejected
            .iter()
            .filter(|line| line.reason == Reason::LineBroken)
            .count()
    };
    assert_eq!(broken(0), 0);
    assert!(broken(12) >= 8, "{}", broken(12));
}

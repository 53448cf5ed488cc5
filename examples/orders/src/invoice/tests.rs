//! Invoices: grouped, and nothing vanishes.

use super::Book;
use crate::money::show;
use crate::rules::Reason;

fn book(lines: &str) -> Book {
    let text = format!("{}\n{lines}", crate::line::COLUMNS.join(","));
    Book::of(crate::line::read(text.as_bytes()).unwrap())
}

#[test]
fn lines_are_grouped_by_invoice_also_when_they_are_apart() {
    let book = book(
        "536365,85123A,HOLDER,6,d,2.55,17850,United Kingdom\n\
         C536391,22556,PLASTERS,-12,d,1.65,,United Kingdom\n\
         536365,71053,LANTERN,6,d,3.39,17850,United Kingdom\n\
         C536391,21984,TISSUES,-24,d,0.29,17548,United Kingdom\n",
    );
    let shown: Vec<_> = book
        .invoices
        .iter()
        .map(|invoice| {
            (
                invoice.number.as_str(),
                invoice.lines.len(),
                show(invoice.value()),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("536365", 2, "35.64".to_owned()),
            ("C536391", 2, "26.76".to_owned())
        ]
    );
    assert_eq!(book.invoices[1].customer.as_deref(), Some("17548"));
    assert!(book.invoices[1].is_cancellation());
}

#[test]
fn nothing_vanishes() {
    let book = book(
        "1,85123A,HOLDER,6,d,2.55,,EIRE\n\
         1,POST,POSTAGE,1,d,18,,EIRE\n\
         2,22139,,56,d,0,,EIRE\n\
         3,22139,X,?,d,1,,EIRE\n\
         4,22139\n\
         ,22139,X,1,d,1,,EIRE\n",
    );
    assert_eq!(book.lines, 6);
    let numbers: Vec<_> = book
        .invoices
        .iter()
        .map(|i| (i.number.as_str(), i.lines.len(), i.lines_rejected))
        .collect();
    assert_eq!(numbers, [("1", 1, 1), ("2", 0, 1), ("3", 0, 1)]);
    let rejected: Vec<_> = book
        .rejected
        .iter()
        .map(|r| (r.line, r.invoice.as_deref(), r.reason))
        .collect();
    assert_eq!(
        rejected,
        [
            (3, Some("1"), Reason::StockCodeNotAProduct),
            (4, Some("2"), Reason::DescriptionBlank),
            (5, Some("3"), Reason::LineBroken),
            (6, None, Reason::LineBroken),
            (7, None, Reason::LineBroken),
        ]
    );
    assert_eq!(book.rejected[0].detail, "POST");
}

//! Order lines: typed, or broken with a number and a reason.

use super::{COLUMNS, read};
use crate::dice::Dice;

const HEADER: &str =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

fn only_line(text: &str) -> Result<super::OrderLine, super::BrokenLine> {
    let mut lines = read(format!("{HEADER}{text}\n").as_bytes()).unwrap();
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

#[test]
fn a_line_of_the_real_file_is_read() {
    let line = only_line(
        "536544,90214D,\"LETTER \"\"D\"\" BLING KEY RING\",1,2010-12-01T14:32:00Z,0.85,,United Kingdom",
    )
    .unwrap();
    assert_eq!(line.line, 2);
    assert_eq!(line.invoice, "536544");
    assert_eq!(line.stock_code, "90214D");
    assert_eq!(line.description, "LETTER \"D\" BLING KEY RING");
    assert_eq!(
        (line.quantity, line.unit_price.to_string().as_str()),
        (1, "0.85")
    );
    assert_eq!(line.customer, None);
    assert_eq!(line.country, "United Kingdom");
}

#[test]
fn columns_are_found_by_name_and_missing_ones_are_named() {
    let lines = read(b"Country,CustomerID,UnitPrice,InvoiceDate,Quantity,Description,StockCode,InvoiceNo,Extra\nEIRE,1,2,,3,X,22041,9,?\n").unwrap();
    assert_eq!(lines[0].as_ref().unwrap().invoice, "9");
    let missing = read(b"InvoiceNo,StockCode\n1,2\n").unwrap_err();
    assert_eq!(missing.0, COLUMNS[2..]);
    assert!(missing.to_string().starts_with("TL0060"), "{missing}");
    assert_eq!(read(b"").unwrap_err().0, COLUMNS);
}

#[test]
fn broken_lines_have_a_number_a_reason_and_their_invoice_if_it_can_be_read() {
    for (text, invoice, reason) in [
        (
            "1,22041,X,six,2010-12-01T14:32:00Z,1,,EIRE",
            Some("1"),
            "Quantity \"six\" is not a whole number",
        ),
        (
            "1,22041,X,6.5,2010-12-01T14:32:00Z,1,,EIRE",
            Some("1"),
            "Quantity \"6.5\" is not a whole number",
        ),
        (
            "1,22041,X,9000000000,2010-12-01T14:32:00Z,1,,EIRE",
            Some("1"),
            "Quantity \"9000000000\" is out of range",
        ),
        (
            "1,22041,X,6,2010-12-01T14:32:00Z,free,,EIRE",
            Some("1"),
            "UnitPrice \"free\" is not a decimal number",
        ),
        (
            " ,22041,X,6,2010-12-01T14:32:00Z,1,,EIRE",
            None,
            "InvoiceNo is empty",
        ),
        ("1,22041,X,6", None, "it has 4 columns, the header has 8"),
    ] {
        let broken = only_line(text).unwrap_err();
        assert_eq!(
            (
                broken.line,
                broken.invoice.as_deref(),
                broken.reason.as_str()
            ),
            (2, invoice, reason)
        );
        assert_eq!(
            broken.to_string(),
            format!("TL0061: line 2 is broken: {reason}")
        );
    }
}

#[test]
fn no_bytes_make_the_reader_panic_and_no_row_is_read_twice() {
    const PIECES: &[&[u8]] = &[
        b"\"",
        b"\"\"",
        b",",
        b"\n",
        b"\r\n",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\xf0\x9f\xa6",
        b"-1",
        b"1e99",
        b"99999999999999999999999999999",
        b"2010-13-45T99:99:99Z",
        b"0.000000000000000000000000000001",
        b"",
    ];
    let good = format!(
        "{HEADER}536544,90214D,\"LETTER \"\"D\"\"\",1,2010-12-01T14:32:00Z,0.85,,United Kingdom\n\
         C536545,22423,CAKESTAND,-2,2010-12-01T14:33:00Z,12.75,17850,France\n"
    );
    for seed in 0..20_000 {
        let mut dice = Dice::new(seed);
        let mut text = good.clone().into_bytes();
        for _ in 0..1 + dice.below(6) {
            let from = dice.below(text.len() as u64 + 1) as usize;
            let to = from + dice.below((text.len() - from).min(40) as u64 + 1) as usize;
            let piece = *dice.pick(PIECES);
            let times = 1 << dice.below(6);
            text.splice(from..to, piece.repeat(times));
        }
        let ends = text.iter().filter(|byte| **byte == b'\n').count();
        let lines = read(&text).map_or(0, |lines| lines.len());
        assert!(
            lines <= ends + 1,
            "seed {seed}: {lines} rows of {ends} lines"
        );
    }
}

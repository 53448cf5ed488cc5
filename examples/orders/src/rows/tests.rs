//! Rows: what is read of untidy text, and that a mistake costs one line.

use super::{Row, Rows};

/// The rows as text: `line: field|field`, or `line! reason`.
fn check(text: &[u8], expected: &str) {
    let shown: Vec<String> = Rows::new(text)
        .map(|row| match row {
            Row::Fields { line, fields } => format!("{line}: {}", fields.join("|")),
            Row::Broken { line, reason } => format!("{line}! {reason}"),
        })
        .collect();
    assert_eq!(shown.join("\n"), expected);
}

#[test]
fn quotes_commas_and_inches_of_the_real_file_are_read() {
    check(
        b"a,b,c\n1,\"AIRLINE LOUNGE,METAL SIGN\",2\n2,\"RECORD FRAME 7\"\" SINGLE SIZE \",48\n3,FRAME 7\" SINGLE,1\n",
        "1: a|b|c\n2: 1|AIRLINE LOUNGE,METAL SIGN|2\n3: 2|RECORD FRAME 7\" SINGLE SIZE |48\n4: 3|FRAME 7\" SINGLE|1",
    );
}

#[test]
fn line_ends_of_windows_a_byte_order_mark_and_a_missing_last_line_end_do_no_harm() {
    check(
        b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,\"4\"\r",
        "1: a|b\n2: 1|2\n4: 3|4",
    );
}

#[test]
fn a_line_break_within_quotes_belongs_to_the_field() {
    check(
        b"a,b\n1,\"two\nlines\"\n2,x\n",
        "1: a|b\n2: 1|two\nlines\n4: 2|x",
    );
}

#[test]
fn an_open_quote_costs_one_line() {
    check(
        b"a,b\n1,\"open\n2,x\n3,\"y\"\n4,z\n",
        "1: a|b\n2! a quote is opened and not closed on the line\n3: 2|x\n4: 3|y\n5: 4|z",
    );
    check(
        b"a,b\n1,\"open\n2,x\n",
        "1: a|b\n2! a quote is opened and not closed\n3: 2|x",
    );
}

#[test]
fn lines_that_are_too_short_too_long_or_not_text_are_broken() {
    check(
        b"a,b\n1\n1,2,3\n1,\xa32.10\n",
        "1: a|b\n2! it has 1 columns, the header has 2\n3! it has 3 columns, the header has 2\n4! it is not UTF-8",
    );
}

/// Texts of the bytes that mean something, and a few that do not, from seeds: each line is told of once, in order, and every row has as many
/// fields as the header.
#[test]
fn whatever_is_in_a_file_it_is_read_to_its_end_and_every_row_has_the_width_of_the_header() {
    const BYTES: [&[u8]; 9] = [
        b"\"",
        b"\"\"",
        b",",
        b"\n",
        b"\r\n",
        b"x",
        b" ",
        b"\xff",
        b"\xef\xbb\xbf",
    ];
    for seed in 0..20_000 {
        let mut dice = crate::dice::Dice::new(seed);
        let mut text = b"a,b\n"[..dice.below(5) as usize].to_vec();
        for _ in 0..dice.below(40) {
            text.extend_from_slice(BYTES[dice.below(BYTES.len() as u64) as usize]);
        }
        let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        let (mut last, mut width) = (0, None);
        for row in Rows::new(&text) {
            let line = match row {
                Row::Broken { line, .. } => line,
                Row::Fields { line, fields } => {
                    // The first row is the header, unless it is broken itself.
                    width.get_or_insert((last == 0).then_some(fields.len()));
                    if let Some(Some(width)) = width {
                        assert_eq!(fields.len(), width, "seed {seed}: {text:?}");
                    }
                    line
                }
            };
            assert!(last < line && line <= lines, "seed {seed}: {text:?}");
            last = line;
        }
    }
}

//! Money: read and shown exactly.

use super::{parse, show};

#[test]
fn prices_of_the_real_file_are_read_exactly() {
    for (text, shown) in [
        ("2.55", "2.55"),
        ("2.1", "2.10"),
        ("0", "0.00"),
        ("887.52", "887.52"),
        (" 0.001 ", "0.001"),
        ("-11062.06", "-11062.06"),
        ("+3", "3.00"),
        (".5", "0.50"),
        ("7.", "7.00"),
    ] {
        assert_eq!(parse(text).map(show), Ok(shown.to_owned()), "{text:?}");
    }
}

#[test]
fn what_is_not_a_decimal_number_is_refused_in_words() {
    for text in [
        "",
        " ",
        ".",
        "-",
        "1,5",
        "1e3",
        "1_000",
        "£2.10",
        "NaN",
        "1.2.3",
        "0.0000001",
        "1000000000",
    ] {
        let reason = parse(text).expect_err(text);
        assert!(reason.contains(&format!("{text:?}")), "{reason}");
    }
}

#[test]
fn a_tenth_added_ten_times_is_one() {
    let tenth = parse("0.1").unwrap();
    assert_eq!(show((0..10).map(|_| tenth).sum()), "1.00");
}

//! The rules, with the oddities of the real file.

use super::{Reason, judge};
use crate::line::read;

/// The verdict on one line of the file, as its reason code or `valid`.
fn verdict(line: &str) -> &'static str {
    let text = format!("{}\n{line}\n", crate::line::COLUMNS.join(","));
    let line = read(text.as_bytes()).unwrap().remove(0).unwrap();
    judge(&line).map_or_else(Reason::code, |()| "valid")
}

#[test]
fn the_oddities_of_the_real_file_are_judged() {
    for (line, expected) in [
        (
            "536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01T08:26:00Z,2.55,17850,United Kingdom",
            "valid",
        ),
        (
            "536367,22745,POPPY'S PLAYHOUSE BEDROOM ,6,2010-12-01T08:34:00Z,2.1,13047,United Kingdom",
            "valid",
        ),
        (
            "536370,POST,POSTAGE,3,2010-12-01T08:45:00Z,18,12583,France",
            "stock-code-not-a-product",
        ),
        (
            "536876,DOT,DOTCOM POSTAGE,1,2010-12-03T11:36:00Z,887.52,,United Kingdom",
            "stock-code-not-a-product",
        ),
        (
            "C536379,D,Discount,-1,2010-12-01T09:41:00Z,27.5,14527,United Kingdom",
            "stock-code-not-a-product",
        ),
        (
            "536779,BANK CHARGES,Bank Charges,1,2010-12-02T15:08:00Z,15,15823,United Kingdom",
            "stock-code-not-a-product",
        ),
        (
            "536540,C2,CARRIAGE,1,2010-12-01T14:05:00Z,50,14911,EIRE",
            "stock-code-not-a-product",
        ),
        (
            "536414,22139,,56,2010-12-01T11:52:00Z,0,,United Kingdom",
            "description-blank",
        ),
        (
            "536589,21777,,-10,2010-12-01T16:50:00Z,0,,United Kingdom",
            "description-blank",
        ),
        (
            "536589,21777,   ,1,2010-12-01T16:50:00Z,1,,United Kingdom",
            "description-blank",
        ),
        (
            "537197,22841,ROUND CAKE TIN VINTAGE GREEN,1,2010-12-05T14:02:00Z,0,12647,Germany",
            "unit-price-not-positive",
        ),
        (
            "536998,85067,damaged,-6,2010-12-03T15:30:00Z,1.25,,United Kingdom",
            "quantity-not-positive",
        ),
        (
            "536998,85067,nothing,0,2010-12-03T15:30:00Z,1.25,,United Kingdom",
            "quantity-not-positive",
        ),
        (
            "C536383,35004C,SET OF 3 COLOURED  FLYING DUCKS,-1,2010-12-01T09:49:00Z,4.65,15311,United Kingdom",
            "valid",
        ),
        (
            "C536383,35004C,SET OF 3 COLOURED  FLYING DUCKS,1,2010-12-01T09:49:00Z,4.65,15311,United Kingdom",
            "quantity-not-negative",
        ),
        (
            "A563186,B,Adjust bad debt,1,2011-08-12T14:51:00Z,-11062.06,,United Kingdom",
            "stock-code-not-a-product",
        ),
    ] {
        assert_eq!(verdict(line), expected, "{line}");
    }
}

#[test]
fn a_product_code_is_five_digits_and_up_to_two_letters() {
    for code in ["22041", "85123A", "15056BL", "85123a"] {
        assert!(super::is_product(code), "{code}");
    }
    for code in [
        "",
        "2204",
        "220411",
        "85123AbC",
        "8512A3",
        " 22041",
        "22041 ",
        "A22041",
        "٢٢٠٤١",
        "22041é",
        "gift_0001_20",
    ] {
        assert!(!super::is_product(code), "{code}");
    }
}

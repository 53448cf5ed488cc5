//! The independent computation against sums by hand.

use super::{expect, micros, pounds};
use crate::totals::Totals;

/// Fifteen lines cut from the real file, and two broken ones. The totals were added up by hand.
const SAMPLE: &str = "\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01T08:26:00Z,2.55,17850,United Kingdom
536365,71053,WHITE METAL LANTERN,6,2010-12-01T08:26:00Z,3.39,17850,United Kingdom
536370,POST,POSTAGE,3,2010-12-01T08:45:00Z,18,12583,France
536381,82567,\"AIRLINE LOUNGE,METAL SIGN\",2,2010-12-01T09:41:00Z,2.1,15311,United Kingdom
C536379,D,Discount,-1,2010-12-01T09:41:00Z,27.5,14527,United Kingdom
C536391,22556,PLASTERS IN TIN CIRCUS PARADE ,-12,2010-12-01T10:24:00Z,1.65,17548,United Kingdom
C536391,21984,PACK OF 12 PINK PAISLEY TISSUES ,-24,2010-12-01T10:24:00Z,0.29,17548,United Kingdom
536414,22139,,56,2010-12-01T11:52:00Z,0,,United Kingdom
536544,90214D,\"LETTER \"\"D\"\" BLING KEY RING\",1,2010-12-01T14:32:00Z,0.85,,United Kingdom
536544,DOT,DOTCOM POSTAGE,1,2010-12-01T14:32:00Z,569.77,,United Kingdom
536589,21777,,-10,2010-12-01T16:50:00Z,0,,United Kingdom
536830,84077,WORLD WAR 2 GLIDERS ASSTD DESIGNS,2880,2010-12-02T17:38:00Z,0.18,16754,United Kingdom
536830,21915,RED  HARMONICA IN BOX,1400,2010-12-02T17:38:00Z,1.06,16754,United Kingdom
536830,22693,GROW A FLYTRAP OR SUNFLOWER IN TIN,3120,2010-12-02T17:38:00Z,0.94,16754,United Kingdom
536830,22693,GROW A FLYTRAP OR SUNFLOWER IN TIN,64,2010-12-02T17:38:00Z,1.0001,16754,United Kingdom
536831,22693,GROW A FLYTRAP OR SUNFLOWER IN TIN,a few,2010-12-02T17:38:00Z,0.94,16754,United Kingdom
536832,22693,\"GROW
";

#[test]
fn a_sample_agrees_with_the_sum_by_hand() {
    let expectation = expect(SAMPLE.as_bytes()).unwrap();
    // Rejected: 536370, C536379, 536414, 536589, 536831; the last line belongs to no invoice.
    // 536365: 15.30 + 20.34; 536381: 4.20; 536544: 0.85; 536830: 518.40 + 1484.00 + 2932.80 + 64.0064 = 4999.2064
    assert_eq!(
        expectation.totals,
        Totals {
            invoices: 10,
            completed: 4,
            refunded: 1,
            rejected: 5,
            lines: 17,
            lines_rejected: 7,
            revenue: "5039.8964".to_owned(),
            refunds: "26.76".to_owned(),
            approvals: 0,
            jobs: 15,
        }
    );
    let jobs: Vec<_> = expectation.jobs.keys().map(String::as_str).collect();
    assert_eq!(
        jobs[..3],
        [
            "order|create|15311|536381|4.20",
            "order|create|16754|536830|4999.2064",
            "order|create|17548|C536391|26.76"
        ]
    );
    assert_eq!(
        jobs[3..5],
        [
            "order|create|17850|536365|35.64",
            "order|create|guest|536544|0.85"
        ]
    );
    assert_eq!(
        expectation.jobs.get("stock|update|22556|22556|12|C536391"),
        Some(&1)
    );
    assert_eq!(
        expectation
            .jobs
            .get("stock|update|84077|84077|-2880|536830"),
        Some(&1)
    );
}

#[test]
fn one_penny_decides_about_the_approval() {
    for (price, approvals) in [("4999.99", 0), ("5000", 1), ("5000.01", 1)] {
        let text = format!(
            "{}\n1,22041,X,1,d,{price},,EIRE\n",
            crate::line::COLUMNS.join(",")
        );
        assert_eq!(
            expect(text.as_bytes()).unwrap().totals.approvals,
            approvals,
            "{price}"
        );
    }
}

#[test]
fn millionths_are_read_and_shown() {
    for (text, value) in [
        ("2.1", Some(2_100_000)),
        ("-0.000001", Some(-1)),
        (".5", Some(500_000)),
        ("1e3", None),
        ("1.2.3", None),
        ("", None),
        ("-", None),
        ("0.0000001", None),
    ] {
        assert_eq!(micros(text), value, "{text}");
    }
    assert_eq!(
        [pounds(0), pounds(2_100_000), pounds(1_000_100)],
        ["0.00", "2.10", "1.0001"]
    );
}

/// The two computations judge alike, line by line, whatever the generator comes up with.
#[test]
fn the_main_jobs_own_rules_agree_with_it() {
    for seed in 0..20 {
        let text = crate::generator::generate(seed, 60, 8);
        let expected = expect(text.as_bytes()).unwrap();
        let book = crate::invoice::Book::of(crate::line::read(text.as_bytes()).unwrap());
        assert_eq!(book.lines, expected.totals.lines);
        assert_eq!(
            book.rejected.len() as u64,
            expected.totals.lines_rejected,
            "seed {seed}"
        );
        let value = |cancelled| {
            let amounts = book
                .invoices
                .iter()
                .filter(|i| i.is_cancellation() == cancelled)
                .map(crate::invoice::Invoice::value);
            crate::money::show(amounts.sum())
        };
        assert_eq!(
            (value(false), value(true)),
            (expected.totals.revenue, expected.totals.refunds),
            "seed {seed}"
        );
    }
}

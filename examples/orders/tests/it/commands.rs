//! The commands that need no server.

use crate::{Folder, orders, text};

#[test]
fn generate_writes_the_same_file_for_the_same_seed_and_expect_reads_it() {
    let first = orders(&["generate", "--seed=5", "--invoices=50"]);
    assert!(first.status.success());
    assert_eq!(
        first.stdout,
        orders(&["generate", "--seed=5", "--invoices=50"]).stdout
    );
    let folder = Folder::new("generate");
    let file = folder.write("orders.csv", &text(&first));
    let expected = text(&orders(&["expect", &file]));
    assert!(expected.starts_with("{\"invoices\":50,"), "{expected}");
}

#[test]
fn rejected_lines_are_listed_with_line_reason_and_detail() {
    let folder = Folder::new("rejected");
    let file = folder.write(
        "orders.csv",
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
         536365,85123A,HOLDER,6,2010-12-01T08:26:00Z,2.55,17850,United Kingdom\n\
         536370,POST,POSTAGE,3,2010-12-01T08:45:00Z,18,12583,France\n\
         536371,22086,\"PAPER CHAIN, 50'S\",80,2010-12-01T09:00:00Z\n\
         536372,22632,WARMER,many,2010-12-01T09:01:00Z,1.85,17850,United Kingdom\n",
    );
    let listed = orders(&["feeder", "--list-rejected", &file]);
    assert!(listed.status.success());
    assert_eq!(
        text(&listed),
        "line,invoice,reason,detail\n\
         3,536370,stock-code-not-a-product,POST\n\
         4,,line-broken,\"it has 5 columns, the header has 8\"\n\
         5,536372,line-broken,\"Quantity \"\"many\"\" is not a whole number\"\n"
    );
}

#[test]
fn missing_columns_are_an_error_with_a_code() {
    let folder = Folder::new("columns");
    let file = folder.write("orders.csv", "InvoiceNo;StockCode\n1;2\n");
    for command in ["feeder", "demo"] {
        let args: &[&str] = match command {
            "demo" => &["demo", "--input", &file],
            _ => &["feeder", "--list-rejected", &file],
        };
        let refused = orders(args);
        assert_eq!(refused.status.code(), Some(2), "{command}");
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            error.contains("TL0060") && error.contains("UnitPrice"),
            "{command}: {error}"
        );
    }
}

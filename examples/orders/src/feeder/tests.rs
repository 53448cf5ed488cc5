//! The list of rejected lines.

use super::{book_of, rejected_csv};

#[test]
fn the_list_of_rejected_lines_is_a_csv_file_itself() {
    let text = format!(
        "{}\n1,M,Manual,1,d,2.5,,EIRE\n2,22041,\"X, Y\",0,d,1,,EIRE\n3,\"2\"\"2,\",X,1,d,1,,EIRE\n",
        crate::line::COLUMNS.join(",")
    );
    let list = rejected_csv(&book_of(text.as_bytes()).unwrap());
    assert_eq!(
        list,
        "line,invoice,reason,detail\n\
         2,1,stock-code-not-a-product,M\n\
         3,2,quantity-not-positive,0\n\
         4,3,stock-code-not-a-product,\"2\"\"2,\"\n"
    );
    let rows = crate::rows::Rows::new(list.as_bytes()).count();
    assert_eq!(rows, 4);
}

//! Cursors lead back, and only into their own list.

use super::{read, write};
use crate::core::code::Code;

#[test]
fn a_cursor_leads_back_to_where_it_came_from() {
    let filters = [Some("Checkout"), None];
    for after in [0, 1, u128::MAX, 0x1234 << 100] {
        assert_eq!(read(&write(after, &filters), &filters), Ok(after));
    }
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    let cursor = write(7, &[Some("a"), None]);
    for other in [[Some("b"), None], [None, Some("a")], [Some("a"), Some("")]] {
        assert_eq!(read(&cursor, &other).unwrap_err().code, Code::CursorInvalid);
    }
}

#[test]
fn what_is_no_cursor_is_refused() {
    for text in ["", "7", &"g".repeat(40), &"é".repeat(20)] {
        assert_eq!(read(text, &[]).unwrap_err().code, Code::CursorInvalid);
    }
}

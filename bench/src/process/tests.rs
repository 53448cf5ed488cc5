//! Reading `/proc`.

use super::Usage;

#[test]
fn a_program_with_blanks_and_parentheses_in_its_name_is_read() {
    let stat = "12 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 100 1000 200";
    let usage = Usage::parse(stat, "Name:\tx\nVmRSS:\t    1024 kB\n");
    assert_eq!(
        usage,
        Some(Usage {
            cpu_s: 3.0,
            rss_bytes: 1 << 20
        })
    );
}

#[test]
fn this_process_has_memory() {
    assert!(Usage::of_self().expect("there is a /proc").rss_bytes > 0);
}

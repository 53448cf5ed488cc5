//! Tests of what a delivery reads and refuses.

use super::check_url;
use super::retry_after::to_ms;
use std::time::{Duration, UNIX_EPOCH};

#[test]
fn retry_after_is_read_as_seconds_or_as_any_date_of_http() {
    // 1994-11-06 08:49:30 UTC, seven seconds before the date of RFC 9110.
    let now = UNIX_EPOCH + Duration::from_secs(784_111_770);
    assert_eq!(to_ms("120", now), Some(120_000));
    assert_eq!(to_ms(" 0 ", now), Some(0));
    for date in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        assert_eq!(to_ms(date, now), Some(7_000), "{date}");
    }
    assert_eq!(to_ms("Sun, 06 Nov 1994 08:49:29 GMT", now), Some(0), "past");
    let leap = UNIX_EPOCH + Duration::from_secs(951_782_400);
    assert_eq!(to_ms("Tue, 29 Feb 2000 00:00:01 GMT", leap), Some(1_000));
    for nonsense in [
        "",
        "soon",
        "-1",
        "1.5",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:00:00 GMT",
    ] {
        assert_eq!(to_ms(nonsense, now), None, "{nonsense}");
    }
}

#[test]
fn only_http_and_https_urls_without_credentials_are_taken() {
    for good in [
        "http://localhost",
        "http://127.0.0.1:8080/jobs?x=1",
        "http://[::1]:80/",
        "https://shop.example/hooks",
    ] {
        assert_eq!(check_url(good), Ok(()), "{good}");
    }
    for bad in [
        "",
        "localhost",
        "/jobs",
        "ftp://localhost",
        "http://",
        "http://a b/",
        "http://u:p@h/",
    ] {
        assert!(check_url(bad).is_err(), "{bad}");
    }
}

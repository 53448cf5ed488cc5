//! The payment service: once, and refused for good only by name.

use super::{PaymentError, PaymentService};
use rust_decimal::Decimal;

#[test]
fn an_order_is_charged_once_however_often_it_is_tried() {
    let mut payments = PaymentService::new(1, []);
    let mut failures = 0;
    for order in 0..1_000 {
        for _ in 0..3 {
            failures += u32::from(
                payments
                    .charge(&format!("order-{order}"), None, Decimal::TEN)
                    .is_err(),
            );
        }
    }
    assert!(
        (20..120).contains(&failures),
        "{failures} of 3,000 calls failed"
    );
    assert_eq!(payments.charged(), Decimal::from(10_000));
}

#[test]
fn a_failure_may_come_after_the_money_has_moved() {
    let mut payments = PaymentService::new(1, []);
    let failed = (0..2_000)
        .filter(|order| {
            payments
                .charge(&order.to_string(), None, Decimal::ONE)
                .is_err()
        })
        .count();
    let unmoved = 2_000 - payments.charged().to_string().parse::<usize>().unwrap();
    assert!(unmoved > 0 && unmoved < failed, "{unmoved} of {failed}");
}

#[test]
fn a_refused_customer_is_refused_every_time() {
    let mut payments = PaymentService::new(1, ["13047".to_owned()]);
    for _ in 0..50 {
        let refused = payments.charge("536367", Some("13047"), Decimal::TEN);
        assert_eq!(
            refused,
            Err(PaymentError::Refused {
                customer: "13047".to_owned()
            })
        );
    }
    assert_eq!(payments.charged(), Decimal::ZERO);
}

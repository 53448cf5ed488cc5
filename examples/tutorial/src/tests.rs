//! The tests of the tutorial, on an engine in memory whose clock skips.

use super::*;
use trunkline::testing::{TestBed, TestKit};

async fn library() -> TestBed {
    let kit = TestKit::new().workflow::<Loan>();
    kit.service(Shelves.into_service()).start().await
}

#[tokio::test]
async fn a_book_that_is_not_returned_is_asked_for_after_thirty_days() {
    let bed = library().await;
    let began = bed.now();
    let loan = bed
        .workflow::<Loan>("1")
        .start("Momo".into())
        .await
        .unwrap();
    loan.send(|w| &w.approvals, true).await.unwrap();
    bed.advance_by(days(31)).await;
    let status = loan.prop(|w| &w.status).await.unwrap();
    assert_eq!(status.as_deref(), Some("overdue"));
    loan.send(|w| &w.returned, ()).await.unwrap();
    assert_eq!(loan.result().await.unwrap(), "back, too late");
    assert!(bed.now() >= began.plus_ms(31 * DAY_MS));
}

#[tokio::test]
async fn an_extended_loan_is_due_later_also_when_the_server_crashes() {
    let mut bed = library().await;
    let loan = bed
        .workflow::<Loan>("1")
        .start("Momo".into())
        .await
        .unwrap();
    loan.send(|w| &w.approvals, true).await.unwrap();
    bed.advance_by(days(29)).await;
    assert_eq!(loan.call(|w| w.extend(14)).await.unwrap(), 44);
    bed.crash().await;
    bed.advance_by(days(14)).await;
    let summary = loan.query(|w| w.summary()).await.unwrap();
    assert_eq!(summary, "lent, from shelf 4, for 44 days");
    loan.send(|w| &w.returned, ()).await.unwrap();
    assert_eq!(loan.result().await.unwrap(), "back in time");
}

#[tokio::test]
async fn what_the_librarian_refuses_is_not_lent() {
    let bed = library().await;
    let loan = bed
        .workflow::<Loan>("1")
        .start("Momo".into())
        .await
        .unwrap();
    loan.send(|w| &w.approvals, false).await.unwrap();
    assert_eq!(loan.result().await.unwrap(), "refused");
    assert_eq!(loan.prop(|w| &w.days).await.unwrap(), None);
}

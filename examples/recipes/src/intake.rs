//! Exactly-once intake: events come in at least once, and each counts once. The event's own id is the id of its signal; what
//! it is about is the id of the run.

use serde::{Deserialize, Serialize};
use trunkline::ClientError;
use trunkline::prelude::*;

/// A payment, as a provider reports it: several times, if it is unsure.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Payment {
    /// The provider's id of the event.
    pub event: String,
    /// The account that it is for.
    pub account: String,
    /// How much.
    pub cents: u64,
}

/// The account: adds payments up until it has been told that the month is over.
#[derive(Debug, Workflow)]
pub struct Account {
    /// What came in so far.
    pub cents: Prop<u64>,
    /// Payments.
    pub payments: Channel<u64>,
    /// The month is over.
    pub close: Channel<()>,
}

#[workflow]
impl Account {
    /// Returns what came in.
    #[run]
    async fn run(&self, _cx: Cx) -> Result<u64> {
        loop {
            select! {
                cents = self.payments.recv() => {
                    let cents = cents?;
                    self.cents.update(|sum| *sum += cents);
                },
                closed = self.close.recv() => {
                    closed?;
                    return Ok(self.cents.get());
                },
            }
        }
    }
}

/// Takes one event in. Call it again with the same event as often as you like.
///
/// # Errors
/// If the engine cannot be reached, or refuses: nothing has changed then, or it has and the next call finds that out.
pub async fn take_in(client: &Client, payment: &Payment) -> std::result::Result<(), ClientError> {
    let account = client.workflow::<Account>(payment.account.as_str());
    // `attach`: the first payment of an account starts its run, the others find it there.
    let run = account.attach().start(()).await?;
    run.send(|w| &w.payments, payment.cents)
        .id(&payment.event)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline::testing::TestKit;

    #[tokio::test]
    async fn each_event_counts_once_however_often_it_comes() {
        let mut bed = TestKit::new().workflow::<Account>().start().await;
        let payment = |event: u64, account: &str| Payment {
            event: format!("evt-{event}"),
            account: account.to_owned(),
            cents: 10 + event,
        };
        for round in 0..3 {
            for event in 1..=20 {
                take_in(bed.client(), &payment(event, "ada")).await.unwrap();
                take_in(bed.client(), &payment(event, "bob")).await.unwrap();
            }
            if round == 1 {
                bed.crash().await;
            }
        }
        for account in ["ada", "bob"] {
            let run = bed
                .client()
                .workflow::<Account>(account)
                .attach()
                .start(())
                .await
                .unwrap();
            run.send(|w| &w.close, ()).await.unwrap();
            assert_eq!(run.result().await.unwrap(), 20 * 10 + 20 * 21 / 2);
        }
    }
}

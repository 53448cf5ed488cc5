//! A loyalty program: one run for each customer, alive for years. What happens to the customer are methods, which run beside
//! each other and share the points; what others want to know are queries.

use serde::{Deserialize, Serialize};
use trunkline::prelude::*;

/// Sends presents.
#[service]
pub trait Presents {
    /// Sends one.
    async fn send(&self, t: &TaskCx, customer: String, present: String) -> Result<()>;
}

/// A customer's card.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Card {
    /// Points to spend.
    pub points: u64,
    /// All that were ever given.
    pub earned: u64,
    /// Presents sent.
    pub presents: u32,
}

/// The run of a customer.
#[derive(Debug, Workflow)]
pub struct Loyalty {
    /// The card.
    pub card: Prop<Card>,
    /// The customer leaves.
    pub leave: Channel<()>,
}

/// Points for a present.
const PRESENT: u64 = 100;

#[workflow]
impl Loyalty {
    /// Lasts as long as the customer stays, and returns the card.
    #[run]
    async fn run(&self, cx: Cx, customer: String) -> Result<Card> {
        cx.add_tags([format!("customer:{customer}")]);
        self.card.set(Card::default());
        self.leave.recv().await?;
        Ok(self.card.get())
    }

    /// The customer bought something. Returns the points there are then.
    #[method]
    async fn purchase(&self, cx: Cx, cents: u64) -> Result<u64> {
        let points = cents / 100;
        self.card.update(|card| {
            card.points += points;
            card.earned += points;
        });
        // The points are taken before the present is on its way, so that two purchases cannot both send it.
        while self.card.get().points >= PRESENT {
            self.card.update(|card| {
                card.points -= PRESENT;
                card.presents += 1;
            });
            let customer = cx.run_id().id.to_string();
            cx.service::<PresentsStub>()
                .send(customer, "a mug".into())
                .await?;
        }
        Ok(self.card.get().points)
    }

    /// What the customer may be told.
    #[query]
    fn standing(&self) -> String {
        let card = self.card.get();
        format!("{} points, {} presents", card.points, card.presents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use trunkline::testing::TestKit;

    #[derive(Clone, Default)]
    struct Parcels(Arc<AtomicU32>);

    impl Presents for Parcels {
        async fn send(&self, t: &TaskCx, _customer: String, _present: String) -> Result<()> {
            if t.attempt() == 1 {
                return Err(Error::new("Busy", "the van is out"));
            }
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    #[tokio::test]
    async fn purchases_beside_each_other_share_the_points() {
        let parcels = Parcels::default();
        let kit = TestKit::new()
            .workflow::<Loyalty>()
            .service(parcels.clone().into_service());
        let bed = kit.evict_after_every_turn().start().await;
        let run = bed
            .workflow::<Loyalty>("ada")
            .start("ada".into())
            .await
            .unwrap();
        let mut purchases = Vec::new();
        for _ in 0..25 {
            purchases.push(run.call(|w| w.purchase(3_000)).start().await.unwrap());
        }
        for purchase in purchases {
            purchase.result().await.unwrap();
        }
        run.send(|w| &w.leave, ()).await.unwrap();
        let card = run.result().await.unwrap();
        assert_eq!((card.earned, card.presents, card.points), (750, 7, 50));
        assert_eq!(parcels.0.load(Ordering::SeqCst), 7);
    }
}

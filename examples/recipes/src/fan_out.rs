//! Fan out and in: many tasks at once, their results together. A task that fails for good does not spoil the others.

use serde::{Deserialize, Serialize};
use trunkline::prelude::*;

/// Reads prices from shops.
#[service]
pub trait Prices {
    /// The price of an article in one shop, in cents.
    async fn price(&self, t: &TaskCx, shop: String, article: String) -> Result<u64>;
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Survey {
    /// The lowest price, and where.
    pub best: Option<(String, u64)>,
    /// Shops that gave no price, and why.
    pub silent: Vec<(String, String)>,
}

/// Asks all shops at once, and takes the best price.
#[workflow]
pub async fn survey(cx: Cx, article: String, shops: Vec<String>) -> Result<Survey> {
    let prices = cx.service::<PricesStub>();
    let asked = shops.iter().map(|shop| {
        let call = prices.price(shop.clone(), article.clone());
        call.retry(Retry::exponential().attempts(3))
            .timeout(secs(10))
    });
    let answers = cx.join_all(asked).await;
    let mut survey = Survey {
        best: None,
        silent: Vec::new(),
    };
    for (shop, answer) in shops.into_iter().zip(answers) {
        match answer {
            Ok(cents) if survey.best.as_ref().is_none_or(|(_, best)| cents < *best) => {
                survey.best = Some((shop, cents));
            }
            Ok(_) => {}
            Err(error) => survey.silent.push((shop, error.to_string())),
        }
    }
    Ok(survey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline::testing::TestKit;

    struct Shops;

    impl Prices for Shops {
        async fn price(&self, t: &TaskCx, shop: String, _article: String) -> Result<u64> {
            match shop.as_str() {
                "closed" => Err(Error::new("Closed", "nobody answers")),
                "slow" if t.attempt() == 1 => Err(Error::new("Busy", "later")),
                "slow" => Ok(80),
                _ => Ok(100),
            }
        }
    }

    #[tokio::test]
    async fn the_best_price_is_found_though_a_shop_is_closed() {
        let kit = TestKit::new()
            .workflow::<survey>()
            .service(Shops.into_service());
        let bed = kit.start().await;
        let mut shops: Vec<String> = (0..200).map(|number| format!("shop {number}")).collect();
        shops.extend(["slow".to_owned(), "closed".to_owned()]);
        let run = bed.workflow::<survey>("kettle");
        let found = run.execute(("kettle".into(), shops)).await.unwrap();
        assert_eq!(found.best, Some(("slow".to_owned(), 80)));
        assert_eq!(found.silent.len(), 1);
        assert!(
            found.silent[0].1.contains("nobody answers"),
            "{:?}",
            found.silent
        );
    }
}

//! The first workflow of the README: an order is charged, waits for an approval, and is refunded if none comes in a day.
//!
//! A worker: `cargo run -p trunkline --example checkout`, while `trunkline dev` runs.

use trunkline::prelude::*;

#[service]
trait Payments {
    async fn charge(&self, t: &TaskCx, cents: u64) -> Result<String>;
    async fn refund(&self, t: &TaskCx, receipt: String) -> Result<()>;
}

#[derive(Workflow)]
struct Checkout {
    status: Prop<String>,
    approvals: Channel<bool>,
}

#[workflow]
impl Checkout {
    #[run]
    async fn run(&self, cx: Cx, cents: u64) -> Result<String> {
        let payments = cx.service::<PaymentsStub>();
        let receipt = payments.charge(cents).timeout(secs(30)).await?;
        self.status.set("charged".into());
        let approved = select! {
            approval = self.approvals.recv() => approval?,
            _ = cx.sleep(hours(24)) => false,
        };
        if approved {
            return Ok(receipt);
        }
        payments.refund(receipt).await?;
        Ok("refunded".into())
    }
}

/// A payment provider whose first answer is an error, as they do.
struct Provider;

impl Payments for Provider {
    async fn charge(&self, t: &TaskCx, cents: u64) -> Result<String> {
        if t.attempt() == 1 {
            return Err(Error::msg("the provider is busy"));
        }
        Ok(format!("receipt for {cents} cents"))
    }

    async fn refund(&self, _: &TaskCx, _receipt: String) -> Result<()> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), trunkline::ClientError> {
    let server = std::env::var("TRUNKLINE_SERVER");
    Worker::builder(server.unwrap_or_else(|_| "http://127.0.0.1:7411".into()))
        .register(Provider.into_service())
        .workflow::<Checkout>()
        .run()
        .await
}

//! A service, a workflow, a worker and a client, in one process, against a server: `trunkline dev` in another terminal,
//! then `cargo run -p trunkline --example hello [URL]`.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use serde::{Deserialize, Serialize};
use trunkline::prelude::*;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    id: u32,
    cents: u64,
}

/// A typed error: it reaches the workflow as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum PayError {
    Declined { cents: u64 },
}

impl std::fmt::Display for PayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Declined { cents } = self;
        write!(f, "a charge of {cents} cents was declined")
    }
}

impl std::error::Error for PayError {}

#[service]
trait Payments {
    async fn charge(&self, t: &TaskCx, order: Order) -> Result<String, PayError>;
    async fn refund(&self, t: &TaskCx, receipt: String) -> Result<()>;
}

struct CardPayments;

impl Payments for CardPayments {
    async fn charge(&self, t: &TaskCx, order: Order) -> Result<String, PayError> {
        if order.cents > 100_000 {
            let cents = order.cents;
            return Err(t.fatal(PayError::Declined { cents }));
        }
        Ok(format!("receipt-{}", order.id))
    }

    async fn refund(&self, _: &TaskCx, receipt: String) -> Result<()> {
        println!("refunded {receipt}");
        Ok(())
    }
}

#[derive(Workflow)]
struct Checkout {
    status: Prop<String>,
    approvals: Channel<bool>,
}

#[workflow(version = 1)]
impl Checkout {
    #[run]
    async fn run(&self, cx: Cx, order: Order) -> Result<String> {
        let payments = cx.service::<PaymentsStub>();
        cx.add_tags([format!("order:{}", order.id)]);
        let receipt = cx
            .saga(async |saga: &Saga| {
                let receipt = payments
                    .charge(order.clone())
                    .retry(Retry::exponential().attempts(5).initial(millis(100)))
                    .timeout(secs(10))
                    .await?;
                saga.undo(payments.refund(receipt.clone()));
                self.status.set("charged".into());
                let granted = select! {
                    approval = self.approvals.recv() => approval?,
                    _ = cx.sleep(secs(5)) => false,
                };
                if !granted {
                    return Err(Error::new("NotApproved", "nobody approved in time"));
                }
                Ok(receipt)
            })
            .await?;
        self.status.set("done".into());
        Ok(receipt)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1);
    let url = url.as_deref().unwrap_or("http://127.0.0.1:7411");

    let worker = Worker::builder(url)
        .register(CardPayments.into_service())
        .workflow::<Checkout>()
        .start()
        .await?;

    let client = Client::connect(url).await?;
    let id = format!("order-{}", std::process::id());
    let order = Order {
        id: 42,
        cents: 1_999,
    };
    let run = client
        .workflow::<Checkout>(id)
        .tag("shop:example")
        .start(order)
        .await?;
    run.send(|w| &w.approvals, true).await?;
    println!("{} ended with {}", run.id(), run.result().await?);
    println!("its status: {:?}", run.prop(|w| &w.status).await?);

    client.close().await;
    worker.stop().await?;
    Ok(())
}

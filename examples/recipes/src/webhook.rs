//! A webhook with retries: what happens to an order reaches a subscriber in order, however often it is out of order.

use serde::{Deserialize, Serialize};
use trunkline::core::egress::Destination;
use trunkline::core::peer::{Op, Reply};
use trunkline::prelude::*;
use trunkline::{ClientError, Name};

/// What a subscriber is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Told {
    /// The order.
    pub order: String,
    /// What has become of it.
    pub status: String,
}

/// Tells of each step. It ends at once: that the subscriber gets to know is no longer its business, but Trunkline's.
#[workflow]
pub async fn publish(cx: Cx, order: String) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    for status in ["placed", "paid", "shipped"] {
        let told = Told {
            order: order.clone(),
            status: status.into(),
        };
        // Jobs of a lane arrive in the order of their creation. Those of other orders do not wait for this one.
        let job = cx.egress("subscriber").lane(order.as_str());
        let job = job.object("order").id(order.as_str()).action(status);
        keys.push(job.body(&told).send()?.to_string());
    }
    Ok(keys)
}

/// Says where the subscriber is. The defaults try for a quarter of an hour, with pauses of up to a minute.
///
/// # Errors
/// If the engine cannot be reached, or refuses.
pub async fn subscribe(client: &Client, url: &str) -> std::result::Result<Reply, ClientError> {
    let destination = Destination {
        name: "subscriber".into(),
        url: Name::from(url),
        ..Destination::default()
    };
    client
        .request(Op::PutDestination {
            destination: Box::new(destination),
        })
        .await
}

#[cfg(test)]
mod tests;

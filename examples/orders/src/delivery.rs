//! A delivery as the shop reads it: the envelope that the engine posts, and what is in it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The JSON body of one delivery.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// The job's identity, in hexadecimal digits.
    pub job: String,
    /// The destination: here always `shop`.
    pub destination: String,
    /// The ordering key.
    pub lane: String,
    /// The job's place in its lane, from 1, without gaps; given by the engine.
    pub sequence: u64,
    /// What happened to the objects.
    pub action: String,
    /// What kind of objects they are.
    pub object_type: String,
    /// Which objects.
    pub object_ids: Vec<String>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The run that created the job.
    #[serde(default)]
    pub source: Option<String>,
    /// What its creator says.
    pub body: Value,
}

/// The body of a `stock` job: one valid line of an invoice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockChange {
    /// The article.
    pub sku: String,
    /// What is added to its stock: negative for an order, positive for a cancellation.
    pub delta: i64,
    /// Because of which invoice.
    pub invoice: String,
}

/// The body of an `order` job: a completed order, or a refunded cancellation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderNotice {
    /// The invoice.
    pub invoice: String,
    /// `completed` or `refunded`.
    pub ending: String,
    /// Its value in pounds.
    pub value: String,
    /// Where to.
    pub country: String,
    /// How many valid lines it has.
    pub lines: u64,
}

impl Envelope {
    /// What the delivery says, without the engine's own numbers: the same for every attempt of a job. The independent
    /// computation predicts how often each content must arrive.
    ///
    /// # Errors
    /// In words, if the shop does not understand the delivery.
    pub fn content(&self) -> Result<String, String> {
        let [object] = self.object_ids.as_slice() else {
            return Err(format!("a job of {} objects", self.object_ids.len()));
        };
        let kind = format!(
            "{}|{}|{}|{object}",
            self.object_type, self.action, self.lane
        );
        match self.object_type.as_str() {
            "stock" => StockChange::deserialize(&self.body)
                .map(|change| format!("{kind}|{}|{}", change.delta, change.invoice))
                .map_err(|error| format!("the body of a stock job: {error}")),
            "order" => OrderNotice::deserialize(&self.body)
                .map(|order| format!("{kind}|{}", order.value))
                .map_err(|error| format!("the body of an order job: {error}")),
            other => Err(format!("an object type {other:?}")),
        }
    }
}

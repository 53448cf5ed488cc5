//! The workflow: what happens to one invoice, from its lines to the jobs for the shop.
//!
//! ```text
//! no valid line ────────────────────────────────────────────────────────────▶ rejected
//! cancellation ──▶ refund ──────────────────────────────────────────────────▶ refunded  ─▶ jobs
//! order ──▶ reserve ──▶ charge ──▶ (5,000.00 or more: approval, or 24 hours) ▶ completed ─▶ jobs
//!              │           │                     │
//!              │           └─ refused for good ──│──▶ release ──────────────▶ declined
//!              └─────────────────────────────────└──▶ refund, release ──────▶ expired
//! ```
//!
//! Invariants: an invoice ships its jobs when it is completed or refunded, all of them, and none otherwise; what was reserved
//! or charged for an order that does not complete is given back, the last first.

use crate::delivery::{OrderNotice, StockChange};
use crate::invoice::{Invoice, ValidLine};
use crate::money;
use crate::payments::{PaymentError, Receipt};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use trunkline::Result;
use trunkline::prelude::*;

/// Orders of this value and more wait for an approval: 5,000.00.
pub const APPROVAL_FROM: Decimal = Decimal::from_parts(5_000, 0, 0, false, 0);
/// How long an order waits for its approval.
pub const APPROVAL_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
/// The tag of a run that waits for an approval.
pub const WAITING_TAG: &str = "approval:waiting";
/// The destination of the jobs.
pub const DESTINATION: &str = "shop";
/// The lane of orders whose customer is not known.
pub const GUEST: &str = "guest";

/// Jobs that one turn ships: half of what a turn may ask for.
const JOBS_PER_TURN: usize = 5_000;

/// A payment to be made, or to be given back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Payment {
    /// The invoice, and the key under which the payment is made once.
    pub invoice: String,
    /// Who pays, if known.
    pub customer: Option<String>,
    /// How much, positive.
    pub amount: Decimal,
}

/// Stock to be reserved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reservation {
    /// The invoice for which it is reserved.
    pub invoice: String,
    /// What.
    pub lines: Vec<ValidLine>,
}

/// Takes and returns money.
#[service]
pub trait Payments {
    /// Charges the customer, once for each invoice.
    async fn charge(&self, t: &TaskCx, payment: Payment) -> Result<Receipt, PaymentError>;
    /// Pays back, once for each invoice.
    async fn refund(&self, t: &TaskCx, payment: Payment) -> Result<Receipt, PaymentError>;
}

/// Keeps the stock.
#[service]
pub trait Stock {
    /// Reserves, and answers how many pieces.
    async fn reserve(&self, t: &TaskCx, reservation: Reservation) -> Result<i64>;
    /// Gives back what is reserved for the invoice.
    async fn release(&self, t: &TaskCx, invoice: String) -> Result<()>;
}

/// What a person says about a large order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Approval {
    /// True to let it pass.
    pub granted: bool,
    /// Who says so.
    pub by: String,
}

/// How an invoice ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The order was charged, and approved where needed.
    Completed,
    /// The cancellation was paid back.
    Refunded,
    /// There was no valid line.
    Rejected,
    /// The charge was refused for good.
    Declined,
    /// Nobody approved the order in time, or somebody said no.
    Expired,
}

impl Ending {
    /// The word for it in the shop's notice.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Refunded => "refunded",
            Self::Rejected => "rejected",
            Self::Declined => "declined",
            Self::Expired => "expired",
        }
    }
}

/// What a run returns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// How the invoice ended.
    pub ending: Ending,
    /// Its value, positive also for a cancellation.
    pub value: Decimal,
    /// True if a person approved it.
    pub approved: bool,
    /// Jobs that were shipped.
    pub jobs: u64,
}

/// The name of the error of an order that nobody approved.
const NOT_APPROVED: &str = "NotApproved";

/// One run for each invoice; its id is the InvoiceNo.
#[derive(Debug, Workflow)]
pub struct ProcessInvoice {
    /// What the run is about, for those who look at it from outside.
    pub step: Prop<String>,
    /// Approvals of a large order.
    pub approvals: Channel<Approval>,
}

#[workflow]
impl ProcessInvoice {
    #[run]
    async fn run(&self, cx: Cx, invoice: Invoice) -> Result<Outcome> {
        let value = invoice.value();
        let (ending, approved) = if invoice.lines.is_empty() {
            (Ending::Rejected, false)
        } else if invoice.is_cancellation() {
            self.refund(&cx, &invoice, value).await?
        } else {
            self.sell(&cx, &invoice, value).await?
        };
        self.step.set(ending.word().to_owned());
        let jobs = match ending {
            Ending::Completed | Ending::Refunded => ship(&cx, &invoice, value, ending).await?,
            Ending::Rejected | Ending::Declined | Ending::Expired => 0,
        };
        Ok(Outcome {
            ending,
            value,
            approved,
            jobs,
        })
    }
}

impl ProcessInvoice {
    /// Pays a cancellation back.
    async fn refund(&self, cx: &Cx, invoice: &Invoice, value: Decimal) -> Result<(Ending, bool)> {
        self.step.set("refunding".to_owned());
        cx.service::<PaymentsStub>()
            .refund(payment(invoice, value))
            .retry(patient())
            .await?;
        Ok((Ending::Refunded, false))
    }

    /// Reserves, charges and waits for the approval of an order; undoes all of it if one of them fails for good.
    async fn sell(&self, cx: &Cx, invoice: &Invoice, value: Decimal) -> Result<(Ending, bool)> {
        let payments = cx.service::<PaymentsStub>();
        let stock = cx.service::<StockStub>();
        let sold = cx
            .saga(async |saga: &Saga| {
                self.step.set("reserving".to_owned());
                let reservation = Reservation {
                    invoice: invoice.number.clone(),
                    lines: invoice.lines.clone(),
                };
                stock.reserve(reservation).retry(patient()).await?;
                saga.undo(stock.release(invoice.number.clone()).retry(patient()));

                self.step.set("charging".to_owned());
                let payment = payment(invoice, value);
                payments.charge(payment.clone()).retry(patient()).await?;
                saga.undo(payments.refund(payment).retry(patient()));

                if value < APPROVAL_FROM {
                    return Ok(false);
                }
                self.wait_for_approval(cx).await?;
                Ok(true)
            })
            .await;
        match sold {
            Ok(approved) => Ok((Ending::Completed, approved)),
            Err(error) if error.failure().name.as_str() == NOT_APPROVED => {
                Ok((Ending::Expired, false))
            }
            Err(error) => match error.downcast() {
                Some(PaymentError::Refused { .. }) => Ok((Ending::Declined, false)),
                Some(PaymentError::Unavailable) | None => Err(error),
            },
        }
    }

    /// Waits for a person to say yes, for a day at most.
    async fn wait_for_approval(&self, cx: &Cx) -> Result<()> {
        self.step.set("waiting for approval".to_owned());
        cx.add_tags([WAITING_TAG]);
        let approval = self.approvals.recv_timeout(APPROVAL_WAIT).await?;
        cx.remove_tags([WAITING_TAG]);
        match approval {
            Some(Approval { granted: true, .. }) => Ok(()),
            Some(Approval { granted: false, by }) => Err(Error::new(
                NOT_APPROVED,
                format!("{by} did not approve the order"),
            )),
            None => Err(Error::new(
                NOT_APPROVED,
                "nobody approved the order in time",
            )),
        }
    }
}

/// Ships one job for each valid line, and one for the order or the cancellation. They are accepted with their turn's commit.
async fn ship(cx: &Cx, invoice: &Invoice, value: Decimal, ending: Ending) -> Result<u64> {
    for (number, line) in invoice.lines.iter().enumerate() {
        if number > 0 && number % JOBS_PER_TURN == 0 {
            // A turn is bounded; a step that does nothing ends it.
            cx.step("next jobs", || async { Ok(()) }).await?;
        }
        let change = StockChange {
            sku: line.sku.clone(),
            // What is sold leaves the stock; what is sent back, in the file a negative quantity, comes in again.
            delta: -line.quantity,
            invoice: invoice.number.clone(),
        };
        cx.egress(DESTINATION)
            .lane(line.sku.as_str())
            .object("stock")
            .action("update")
            .id(line.sku.as_str())
            .body(&change)
            .send()?;
    }
    let notice = OrderNotice {
        invoice: invoice.number.clone(),
        ending: ending.word().to_owned(),
        value: money::show(value),
        country: invoice.country.clone(),
        lines: invoice.lines.len() as u64,
    };
    cx.egress(DESTINATION)
        .lane(invoice.customer.as_deref().unwrap_or(GUEST))
        .object("order")
        .action("create")
        .id(invoice.number.as_str())
        .body(&notice)
        .send()?;
    Ok(invoice.lines.len() as u64 + 1)
}

/// The payment for an invoice.
fn payment(invoice: &Invoice, amount: Decimal) -> Payment {
    Payment {
        invoice: invoice.number.clone(),
        customer: invoice.customer.clone(),
        amount,
    }
}

/// Services that fail now and then are asked again soon; twelve failures in a row of 2 % each will not be seen.
fn patient() -> Retry {
    Retry::exponential()
        .initial(millis(50))
        .max(secs(5))
        .attempts(12)
        .never_on("Refused")
}

#[cfg(test)]
mod tests;

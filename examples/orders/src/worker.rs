//! The worker: executes the workflow and the tasks of the payment service and the warehouse.
//!
//! What it is not: it keeps no state of a run that could be lost. The books of the two services are in its memory, because
//! they stand for systems of somebody else, which survive; so the worker is not killed in the demo.

use crate::money;
use crate::payments::{PaymentError, PaymentService, Receipt};
use crate::report::print_line;
use crate::warehouse::Warehouse;
use crate::workflow::{Payment, Payments, ProcessInvoice, Reservation, Stock};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::signal::unix::{SignalKind, signal};
use trunkline::Result;
use trunkline::prelude::*;

/// What to work for, and how.
#[derive(Debug)]
pub struct Working {
    /// The server's address.
    pub server: String,
    /// Seed of the payment service's failures.
    pub seed: u64,
    /// Customers whose charges are refused for good.
    pub refused_customers: Vec<String>,
}

/// What the worker says when it goes: the books of its payment service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Farewell {
    /// What was charged in all.
    pub charged: String,
    /// What was paid back in all.
    pub refunded: String,
}

/// Works until somebody asks the process to end; finishes what it has, and says farewell.
///
/// # Errors
/// If the server's address is none.
pub async fn work(working: Working) -> Result<(), String> {
    let service = PaymentService::new(working.seed, working.refused_customers);
    let payments = Arc::new(Mutex::new(service));
    let stock = Arc::new(Mutex::new(Warehouse::default()));
    Worker::builder(working.server.as_str())
        .name("orders")
        .register(PaymentDesk(Arc::clone(&payments)).into_service())
        .register(StockRoom(stock).into_service())
        .workflow::<ProcessInvoice>()
        .run_until(asked_to_end())
        .await
        .map_err(|error| error.to_string())?;
    let farewell = {
        let books = open(&payments);
        Farewell {
            charged: money::show(books.charged()),
            refunded: money::show(books.refunded()),
        }
    };
    serde_json::to_string(&farewell)
        .map_err(io::Error::from)
        .and_then(|line| print_line(&line))
        .map_err(|error| format!("standard output: {error}"))
}

/// Resolves at Ctrl-C or SIGTERM.
async fn asked_to_end() {
    let mut terminate = signal(SignalKind::terminate()).ok();
    let terminated = async {
        match &mut terminate {
            Some(stream) => {
                stream.recv().await;
            }
            // Without a handler the system's own way of ending the process applies.
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// The books behind a lock. They stay whole if a task panics: every change is one call.
fn open<T>(books: &Mutex<T>) -> MutexGuard<'_, T> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes and returns money.
pub(crate) struct PaymentDesk(pub(crate) Arc<Mutex<PaymentService>>);

impl Payments for PaymentDesk {
    async fn charge(&self, _: &TaskCx, payment: Payment) -> Result<Receipt, PaymentError> {
        let customer = payment.customer.as_deref();
        open(&self.0).charge(&payment.invoice, customer, payment.amount)
    }

    async fn refund(&self, _: &TaskCx, payment: Payment) -> Result<Receipt, PaymentError> {
        open(&self.0).refund(&payment.invoice, payment.amount)
    }
}

/// Keeps the stock.
pub(crate) struct StockRoom(pub(crate) Arc<Mutex<Warehouse>>);

impl Stock for StockRoom {
    async fn reserve(&self, _: &TaskCx, reservation: Reservation) -> Result<i64> {
        Ok(open(&self.0).reserve(&reservation.invoice, &reservation.lines))
    }

    async fn release(&self, _: &TaskCx, invoice: String) -> Result<()> {
        open(&self.0).release(&invoice);
        Ok(())
    }
}

//! The feeder: reads an order file, starts a run for each invoice, and approves the orders that wait for it.
//!
//! What it is not: it does not decide what an order is worth or whether it needs an approval; the workflow does. It asks the
//! server which runs wait.
//!
//! Invariants: nothing of the file vanishes (rejected lines go to a list, broken ones are also told at once); a run is
//! started once, because its id is the InvoiceNo, whatever happens to the server meanwhile.

mod approvals;
mod tally;

use crate::invoice::{Book, Invoice};
use crate::line::{self, BrokenLine, ColumnsMissing};
use crate::rules::Reason;
use crate::workflow::{GUEST, Outcome, ProcessInvoice};
use futures_util::stream::{self, StreamExt};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tally::Tally;
use trunkline::core::code::Code;
use trunkline::{Client, Error, RunError};

/// Runs that the feeder has under way at once.
const AT_ONCE: usize = 500;
/// How often it reports its progress.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// How long the server may refuse for a reason that passes, such as no worker yet.
const REFUSED_MAX: Duration = Duration::from_secs(120);
/// How long to wait before asking again.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// What to feed, and whom.
#[derive(Debug)]
pub struct Feeding {
    /// The server's address.
    pub server: String,
    /// Where to write the rejected lines, if anywhere.
    pub rejects: Option<PathBuf>,
    /// The invoices.
    pub book: Book,
}

/// Reads and judges an order file.
///
/// # Errors
/// If columns are missing.
pub fn book_of(text: &[u8]) -> Result<Book, ColumnsMissing> {
    line::read(text).map(Book::of)
}

/// The rejected lines as a CSV text: line, invoice, reason code, and what is at fault.
#[must_use]
pub fn rejected_csv(book: &Book) -> String {
    let mut text = "line,invoice,reason,detail\n".to_owned();
    for rejected in &book.rejected {
        let invoice = rejected.invoice.as_deref().unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{},{},{},{}",
            rejected.line,
            quoted(invoice),
            rejected.reason,
            quoted(&rejected.detail)
        );
    }
    text
}

/// The field as it stands in a CSV file.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// Feeds the server, and ends when every run has.
///
/// # Errors
/// If the list of rejected lines cannot be written, or the server refuses.
pub async fn feed(feeding: Feeding) -> Result<(), String> {
    tell_rejected(&feeding)?;
    let client = Client::connect(&feeding.server)
        .await
        .map_err(|error| error.to_string())?;
    let tally = Tally::default();
    let runs = stream::iter(&feeding.book.invoices)
        .map(|invoice| process(&client, invoice, &tally))
        .buffer_unordered(AT_ONCE)
        .for_each(|()| std::future::ready(()));
    let approvals = approvals::approve(&client);
    tokio::select! {
        () = runs => {}
        () = report_progress(&tally) => {}
        stopped = approvals => return stopped,
    }
    tally
        .progress()
        .print()
        .and_then(|()| tally.done(&feeding.book).print())
        .map_err(|error| format!("standard output: {error}"))
}

/// Starts the run of an invoice and waits for its end.
async fn process(client: &Client, invoice: &Invoice, tally: &Tally) {
    let outcome = async {
        let begun = async || {
            // The InvoiceNo is the id: whoever was first, there is one run.
            client
                .workflow::<ProcessInvoice>(invoice.number.as_str())
                .tag(format!("country:{}", invoice.country))
                .tag(format!(
                    "customer:{}",
                    invoice.customer.as_deref().unwrap_or(GUEST)
                ))
                .attach()
                .start(invoice.clone())
                .await
                .map_err(RunError::<Error>::Client)
        };
        let run = patiently(begun).await?;
        tally.started();
        patiently(async || run.result().await).await
    };
    let outcome: Result<Outcome, String> = outcome.await;
    tally.finished(&invoice.number, outcome);
}

/// Asks until there is an answer, as long as what stands in the way may pass.
async fn patiently<T, E>(ask: impl AsyncFn() -> Result<T, RunError<E>>) -> Result<T, String> {
    let mut refused_at = None;
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let passes = match &error {
            RunError::Client(error) => matches!(
                error.code(),
                Code::UnknownWorkflow
                    | Code::ServerUnreachable
                    | Code::ShuttingDown
                    | Code::Overloaded
                    | Code::DiskFull
            ),
            _ => false,
        };
        let since = *refused_at.get_or_insert_with(Instant::now);
        if !passes || since.elapsed() > REFUSED_MAX {
            return Err(error.to_string());
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Says how far the runs have come, until it is dropped.
async fn report_progress(tally: &Tally) {
    let mut told = None;
    loop {
        let progress = tally.progress();
        if told.as_ref() != Some(&progress) {
            // Without standard output there is nobody to tell.
            let _ = progress.print();
            told = Some(progress);
        }
        tokio::time::sleep(REPORT_EVERY).await;
    }
}

/// Writes the list of rejected lines, and says at once which lines cannot be read at all.
fn tell_rejected(feeding: &Feeding) -> Result<(), String> {
    for rejected in &feeding.book.rejected {
        if rejected.reason == Reason::LineBroken {
            let broken = BrokenLine {
                line: rejected.line,
                invoice: None,
                reason: rejected.detail.clone(),
            };
            // Without standard error there is nobody to tell; the list has it too.
            let _ = writeln!(io::stderr(), "{broken}");
        }
    }
    match &feeding.rejects {
        Some(path) => std::fs::write(path, rejected_csv(&feeding.book))
            .map_err(|error| format!("{}: {error}", path.display())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

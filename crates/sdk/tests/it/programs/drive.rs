//! Driving a program from outside: it is started, sent what it waits for, cancelled if it wants that, and awaited.

use super::generate::Rng;
use super::interpret::Machine;
use super::model::Expected;
use super::program::{Ending, Program, signal_value};
use std::future::IntoFuture;
use std::time::Duration;
use trunkline::core::code::Code;
use trunkline::prelude::*;
use trunkline::{ClientError, RunError, RunHandle};

/// Asks until there is an engine to answer. One whose disk has failed refuses everything until it is replaced.
async fn insist<T, F>(mut ask: impl FnMut() -> F) -> Result<T, ClientError>
where
    F: IntoFuture<Output = Result<T, ClientError>>,
{
    loop {
        match ask().await {
            Err(error) if matches!(error.code(), Code::JournalPoisoned | Code::ShuttingDown) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            answer => return answer,
        }
    }
}

/// Waits for the end of a run, through all failures of the engine.
async fn end_of(run: &RunHandle<Machine>) -> Result<[i64; 4], RunError<Error>> {
    loop {
        match run.result().await {
            Err(RunError::Client(error))
                if matches!(error.code(), Code::JournalPoisoned | Code::ShuttingDown) =>
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            end => return end,
        }
    }
}

/// Starts a program, sends it what it waits for, and awaits its end.
pub(crate) async fn drive(
    client: &Client,
    (number, program): (usize, &Program),
    expected: &Expected,
    seed: u64,
    does: impl Fn(&'static str),
) -> Result<RunHandle<Machine>, String> {
    let mut rng = Rng::new(seed ^ number as u64);
    let id = number.to_string();
    let start = || {
        client
            .workflow::<Machine>(id.as_str())
            .start(program.clone())
    };
    let run = insist(start)
        .await
        .map_err(|error| format!("start: {error}"))?;
    does("sends");
    let mut sent = [0; 4];
    while sent != expected.signals {
        let open: Vec<usize> = (0..4).filter(|c| sent[*c] < expected.signals[*c]).collect();
        let counter = rng.pick(&open);
        if rng.one_in(4) {
            tokio::time::sleep(Duration::from_millis(rng.below(3))).await;
        }
        let value = signal_value(counter, sent[counter]);
        let sending = insist(|| run.send(|w| w.channel(counter), value)).await;
        sending.map_err(|error| format!("signal {counter}: {error}"))?;
        sent[counter] += 1;
    }
    does("awaits the end");
    // From here on time may pass.
    let awaited = run.clone();
    let mut end = std::pin::pin!(end_of(&awaited));
    if program.ending == Ending::IsCancelled {
        let cancelled = async {
            while insist(|| run.prop(|w| &w.ready)).await? != Some(true) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            insist(|| run.cancel("the program wants it so")).await
        };
        tokio::select! {
            cancelled = cancelled => cancelled.map_err(|error| format!("cancel: {error}"))?,
            end = &mut end => return Err(format!("{end:?}, before it was cancelled")),
        }
        does("has cancelled");
    }
    match (end.await, program.ending) {
        (Ok(counters), Ending::Returns) if counters == expected.counters => Ok(run),
        (Err(RunError::Cancelled(_)), Ending::IsCancelled) => Ok(run),
        (Err(RunError::Failed(error, _)), Ending::Fails)
            if error.failure().name.as_str() == "Planned" =>
        {
            Ok(run)
        }
        (other, ending) => Err(format!(
            "{other:?}, expected {ending:?} with {:?}",
            expected.counters
        )),
    }
}

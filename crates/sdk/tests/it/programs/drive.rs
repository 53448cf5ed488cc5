//! Driving a program from outside: it is started, sent what it waits for, visited, cut or cancelled if it wants that, and
//! awaited, and so are its children.

use super::generate::Rng;
use super::interpret::{Machine, Start};
use super::program::{COUNTERS, Ending, Program, Visit, signal_value};
use futures_util::future::try_join_all;
use std::future::IntoFuture;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use trunkline::core::code::Code;
use trunkline::core::ids::Nonce;
use trunkline::prelude::*;
use trunkline::{ClientError, RunError, RunHandle};

/// A moment, before something is asked again.
async fn moment() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn is_passing(error: &ClientError) -> bool {
    matches!(error.code(), Code::JournalPoisoned | Code::ShuttingDown)
}

/// Asks until there is an engine to answer. One whose disk has failed refuses everything until it is replaced.
pub(super) async fn insist<T, F>(mut ask: impl FnMut() -> F) -> Result<T, ClientError>
where
    F: IntoFuture<Output = Result<T, ClientError>>,
{
    loop {
        match ask().await {
            Err(error) if is_passing(&error) => moment().await,
            answer => return answer,
        }
    }
}

/// The same for what ends with the result of code.
async fn insist_on_end<T, F>(mut ask: impl FnMut() -> F) -> Result<T, RunError<Error>>
where
    F: IntoFuture<Output = Result<T, RunError<Error>>>,
{
    loop {
        match ask().await {
            Err(RunError::Client(error)) if is_passing(&error) => moment().await,
            end => return end,
        }
    }
}

/// Waits for the end of a run, through all failures of the engine.
async fn end_of(run: &RunHandle<Machine>) -> Result<[i64; COUNTERS], RunError<Error>> {
    insist_on_end(|| run.result()).await
}

/// Whether a run ended as its program says.
fn checked(
    end: Result<[i64; COUNTERS], RunError<Error>>,
    ending: Ending,
    counters: Option<[i64; COUNTERS]>,
) -> Result<(), String> {
    match (end, ending) {
        (Ok(found), Ending::Returns) if counters.is_none_or(|counters| counters == found) => Ok(()),
        // How far it came is known afterwards.
        (Ok(_) | Err(RunError::Cancelled(_) | RunError::Terminated(_)), Ending::IsCut { .. }) => {
            Ok(())
        }
        (Err(RunError::Cancelled(_)), Ending::IsCancelled) => Ok(()),
        (Err(RunError::Failed(error, _)), Ending::Fails)
            if error.failure().name.as_str() == "Planned" =>
        {
            Ok(())
        }
        (other, ending) => Err(format!("{other:?}, expected {ending:?} with {counters:?}")),
    }
}

/// Whoever has to do with one program from outside.
pub(super) struct Driver<'a> {
    pub(super) client: &'a Client,
    pub(super) number: usize,
    pub(super) program: &'a Program,
    /// What it must return.
    pub(super) counters: [i64; COUNTERS],
    pub(super) seed: u64,
}

impl Driver<'_> {
    /// Starts the program, sends it what it waits for, and awaits its end and those of its children.
    pub(super) async fn drive(self, does: impl Fn(&'static str)) -> Result<(), String> {
        let id = self.number.to_string();
        let start = || {
            let start = self.client.workflow::<Machine>(id.as_str());
            start.start(Start::new(self.program))
        };
        let run = insist(start)
            .await
            .map_err(|error| format!("start: {error}"))?;
        does("sends and calls");
        let ending = self.program.ending;
        if let Ending::IsCut { after, terminated } = ending {
            let (sent, cut) = tokio::join!(self.send(&run), self.cut(&run, after, terminated));
            sent.and(cut)?;
        } else {
            let (sent, visited) = tokio::join!(self.send(&run), self.visit(&run));
            sent.and(visited)?;
        }
        does("awaits the end");
        // From here on time may pass.
        let mut end = std::pin::pin!(end_of(&run));
        let mut ended = None;
        if ending == Ending::IsCancelled {
            let is_asked = AtomicBool::new(false);
            let cancelled = async {
                while insist(|| run.prop(|w| &w.ready)).await? != Some(true) {
                    moment().await;
                }
                is_asked.store(true, Ordering::Relaxed);
                insist(|| run.cancel("the program wants it so")).await
            };
            tokio::select! {
                cancelled = cancelled => cancelled.map_err(|error| format!("cancel: {error}"))?,
                // The end may be here before the answer to the request is: that may have been lost with an engine.
                end = &mut end => ended = Some(end),
            }
            if !is_asked.load(Ordering::Relaxed) {
                return Err(format!("{ended:?}, before it was cancelled"));
            }
            does("has cancelled");
        }
        let end = match ended {
            Some(end) => end,
            None => end.await,
        };
        checked(end, ending, Some(self.counters))?;
        does("awaits its children");
        if !ending.is_cut() {
            for (name, child) in self.program.children() {
                self.await_child(&name, child.ending).await?;
            }
        }
        Ok(())
    }

    /// Sends the signals, in an order and at moments that the seed says.
    async fn send(&self, run: &RunHandle<Machine>) -> Result<(), String> {
        let mut rng = Rng::new(self.seed ^ self.number as u64);
        let signals = self.program.signals();
        let mut sent = [0; COUNTERS];
        while sent != signals {
            let open: Vec<usize> = (0..COUNTERS).filter(|c| sent[*c] < signals[*c]).collect();
            let counter = rng.pick(&open);
            if rng.one_in(4) {
                tokio::time::sleep(Duration::from_millis(rng.below(3))).await;
            }
            let value = signal_value(counter, sent[counter]);
            match insist(|| run.send(|w| w.channel(counter), value)).await {
                Err(error) if error.code() == Code::RunFinished && self.program.ending.is_cut() => {
                    return Ok(());
                }
                sending => sending.map_err(|error| format!("signal {counter}: {error}"))?,
            }
            sent[counter] += 1;
        }
        Ok(())
    }

    /// Calls the methods, says that all have been called, and awaits those that must end before the run is cancelled.
    async fn visit(&self, run: &RunHandle<Machine>) -> Result<(), String> {
        let visits = &self.program.visits;
        if visits.is_empty() {
            return Ok(());
        }
        let calls = visits.iter().enumerate().map(|(index, visit)| async move {
            let mut rng = Rng::new(self.seed ^ ((self.number as u64) << 32) ^ index as u64);
            tokio::time::sleep(Duration::from_millis(rng.below(4))).await;
            let nonce = Nonce(u128::from(rng.next()));
            let call = || run.call(|w| w.visit(*visit)).nonce(nonce).start();
            insist(call)
                .await
                .map_err(|error| format!("visit {index}: {error}"))
        });
        let calls = try_join_all(calls).await?;
        let send = || run.send(|w| &w.all_called, ());
        insist(send)
            .await
            .map_err(|error| format!("all called: {error}"))?;
        let ends = calls.iter().zip(visits).map(|(call, visit)| async move {
            let Visit { n, fails, .. } = *visit;
            match insist_on_end(|| call.result()).await {
                Ok(result) if !fails && result == 2 * n => Ok(()),
                Err(RunError::Failed(error, _))
                    if fails && error.failure().name.as_str() == "Planned" =>
                {
                    Ok(())
                }
                other => Err(format!("{visit:?} ended with {other:?}")),
            }
        });
        try_join_all(ends).await.map(drop)
    }

    /// Ends the run once so many of its ops are done.
    async fn cut(
        &self,
        run: &RunHandle<Machine>,
        after: u64,
        terminated: bool,
    ) -> Result<(), String> {
        let cut = async {
            while insist(|| run.prop(|w| &w.done)).await?.unwrap_or(0) < after as usize {
                moment().await;
            }
            match terminated {
                true => insist(|| run.terminate("the program wants it so")).await,
                false => insist(|| run.cancel("the program wants it so")).await,
            }
        };
        let cut = tokio::select! {
            cut = cut => cut,
            // Time passes, and it may have been quicker.
            _ = end_of(run) => return Ok(()),
        };
        match cut {
            Err(error) if error.code() == Code::RunFinished => Ok(()),
            cut => cut.map_err(|error| format!("cut: {error}")),
        }
    }

    /// Awaits the end of a child, which may not have been started yet when its parent ended.
    async fn await_child(&self, name: &str, ending: Ending) -> Result<(), String> {
        let run = self.client.run::<Machine>(format!("{}{name}", self.number));
        loop {
            match end_of(&run).await {
                Err(RunError::Client(error)) if error.code() == Code::RunNotFound => moment().await,
                end => {
                    return checked(end, ending, None)
                        .map_err(|text| format!("child {name}: {text}"));
                }
            }
        }
    }
}

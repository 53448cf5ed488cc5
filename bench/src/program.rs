//! The workflows and the service under load.

use std::time::Duration;
use trunkline::prelude::*;

/// The service of the workloads.
#[service]
pub(crate) trait Echo {
    /// Answers with the text and a suffix.
    async fn suffix(&self, t: &TaskCx, text: String) -> Result<String>;
}

/// The service, done at once.
#[derive(Debug, Clone)]
pub(crate) struct AtOnce;

impl Echo for AtOnce {
    async fn suffix(&self, _: &TaskCx, text: String) -> Result<String> {
        Ok(text + "-done")
    }
}

/// W1a, W1b, W1c: two tasks, one after the other.
#[derive(Workflow)]
pub(crate) struct TwoTasks;

#[workflow]
impl TwoTasks {
    #[run]
    async fn run(&self, cx: Cx, text: String) -> Result<String> {
        let echo = cx.service::<EchoStub>();
        let once = echo.suffix(text).await?;
        Ok(echo.suffix(once).await?)
    }
}

/// W1d: a sleep. Returns when it was due, in milliseconds since 1970.
#[derive(Workflow)]
pub(crate) struct Sleeper;

#[workflow]
impl Sleeper {
    #[run]
    async fn run(&self, cx: Cx, sleep_ms: u64) -> Result<u64> {
        let due_ms = cx.now().0 + sleep_ms;
        cx.sleep(Duration::from_millis(sleep_ms)).await?;
        Ok(due_ms)
    }
}

/// W2: so many tasks in parallel, joined. Returns how many there were.
#[derive(Workflow)]
pub(crate) struct FanOut;

#[workflow]
impl FanOut {
    #[run]
    async fn run(&self, cx: Cx, tasks: u32) -> Result<u32> {
        let echo = cx.service::<EchoStub>();
        let calls = (0..tasks).map(|number| echo.suffix(number.to_string()));
        let results = cx.try_join_all(calls).await?;
        Ok(u32::try_from(results.len()).expect("there are as many results as tasks"))
    }
}

/// W3: receives numbers until it has so many. They must come in order.
#[derive(Workflow)]
pub(crate) struct Listener {
    pub(crate) numbers: Channel<u32>,
}

#[workflow]
impl Listener {
    #[run]
    async fn run(&self, _cx: Cx, count: u32) -> Result<u32> {
        for expected in 0..count {
            let number = self.numbers.recv().await?;
            if number != expected {
                return Err(Error::new(
                    "OutOfOrder",
                    format!("expected {expected}, got {number}"),
                ));
            }
        }
        Ok(count)
    }
}

/// W4: waits for one signal and returns it.
#[derive(Workflow)]
pub(crate) struct Parked {
    pub(crate) wake: Channel<String>,
}

#[workflow]
impl Parked {
    #[run]
    async fn run(&self, _cx: Cx, _text: String) -> Result<String> {
        Ok(self.wake.recv().await?)
    }
}

//! The time of a worker: the machine's, or that of a test.

#[cfg(feature = "testing")]
use crate::testing::time::TestTime;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};
use trunkline_api::core::ids::{RunKey, Token};
use trunkline_api::core::time::Timestamp;

/// See the module. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) enum Time {
    /// The machine's.
    #[default]
    Machine,
    /// A test's: the engine's virtual clock.
    #[cfg(feature = "testing")]
    Test(Arc<TestTime>),
}

impl Time {
    /// The time at the engine, as well as a worker can know it: what the engine `said`, and how long ago that was.
    pub(crate) fn at_engine(&self, said: Timestamp, heard: Instant) -> Timestamp {
        match self {
            Self::Machine => {
                let passed = u64::try_from(heard.elapsed().as_millis()).unwrap_or(u64::MAX);
                said.plus_ms(passed)
            }
            #[cfg(feature = "testing")]
            Self::Test(time) => time.now().max(said),
        }
    }

    /// Lets `span` pass in the code of an attempt.
    pub(crate) async fn sleep(&self, attempt: (RunKey, Token), span: Duration) {
        match self {
            Self::Machine => tokio::time::sleep(span).await,
            #[cfg(feature = "testing")]
            Self::Test(time) => time.sleep(attempt, span).await,
        }
        #[cfg(not(feature = "testing"))]
        let _ = attempt;
    }

    /// An attempt is told something, which may end its sleep.
    #[cfg_attr(
        not(feature = "testing"),
        expect(unused_variables, clippy::unused_self, reason = "only tests look")
    )]
    pub(crate) fn rouse(&self, attempt: (RunKey, Token)) {
        #[cfg(feature = "testing")]
        if let Self::Test(time) = self {
            time.rouse(attempt);
        }
    }

    /// Polls the code of an attempt.
    #[cfg_attr(
        not(feature = "testing"),
        expect(unused_variables, clippy::unused_self, reason = "only tests look")
    )]
    pub(crate) fn polled<T>(&self, attempt: (RunKey, Token), poll: impl FnOnce() -> T) -> T {
        #[cfg(feature = "testing")]
        if let Self::Test(time) = self
            && time.is_roused(attempt)
        {
            let polled = poll();
            time.has_heard(attempt);
            return polled;
        }
        poll()
    }

    /// A connection of a worker counts here what its threads have to do.
    #[cfg_attr(
        not(feature = "testing"),
        expect(unused_variables, clippy::unused_self, reason = "only tests look")
    )]
    pub(crate) fn watch(&self, pending: &Arc<AtomicUsize>) {
        #[cfg(feature = "testing")]
        if let Self::Test(time) = self {
            time.watch(pending);
        }
    }

    /// A thread of a worker has done something.
    #[cfg_attr(
        not(feature = "testing"),
        expect(clippy::unused_self, reason = "only tests look")
    )]
    pub(crate) fn rest(&self) {
        #[cfg(feature = "testing")]
        if let Self::Test(time) = self {
            time.ring();
        }
    }
}

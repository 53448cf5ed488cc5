//! The executor: turns, replay and mismatches, played from written histories. Most are told with the future kept and with it evicted after every turn.

mod ahead;
mod ending;
mod flow;
mod fuzz;
mod mismatch;
mod unreplayable;

pub(crate) use super::Strictness;
pub(crate) use crate::prelude::*;
pub(crate) use crate::worker::script::{Script, told};
pub(crate) use expect_test::{Expect, expect};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum BookError {
    Full { seats: u32 },
}

impl std::fmt::Display for BookError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no seats left")
    }
}

impl std::error::Error for BookError {}

#[service]
trait Trip {
    async fn hotel(&self, t: &TaskCx, night: u32) -> Result<String>;
    async fn flight(&self, t: &TaskCx, day: u32) -> Result<String, BookError>;
    async fn undo(&self, t: &TaskCx, what: String) -> Result<()>;
}

fn check(trace: &str, expected: &Expect) {
    expected.assert_eq(trace);
}

#[workflow]
async fn sequence(cx: Cx, night: u32) -> Result<String> {
    let trip = cx.service::<TripStub>();
    let hotel = trip.hotel(night).await?;
    let flight = trip.flight(night + 1).await?;
    Ok(format!("{hotel} {flight}"))
}

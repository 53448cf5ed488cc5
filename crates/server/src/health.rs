//! Is the process alive, and does it take work?

use crate::answer::{Answer, Refusal, content_type};
use crate::app::App;
use axum::extract::State;
use axum::response::IntoResponse;
use std::sync::Arc;
use trunkline_api::core::code::Code;
use trunkline_engine::Health;

/// `GET /healthz`: it answers as long as the process can.
pub(crate) async fn healthz() -> Answer {
    Ok(([content_type("text/plain; charset=utf-8")], "ok\n").into_response())
}

/// `GET /readyz`
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Answer {
    match app.engine.health() {
        Health::Ok => healthz().await,
        Health::DiskFull => Err(Refusal::new(Code::DiskFull, "new work is refused")),
        Health::Stopping => Err(Refusal::new(Code::ShuttingDown, "new work is refused")),
        Health::Failed(reason) => Err(Refusal::new(Code::JournalPoisoned, reason)),
    }
}

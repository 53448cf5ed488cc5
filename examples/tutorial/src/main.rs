//! The tutorial's worker: it does the desk's work and runs the code of loans.

use trunkline::prelude::*;
use trunkline_tutorial::{Desk, Loan, Shelves};

#[tokio::main]
async fn main() -> Result<(), trunkline::ClientError> {
    let server = std::env::var("TRUNKLINE_SERVER");
    Worker::builder(server.unwrap_or_else(|_| "http://127.0.0.1:7411".into()))
        .register(Shelves.into_service())
        .workflow::<Loan>()
        .run()
        .await
}

//! A report every night, and one right now, against a server: `trunkline dev` in another terminal, then
//! `cargo run -p trunkline --example cron [URL]`. It ends after three runs by the clock; `--keep` leaves the nightly schedule.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;
use trunkline::core::schedule::{FireEnd, Overlap};
use trunkline::prelude::*;

#[workflow]
async fn report(cx: Cx, about: String) -> Result<String> {
    let text = cx
        .step("gather", || async { Ok("all is well".to_owned()) })
        .await?;
    Ok(format!("{about}: {text}"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let keep = arguments.iter().any(|argument| argument == "--keep");
    let url = arguments
        .iter()
        .find(|argument| !argument.starts_with("--"));
    let url = url.map_or("http://127.0.0.1:7411", |url| url.as_str());
    let worker = Worker::builder(url).workflow::<report>().start().await?;
    let client = Client::connect(url).await?;

    let nightly = client.schedule("nightly-report");
    nightly
        .starts::<report>(&"sales".into())
        .cron("30 2 * * *")
        .zone("Europe/Berlin")
        .overlap(Overlap::BufferOne)
        .put()
        .await?;
    let status = nightly.describe().await?;
    println!(
        "{} nights lie ahead, the first at {:?}",
        status.upcoming.len(),
        status.upcoming[0]
    );

    // Nobody has to wait for the night.
    let fired = nightly.trigger().await?;
    if let Some(run) = fired.run {
        println!("{}: {}", run.id(), run.result::<String>().await?);
    }

    // And one that the clock starts while we watch.
    let often = client.schedule("report-now-and-then");
    often
        .starts::<report>(&"stock".into())
        .every(secs(1))
        .overlap(Overlap::BufferAll)
        .remaining(3)
        .put()
        .await?;
    loop {
        let state = often.describe().await?.state;
        let has_ended = |end: &FireEnd| matches!(end, FireEnd::Ended(_));
        if state.counts.started == 3 && state.recent.iter().all(|fire| has_ended(&fire.end)) {
            for fire in &state.recent {
                println!("{:?}: {}", fire.at, fire.run.as_deref().unwrap_or("no run"));
            }
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    often.delete().await?;
    if !keep {
        nightly.delete().await?;
    }
    client.close().await;
    worker.stop().await?;
    Ok(())
}

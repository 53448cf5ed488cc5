//! The driver: starts the server, the worker, the shop and the feeder, kills the server if asked to, waits for the end, and
//! judges.
//!
//! What it is not: it moves no order itself. It configures the destination, watches, and compares what came out with the
//! independent computation ([`crate::expect`]).
//!
//! Invariants: every wait is bounded, and its error names what is missing; no process outlives the driver, however that
//! ends.

mod crashes;
mod feed;
mod process;
mod progress;
mod stage;
mod summary;

use crate::expect::{Expectation, expect};
use crate::generator::generate;
use crate::judge::Verdict;
use crate::report::{Report, print_line};
use crate::shop::{Progress, Question};
use crashes::Crashes;
use feed::Feed;
use hyper::Method;
use progress::{Bar, Standing};
use stage::Stage;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use summary::Summary;

/// How often the driver looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The demo gives up when nothing has moved for so long.
const STANDSTILL_MAX: Duration = Duration::from_secs(60);
/// How long the shop may take to judge.
const VERDICT_MAX: Duration = Duration::from_secs(120);

/// What to play.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// The order file; absent: a generated one.
    pub input: Option<PathBuf>,
    /// How many invoices to generate.
    pub invoices: u32,
    /// How often the server is killed on the way.
    pub crashes: u32,
    /// Seed of the generator and of all chance.
    pub seed: u64,
    /// Where to keep data and logs; absent: in a folder of its own, which is removed if all goes well.
    pub folder: Option<PathBuf>,
}

/// Plays the demo, prints the table and the last line, and answers whether all promises were kept.
///
/// # Errors
/// If it cannot be played to the end: in words, with what is missing.
pub async fn play(script: &Script) -> Result<bool, String> {
    // A file that is none is told about before anything is started.
    let given = script.input.as_deref().map(read).transpose()?;
    let mut stage = Stage::set(script.folder.clone())?;
    let (input, expectation) = match (&script.input, given) {
        (Some(path), Some(expectation)) => (path.clone(), expectation),
        _ => {
            let path = stage.folder().join("orders.csv");
            fs::write(&path, generate(script.seed, script.invoices, 0))
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let expectation = read(&path)?;
            (path, expectation)
        }
    };
    let played = tokio::select! {
        kept = perform(script, &mut stage, &input, &expectation) => kept,
        signal = interrupted() => {
            stage.clear();
            return Err(format!("stopped by {signal}"));
        }
    };
    match played {
        Ok(true) => stage.clear(),
        Ok(false) => {}
        Err(error) => {
            let folder = stage.folder().display();
            return Err(format!("{error}\ndata and logs are in {folder}"));
        }
    }
    played
}

/// What must come out of the file.
fn read(path: &Path) -> Result<Expectation, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read(path).map_err(|error| failed(&error))?;
    // The feeder's own words name all columns that are missing.
    crate::line::read(&text).map_err(|error| failed(&error))?;
    expect(&text).map_err(|error| failed(&error))
}

/// Resolves when somebody wants the demo to stop.
async fn interrupted() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = async |kind, name| {
        match signal(kind) {
            Ok(mut stream) => {
                stream.recv().await;
            }
            // Without a handler the system's own way of stopping the process applies.
            Err(_) => std::future::pending().await,
        }
        name
    };
    tokio::select! {
        name = wait(SignalKind::interrupt(), "Ctrl-C") => name,
        name = wait(SignalKind::terminate(), "SIGTERM") => name,
        name = wait(SignalKind::hangup(), "SIGHUP") => name,
    }
}

/// Everything from the first process to the last line.
async fn perform(
    script: &Script,
    stage: &mut Stage,
    input: &Path,
    expectation: &Expectation,
) -> Result<bool, String> {
    stage.open_shop(script.seed).await?;
    stage.start_server().await?;
    stage.configure_destination().await?;
    stage.start_worker(script.seed)?;

    let began_at = Instant::now();
    let mut feed = Feed::begin(stage, input)?;
    let mut crashes = Crashes::new(script.crashes, script.seed);
    let mut bar = Bar::new();
    let standing = watch(stage, &mut feed, &mut crashes, &mut bar, expectation).await?;
    let elapsed = began_at.elapsed();
    bar.end(&standing);

    let Some(Report::Done {
        mut totals,
        declined,
        expired,
        failed,
    }) = feed.take_done()
    else {
        return Err("the feeder has ended without its totals".to_owned());
    };
    let question = Question {
        expected: expectation.jobs.clone(),
    };
    let verdict: Verdict = stage
        .shop(VERDICT_MAX)?
        .send(Method::POST, "/judge", &question)
        .await?;
    let destination = stage.destination().await?;
    let created = totals.jobs;
    totals.jobs = destination.all();
    let summary = Summary {
        totals,
        delivered: verdict.delivered,
        repeats: verdict.repeats,
        order_violations: verdict.order_violations,
        rate_violations: verdict.rate_violations,
        crashes: standing.crashes,
        elapsed_s: (elapsed.as_secs_f64() * 10.0).round() / 10.0,
    };
    let mut complaints = summary.complaints(&expectation.totals, &verdict);
    let mut complain = |is_wrong: bool, words: String| {
        if is_wrong {
            complaints.push(words);
        }
    };
    complain(
        created != summary.totals.jobs,
        format!(
            "the runs created {created} jobs, the server has {}",
            summary.totals.jobs
        ),
    );
    complain(
        destination.dead > 0,
        format!("{} jobs are dead letters", destination.dead),
    );
    complain(
        declined > 0,
        format!("{declined} charges were refused for good"),
    );
    complain(
        expired > 0,
        format!("{expired} orders were not approved in time"),
    );
    for reason in failed {
        complain(true, format!("a run failed: {reason}"));
    }
    let charged = stage.stop_worker().await?;
    complain(
        charged != summary.totals.revenue,
        format!(
            "the payment service charged {charged}, the revenue is {}",
            summary.totals.revenue
        ),
    );
    stage.stop_server().await?;

    let words = |line: &str| print_line(line).map_err(|error| format!("standard output: {error}"));
    words(&format!("\n{}", summary.table(&verdict, Some(&charged))))?;
    for complaint in &complaints {
        words(&format!("WRONG: {complaint}"))?;
    }
    if complaints.is_empty() {
        words(
            "All totals agree with the independent computation from the file; every promise was kept.\n",
        )?;
    } else {
        words(&format!(
            "Data and logs are in {}\n",
            stage.folder().display()
        ))?;
    }
    words(&summary.json())?;
    Ok(complaints.is_empty())
}

/// Watches until every run has ended and every job is settled; kills the server on the way.
async fn watch(
    stage: &mut Stage,
    feed: &mut Feed,
    crashes: &mut Crashes,
    bar: &mut Bar,
    expectation: &Expectation,
) -> Result<Standing, String> {
    let shop = stage.shop(Duration::from_secs(10))?;
    let mut standing = Standing {
        runs: expectation.totals.invoices,
        jobs: expectation.totals.jobs,
        ..Standing::default()
    };
    let mut moved_at = Instant::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        stage.expect_alive()?;
        feed.look()?;
        let progress: Progress = shop.get("/progress").await?;
        let before = standing;
        (standing.started, standing.finished) = (feed.started(), feed.finished());
        standing.delivered = progress.delivered;
        if standing != before {
            moved_at = Instant::now();
        }
        bar.draw(&standing);
        let mut work_is_done = false;
        if let Some(created) = feed.jobs_created() {
            let destination = stage.destination().await?;
            // A run may have ended before the last of its jobs is with the destination.
            work_is_done = destination.all() >= created && destination.is_idle();
        }
        // Work that was over sooner than expected does not get away without its crashes.
        let per_mille = if work_is_done {
            1_000
        } else {
            standing.per_mille()
        };
        if crashes.is_due(per_mille) {
            bar.say(&format!(
                "kill -9 of the server at {} % ({} runs, {} deliveries)",
                per_mille / 10,
                standing.finished,
                standing.delivered
            ));
            stage
                .crash_server(Duration::from_millis(crashes.down_ms()))
                .await?;
            standing.crashes += 1;
            moved_at = Instant::now();
        } else if work_is_done {
            return Ok(standing);
        }
        if moved_at.elapsed() > STANDSTILL_MAX {
            return Err(standstill(stage, &standing).await);
        }
    }
}

/// What is missing when nothing moves any more.
async fn standstill(stage: &Stage, standing: &Standing) -> String {
    let destination = match stage.destination().await {
        Ok(destination) => destination.to_string(),
        Err(error) => error,
    };
    format!(
        "nothing has moved for {} s: {} of {} runs have started, {} have ended; {} of {} jobs are delivered; {destination}",
        STANDSTILL_MAX.as_secs(),
        standing.started,
        standing.runs,
        standing.finished,
        standing.delivered,
        standing.jobs,
    )
}

//! The acceptance of egress in full: `sim egress --jobs 100000 --lanes 1000 --kills 20`.

use crate::{number, say};
use std::path::Path;
use std::process::ExitCode;
use trunkline_sim::acceptance::{Acceptance, Findings};

/// The calls that are answered with 429: early and late, in both forms.
const PATIENCE_AT: &[u64] = &[500, 1_500, 3_000, 5_000, 20_000, 40_000];

/// Runs it with what `options` say, and the acceptance's own sizes otherwise.
pub(crate) fn run(options: &[&str], seed: u64) -> ExitCode {
    let mut acceptance = Acceptance {
        jobs: 100_000,
        lanes: 1_000,
        kills: 20,
        seed,
        per_second: 2_000,
        patience_at: PATIENCE_AT,
    };
    for option in options.chunks(2) {
        match *option {
            ["--jobs", jobs] => acceptance.jobs = number(jobs),
            ["--lanes", lanes] => acceptance.lanes = number(lanes),
            ["--kills", kills] => acceptance.kills = number(kills) as u32,
            ["--rate", rate] => acceptance.per_second = number(rate) as u32,
            ["--seed", seed] => acceptance.seed = number(seed),
            _ => {
                say(
                    "sim egress [--jobs N] [--lanes N] [--kills N] [--rate CALLS_A_SECOND] [--seed N]",
                );
                return ExitCode::FAILURE;
            }
        }
    }
    let here = std::env::current_exe().ok();
    let Some(folder) = here.as_deref().and_then(Path::parent) else {
        say("this program does not know where it is");
        return ExitCode::FAILURE;
    };
    let Ok(runtime) = tokio::runtime::Runtime::new() else {
        say("no runtime");
        return ExitCode::FAILURE;
    };
    let data = std::env::temp_dir().join(format!("trunkline-egress-{}", std::process::id()));
    // It may be left from an earlier process.
    let _ = std::fs::remove_dir_all(&data);
    let findings = runtime.block_on(acceptance.run(&folder.join("trunkline"), &data));
    tell(&acceptance, &findings);
    if findings.violations.is_empty() {
        let _ = std::fs::remove_dir_all(&data);
        ExitCode::SUCCESS
    } else {
        let seed = acceptance.seed;
        say(&format!(
            "EGRESS FAILED; again: sim egress --seed {seed}; the data is in {}",
            data.display()
        ));
        ExitCode::FAILURE
    }
}

fn tell(acceptance: &Acceptance, findings: &Findings) {
    let Acceptance {
        jobs, lanes, kills, ..
    } = acceptance;
    say(&format!(
        "{jobs} jobs over {lanes} lanes, {kills} kills, {:.1} s; {} jobs were sent to the server again and known to it",
        findings.took.as_secs_f64(),
        findings.known
    ));
    for (name, tally) in &findings.tallies {
        say(&format!(
            "{name}: {} calls, {} arrivals: {} jobs accepted, {} failures, {} acceptances that nobody was told of, {} \
             duplicates under the same key ({} after an answer), {} times asked for patience",
            tally.calls,
            tally.arrivals,
            tally.accepted,
            tally.failed,
            tally.lost,
            tally.duplicates,
            tally.told_twice,
            tally.patience
        ));
    }
    for violation in findings.violations.iter().take(20) {
        say(violation);
    }
    if findings.violations.is_empty() {
        say(
            "per lane every job came, in order; no window held more than the limit; nothing came twice but under its key",
        );
    }
}

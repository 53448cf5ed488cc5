//! A destination that is down for a while, beside others: `sim outage --seconds 60`.

use crate::{number, say};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use trunkline_sim::acceptance::outage::{Course, Outage};

/// Runs it with what `options` say: one of fifty destinations is down for a minute, while 2,000 jobs a second come.
pub(crate) fn run(options: &[&str]) -> ExitCode {
    let mut outage = Outage {
        destinations: 50,
        lanes: 20,
        per_second: 2_000,
        well: Duration::from_secs(5),
        down: Duration::from_secs(60),
    };
    for option in options.chunks(2) {
        match *option {
            ["--seconds", seconds] => outage.down = Duration::from_secs(number(seconds)),
            ["--destinations", count] => outage.destinations = number(count).max(2),
            ["--pace", pace] => outage.per_second = number(pace).clamp(20, 100_000),
            _ => {
                say("sim outage [--seconds N] [--destinations N] [--pace JOBS_A_SECOND]");
                return ExitCode::FAILURE;
            }
        }
    }
    let here = std::env::current_exe().ok();
    let (Some(folder), Ok(runtime)) = (
        here.as_deref().and_then(Path::parent),
        tokio::runtime::Runtime::new(),
    ) else {
        say("this program does not know where it is, or there are no threads");
        return ExitCode::FAILURE;
    };
    let data = std::env::temp_dir().join(format!("trunkline-outage-{}", std::process::id()));
    // It may be left from an earlier process.
    let _ = std::fs::remove_dir_all(&data);
    let course = runtime.block_on(outage.run(&folder.join("trunkline"), &data));
    tell(&outage, &course);
    let _ = std::fs::remove_dir_all(&data);
    if course.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        say("OUTAGE FAILED");
        ExitCode::FAILURE
    }
}

fn tell(outage: &Outage, course: &Course) {
    for (when, pace) in ["before", "while one is down", "after"]
        .iter()
        .zip(&course.others)
    {
        say(&format!(
            "the other {}, {when}: {:.0} s, {} jobs created, {} arrived, never more than {} behind",
            outage.destinations - 1,
            pace.took.as_secs_f64(),
            pace.created,
            pace.arrived,
            pace.behind_most
        ));
    }
    say(&format!(
        "{} jobs waited for the one that was down; it had them all after {:.1} s",
        course.waited,
        course.caught_up.as_secs_f64()
    ));
    for violation in course.violations.iter().take(20) {
        say(violation);
    }
}

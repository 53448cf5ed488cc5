//! The torture for as long as one likes: the real program under kill -9, and the faulty one under every trouble.

use crate::say;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use trunkline_sim::dice::Dice;
use trunkline_sim::torture::{Torture, Trouble};

/// Runs of one torture.
const RUNS: u64 = 120;

/// Tortures until the time is over; the programs lie beside this one.
pub(crate) fn run_for(seconds: u64, first: u64) -> ExitCode {
    let here = std::env::current_exe().ok();
    let Some(folder) = here.as_deref().and_then(Path::parent) else {
        say("this program does not know where it is");
        return ExitCode::FAILURE;
    };
    let Ok(runtime) = tokio::runtime::Runtime::new() else {
        say("no runtime");
        return ExitCode::FAILURE;
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut rounds, mut runs, mut troubles) = (0, 0, 0);
    for seed in first.. {
        if Instant::now() >= end {
            break;
        }
        let mut dice = Dice::new(seed, 0x746f_7274);
        let is_faulty = dice.percent(60);
        let made: Vec<Trouble> = (0..dice.between(3, 9))
            .map(|_| trouble(&mut dice))
            .filter(|trouble| match trouble {
                // The faulty program would say it in other words.
                Trouble::SecondProcess => !is_faulty,
                other => is_faulty || !other.needs_faulty_server(),
            })
            .collect();
        let torture = Torture {
            runs: RUNS,
            kills: if is_faulty { 0 } else { 6 },
            seed,
            evict_always: dice.percent(40),
            has_worker: true,
            // A few words for each round, for as long as the process lives.
            troubles: made.leak(),
            options: &[],
        };
        let program = if is_faulty {
            "faulty-server"
        } else {
            "trunkline"
        };
        let data = std::env::temp_dir().join(format!("trunkline-torture-{}", std::process::id()));
        // It may be left from an earlier round.
        let _ = std::fs::remove_dir_all(&data);
        let findings = runtime.block_on(torture.run(&folder.join(program), &data));
        if !findings.violations.is_empty() || findings.completed != RUNS {
            say(&format!(
                "TORTURE FAILED seed={seed} {program}: {torture:?}"
            ));
            say(&format!("{findings:#?}; the data is in {}", data.display()));
            return ExitCode::FAILURE;
        }
        let _ = std::fs::remove_dir_all(&data);
        rounds += 1;
        runs += findings.completed;
        troubles += u64::from(torture.kills) + torture.troubles.len() as u64;
    }
    say(&format!(
        "{rounds} rounds, {runs} runs, {troubles} troubles, nothing lost, nothing twice, everything in order"
    ));
    ExitCode::SUCCESS
}

fn trouble(dice: &mut Dice) -> Trouble {
    let most = 1 << dice.between(2, 10);
    let at = dice.between(1, most);
    match dice.below(11) {
        0..=2 => Trouble::DieAt(at),
        3 => Trouble::FailSyncFrom(at),
        4 => Trouble::FailWriteFrom(at),
        5 => Trouble::FullFor(dice.between(100, 1_000)),
        6 => Trouble::JumpBy(dice.between(1, 300_000)),
        7 => Trouble::SetBackBy(dice.between(1, 2_000)),
        8 => Trouble::SetBackBetweenLives(dice.between(1, 7_200_000)),
        9 => Trouble::SecondProcess,
        _ => Trouble::StopFor(dice.between(50, 1_500)),
    }
}

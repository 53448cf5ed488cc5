//! Every sequence of a few steps under every policy, and a crash between any two steps of a schedule whose runs are on
//! another shard.

use super::super::mail::{reopened, sends};
use super::*;
use crate::effect::Effect;
use crate::ids::{ShardId, schedule_shard};
use crate::policy::scramble;
use crate::shard::Settings;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// A minute passes.
    Fire,
    /// The oldest open run ends.
    End,
    Trigger,
    Pause,
    Resume,
    Crash,
}

const STEPS: [Step; 6] = [
    Step::Fire,
    Step::End,
    Step::Trigger,
    Step::Pause,
    Step::Resume,
    Step::Crash,
];

/// Plays a sequence and counts what a naive reader of the guide would.
fn play(overlap: Overlap, steps: &[Step]) {
    let mut world = known_world();
    // On the minute, so that each minute that passes is one fire.
    world.now = 17 * MINUTE;
    put(&mut world, minutely(overlap)).expect("usable");
    let (mut fires, mut paused) = (0, false);
    for step in steps {
        match step {
            Step::Fire => {
                world.pass(MINUTE);
                fires += u64::from(!paused);
            }
            Step::End => {
                if !described(&mut world).state.running.is_empty() {
                    end_oldest(&mut world);
                }
            }
            Step::Trigger => {
                trigger(&mut world, 0);
                fires += 1;
            }
            Step::Pause => {
                pause(&mut world, Some("so"));
                paused = true;
            }
            Step::Resume => {
                pause(&mut world, None);
                paused = false;
            }
            Step::Crash => world.crash(),
        }
        let state = described(&mut world).state;
        let counts = state.counts;
        // No fire is lost and none is doubled.
        assert_eq!(
            counts.started + counts.skipped + state.waiting.len() as u64,
            fires,
            "{overlap:?} {steps:?}"
        );
        assert_eq!(
            runs(&mut world).len() as u64,
            counts.started,
            "{overlap:?} {steps:?}"
        );
        let open = state.running.len();
        let bounds = match overlap {
            Overlap::Skip => open <= 1 && state.waiting.is_empty(),
            Overlap::BufferOne | Overlap::CancelOther | Overlap::TerminateOther => {
                open <= 1 && state.waiting.len() <= 1
            }
            Overlap::BufferAll => open <= 1,
            Overlap::AllowAll => state.waiting.is_empty() && counts.skipped == 0,
        };
        assert!(bounds, "{overlap:?} {steps:?}: {state:?}");
    }
}

#[test]
fn every_sequence_of_three_steps_after_a_fire_loses_no_fire_and_doubles_none() {
    for overlap in Overlap::ALL {
        for number in 0..STEPS.len().pow(3) {
            let steps = [number % 6, number / 6 % 6, number / 36].map(|step| STEPS[step]);
            play(overlap, &[Step::Fire, steps[0], steps[1], steps[2]]);
        }
    }
}

#[test]
fn long_walks_lose_no_fire_and_double_none() {
    let mut state = 1;
    for _ in 0..4 {
        for overlap in Overlap::ALL {
            let steps: Vec<Step> = (0..25)
                .map(|_| {
                    state = scramble(state);
                    STEPS[(state % 6) as usize]
                })
                .collect();
            play(overlap, &steps);
        }
    }
}

/// A schedule on one shard whose runs are on the other.
fn apart() -> (World, World, Schedule) {
    let settings = Settings {
        shards: 2,
        ..Settings::default()
    };
    let home = schedule_shard("nightly", 2);
    let other = ShardId(1 - home.0);
    let mut schedule = minutely(Overlap::BufferAll);
    // Names of runs are hashed: one is found that lies on the other shard for the first fires.
    let prefix = (0..1_000).map(|n| std::format!("p{n}")).find(|prefix| {
        (17..20).all(|minute| {
            let id = std::format!("{prefix}-0-1970-01-01T00:{minute}:00Z");
            RunId::new("Checkout", id).key().shard(2) == other
        })
    });
    let prefix = prefix.expect("one of a thousand");
    schedule.action.id = Name::from(std::format!("{prefix}-0-{{time}}"));
    let mut home = World::with(settings.clone(), home);
    know(&mut home);
    (home, World::with(settings, other), schedule)
}

/// Hands everything that one has sent to the other, and the acknowledgement back. `crash` 1 kills the sender before its
/// messages have left, 2 the receiver before it has acknowledged, so that they come again.
fn carry(mut from: World, mut to: World, crash: usize) -> (World, World) {
    if crash == 1 {
        from = reopened(from);
    }
    let messages = sends(&mut from);
    for message in &messages {
        to.feed(message.clone());
    }
    if crash == 2 {
        to = reopened(to);
        for message in &messages {
            to.feed(message.clone());
        }
    }
    let by = to.id;
    let effects = core::mem::take(&mut to.effects);
    for effect in effects {
        match effect {
            Effect::Acknowledge { sequence, .. } => {
                from.feed(Input::MessagesTaken { by, sequence });
            }
            other => to.effects.push(other),
        }
    }
    (from, to)
}

#[test]
fn a_crash_after_any_step_between_shards_starts_each_run_once_and_hears_of_each_end_once() {
    for crash in 0..27 {
        let (first, second, third) = (crash % 3, crash / 3 % 3, crash / 9);
        let (mut home, mut other, schedule) = apart();
        put(&mut home, schedule).expect("usable");
        home.effects.clear();
        // Two fires: the second waits.
        home.pass(20_000 + MINUTE);
        (home, other) = carry(home, other, first);
        (other, home) = carry(other, home, second);
        let state = described(&mut home).state;
        assert_eq!(
            (state.running.len(), state.waiting.len()),
            (1, 1),
            "crash {crash}"
        );
        assert_eq!(std::format!("{:?}", state.recent[0].end), "Running");
        assert_eq!(runs(&mut other).len(), 1, "crash {crash}");
        end_run(&mut other, &state.running[0].id);
        (other, home) = carry(other, home, third);
        (home, other) = carry(home, other, second);
        (other, home) = carry(other, home, first);
        let state = described(&mut home).state;
        assert_eq!(
            (state.running.len(), state.waiting.len()),
            (1, 0),
            "crash {crash}"
        );
        assert_eq!(
            (state.counts.started, state.counts.refused),
            (2, 0),
            "crash {crash}"
        );
        assert_eq!(runs(&mut other).len(), 2, "crash {crash}");
        assert_eq!(
            home.shard.counters().outbox + other.shard.counters().outbox,
            0
        );
    }
}

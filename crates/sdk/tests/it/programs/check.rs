//! Comparing what came of a program, and of its children, with the model.

use super::drive::insist;
use super::interpret::Machine;
use super::model::{Effects, Expected, Mistake, expect, expect_cut};
use super::outside::{Effect, Memory};
use super::program::{COUNTERS, Ending, Program};
use super::world::Seen;
use std::collections::BTreeMap;
use trunkline::core::code::Code;
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;
use trunkline::testing::{History, TestBed, replay};
use trunkline::{ClientError, RunHandle};

/// Whoever compares.
pub(super) struct Check<'a> {
    pub(super) bed: &'a TestBed,
    pub(super) memory: &'a Memory,
    pub(super) mistake: Mistake,
    pub(super) seen: &'a mut Seen,
}

impl Check<'_> {
    /// Compares a program that has ended.
    pub(super) async fn program(&mut self, number: usize, program: &Program) -> Result<(), String> {
        let root = number.to_string();
        let run = self.bed.client().run::<Machine>(root.as_str());
        let (mut expected, mut histories) = self.run(&run, program).await?;
        for (name, child) in program.children() {
            let run = self.bed.client().run::<Machine>(format!("{root}{name}"));
            if program.ending.is_cut() && is_missing(&run).await? {
                continue;
            }
            let (of_child, history) = self
                .run(&run, &child)
                .await
                .map_err(|text| format!("child {name}: {text}"))?;
            expected.and_outside(of_child);
            histories.extend(history);
            self.seen.children += 1;
        }
        check_effects(&self.memory.of(&root), &expected)
            .map_err(|text| format!("{text}\n{histories:?}"))?;
        self.seen.sagas_undone += expected.undone.len();
        self.seen.visits += program.visits.len();
        Ok(())
    }

    /// Compares one run with what its program does by itself, and says what that is to the outside world.
    async fn run(
        &mut self,
        run: &RunHandle<Machine>,
        program: &Program,
    ) -> Result<(Expected, Vec<History>), String> {
        let said = |error: ClientError| error.to_string();
        let described = run.describe().await.map_err(said)?;
        let expected = if program.ending.is_cut() {
            let done = run.prop(|w| &w.done).await.map_err(said)?.unwrap_or(0);
            self.seen.cut += usize::from(described.status != RunStatus::Completed);
            let is_undone = match described.status {
                RunStatus::Cancelled => true,
                RunStatus::Terminated => false,
                RunStatus::Completed if done == program.ops.len() => false,
                other => return Err(format!("{other:?} with {done} ops done")),
            };
            expect_cut(program, done, is_undone, self.mistake)
        } else {
            expect(program, self.mistake)
        };
        let mut counters = [0; COUNTERS];
        for (index, counter) in counters.iter_mut().enumerate() {
            let value = run.prop(|w| w.counter(index)).await;
            *counter = value.map_err(said)?.unwrap_or(0);
        }
        let visited = run.prop(|w| &w.visited).await.map_err(said)?.unwrap_or(0);
        let history = self.bed.history(run).await.map_err(said)?;
        if (counters, visited) != (expected.counters, expected.visited) {
            return Err(format!(
                "counters {counters:?} and {visited}, expected {:?} and {}\n{history:?}",
                expected.counters, expected.visited
            ));
        }
        // What a terminated run would have asked for next is nobody's business.
        let replayed = replay(&history).strict().with::<Machine>();
        replayed.map_err(|error| format!("{error}\n{history:?}"))?;
        self.see(program, &history, described.generation.is_some());
        Ok((expected, vec![history]))
    }

    fn see(&mut self, program: &Program, history: &History, continued: bool) {
        let seen = &mut *self.seen;
        let kinds = history.kinds();
        let count = |wanted: &str| kinds.iter().filter(|kind| *kind == wanted).count();
        seen.entries += history.entries().len();
        seen.timers += count("timer_fired");
        seen.methods += count("method_called");
        seen.signals += program.signals().iter().sum::<usize>();
        seen.cancelled += usize::from(program.ending == Ending::IsCancelled);
        seen.continued += usize::from(continued);
    }
}

/// True if the run was never started: its parent was cut before.
async fn is_missing(run: &RunHandle<Machine>) -> Result<bool, String> {
    match insist(|| run.describe()).await {
        Err(error) if error.code() == Code::RunNotFound => Ok(true),
        Err(error) => Err(error.to_string()),
        Ok(_) => Ok(false),
    }
}

fn check_effects(effects: &BTreeMap<String, Effect>, expected: &Expected) -> Result<(), String> {
    let mut found = Effects::new();
    let mut undone: BTreeMap<u64, Vec<(u64, &str)>> = BTreeMap::new();
    for effect in effects.values() {
        let key = (effect.what.clone(), effect.attempts);
        *found.entry(key).or_default() += 1;
        if let Some(saga) = effect.saga {
            let of_saga = undone.entry(saga).or_default();
            of_saga.push((effect.order, &effect.what));
        }
    }
    if !explains(found.clone(), expected) {
        return Err(format!(
            "effects {found:?}, expected {:?}, and perhaps {:?}",
            expected.effects, expected.perhaps
        ));
    }
    let mut undone: Vec<Vec<String>> = undone
        .into_values()
        .map(|mut of_saga| {
            of_saga.sort_unstable();
            let whats = of_saga.into_iter().map(|(_, what)| what.to_owned());
            whats.collect()
        })
        .collect();
    let mut wanted = expected.undone.clone();
    undone.sort();
    wanted.sort();
    if undone != wanted {
        return Err(format!("undone {undone:?}, expected {wanted:?}"));
    }
    Ok(())
}

/// True if all that must be was found, and what was found besides may be.
fn explains(mut found: Effects, expected: &Expected) -> bool {
    for (effect, count) in &expected.effects {
        match found.get_mut(effect) {
            Some(there) if *there >= *count => *there -= count,
            _ => return false,
        }
    }
    let mut perhaps = expected.perhaps.clone();
    found.into_iter().all(|((what, attempts), count)| {
        (0..count).all(|_| {
            let fits = perhaps
                .iter_mut()
                .find(|((may, most), left)| *may == what && *most >= attempts && **left > 0);
            fits.map(|(_, left)| *left -= 1).is_some()
        })
    })
}

//! Worlds: many programs in one engine, and what befalls it.

use super::STUCK_AFTER;
use super::check::Check;
use super::drive::Driver;
use super::generate::Rng;
use super::interpret::Machine;
use super::model::{Mistake, expect};
use super::outside::{Memory, Outside};
use super::program::Program;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trunkline::core::peer;
use trunkline::prelude::*;
use trunkline::testing::{CrashPolicy, History, TestBed, TestKit};

/// What befalls a world, once so many attempts of tasks have begun in all.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub(crate) after_attempts: u64,
    pub(crate) what: What,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum What {
    /// The engine is killed, and opened again.
    Kill,
    /// So many operations on its disk later the engine loses its power, and is opened on what is left of the disk.
    PowerLoss {
        operations: u64,
        policy: usize,
        seed: u64,
    },
    /// A worker dies, and another takes its place.
    WorkerDies { worker: usize },
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) programs: Vec<Program>,
    /// True if every turn replays its run from the beginning.
    pub(crate) evict: bool,
    pub(crate) faults: Vec<Fault>,
    /// Decides when signals are sent.
    pub(crate) seed: u64,
    #[serde(skip)]
    pub(crate) mistake: Mistake,
}

/// What went wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure {
    /// By the place of the program in the world.
    pub(crate) programs: BTreeMap<usize, String>,
    /// What is wrong with the world as a whole.
    pub(crate) world: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(world) = &self.world {
            writeln!(f, "{world}")?;
        }
        for (number, failure) in self.programs.iter().take(5) {
            writeln!(f, "program {number}: {failure}")?;
        }
        Ok(())
    }
}

/// How often things happened, to see that they did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) programs: usize,
    pub(crate) entries: usize,
    pub(crate) kills: usize,
    pub(crate) power_losses: usize,
    pub(crate) dead_workers: usize,
    pub(crate) sagas_undone: usize,
    pub(crate) signals: usize,
    pub(crate) timers: usize,
    pub(crate) cancelled: usize,
    pub(crate) cut: usize,
    pub(crate) children: usize,
    pub(crate) methods: usize,
    pub(crate) visits: usize,
    pub(crate) continued: usize,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        self.programs += other.programs;
        self.entries += other.entries;
        self.kills += other.kills;
        self.power_losses += other.power_losses;
        self.dead_workers += other.dead_workers;
        self.sagas_undone += other.sagas_undone;
        self.signals += other.signals;
        self.timers += other.timers;
        self.cancelled += other.cancelled;
        self.cut += other.cut;
        self.children += other.children;
        self.methods += other.methods;
        self.visits += other.visits;
        self.continued += other.continued;
    }

    pub(crate) fn assert_that_everything_happened(&self) {
        for (what, count) in [
            ("kills", self.kills),
            ("power losses", self.power_losses),
            ("dead workers", self.dead_workers),
            ("sagas undone", self.sagas_undone),
            ("signals", self.signals),
            ("timers", self.timers),
            ("cancelled", self.cancelled),
            ("cut", self.cut),
            ("children", self.children),
            ("methods", self.methods),
            ("visits", self.visits),
            ("continued as new", self.continued),
        ] {
            assert!(count > 0, "no {what} in {self:?}");
        }
    }
}

/// How far a world has come, to be looked at when it is stuck.
#[derive(Default)]
struct Progress {
    phase: String,
    clock: Option<Box<dyn fmt::Debug + Send>>,
    client: Option<Client>,
    /// What each program's driver does.
    drivers: Drivers,
}

/// What the drivers of programs do, by program.
type Drivers = Arc<Mutex<Vec<&'static str>>>;

impl Progress {
    async fn describe(self) -> String {
        let mut text = format!("{}\n{:#?}\n", self.phase, self.clock);
        let Some(client) = self.client else {
            return text;
        };
        let drivers = self.drivers.lock().unwrap().clone();
        let mut shown = 0;
        for (number, driver) in drivers.into_iter().enumerate() {
            let run = client.run::<Machine>(number.to_string());
            let ask = async {
                let status = run
                    .describe()
                    .await
                    .map(|run| (run.status, run.paused_because));
                let op = peer::Op::Waits {
                    run: run.id().clone(),
                };
                (status, client.request(op).await)
            };
            match tokio::time::timeout(Duration::from_secs(1), ask).await {
                Ok((Ok((status, _)), _)) if status.is_final() => {}
                other => {
                    text.push_str(&format!("program {number}, {driver}: {other:?}\n"));
                    if shown < 3 {
                        shown += 1;
                        let history = History::of(run.untyped());
                        let history = tokio::time::timeout(Duration::from_secs(1), history).await;
                        text.push_str(&format!("{history:?}\n"));
                    }
                }
            }
        }
        text
    }
}

impl World {
    pub(crate) fn random(seed: u64, programs: usize, evict: bool) -> Self {
        let mut rng = Rng::new(seed);
        let programs: Vec<Program> = (0..programs).map(|_| Program::random(&mut rng)).collect();
        let faults = (0..rng.below(4)).map(|_| Fault {
            after_attempts: rng.below(3 * programs.len() as u64),
            what: match rng.below(3) {
                0 => What::Kill,
                1 => What::PowerLoss {
                    operations: rng.below(60),
                    policy: rng.below(CrashPolicy::ALL.len() as u64) as usize,
                    seed: rng.next(),
                },
                _ => What::WorkerDies {
                    worker: rng.below(2) as usize,
                },
            },
        });
        let mut faults: Vec<Fault> = faults.collect();
        faults.sort_by_key(|fault| fault.after_attempts);
        Self {
            programs,
            evict,
            faults,
            seed,
            mistake: Mistake::None,
        }
    }

    /// Plays it, and compares what came of it with the model.
    pub(crate) async fn run(&self) -> Result<Seen, Failure> {
        let progress = Mutex::default();
        let mut play = std::pin::pin!(self.play(&progress));
        let stuck = async {
            tokio::time::sleep(STUCK_AFTER).await;
            // While it is still there to be looked at.
            let progress = std::mem::take(&mut *progress.lock().unwrap());
            progress.describe().await
        };
        tokio::select! {
            result = &mut play => result,
            text = stuck => Err(Failure {
                world: Some(format!("the world is stuck: {text}")),
                ..Failure::default()
            }),
        }
    }

    async fn play(&self, progress: &Mutex<Progress>) -> Result<Seen, Failure> {
        let mut failure = Failure::default();
        let memory = Memory::default();
        let kit = TestKit::new()
            .workflow::<Machine>()
            .service(memory.clone().into_service())
            .workers(2);
        let kit = if self.evict {
            kit.evict_after_every_turn()
        } else {
            kit
        };
        let mut bed = kit.start().await;
        let drivers: Drivers = Arc::new(Mutex::new(vec!["starts"; self.programs.len()]));
        *progress.lock().unwrap() = Progress {
            clock: Some(Box::new(bed.clock())),
            client: Some(bed.client().clone()),
            drivers: Arc::clone(&drivers),
            phase: "begun".into(),
        };
        let mut seen = Seen {
            programs: self.programs.len(),
            ..Seen::default()
        };
        let client = bed.client().clone();
        let mut ends = tokio::spawn({
            let (programs, mistake, seed) = (self.programs.clone(), self.mistake, self.seed);
            async move {
                let all = programs.iter().enumerate().map(|(number, program)| {
                    let driver = Driver {
                        client: &client,
                        number,
                        program,
                        counters: expect(program, mistake).counters,
                        seed,
                    };
                    let drivers = Arc::clone(&drivers);
                    driver.drive(move |what| drivers.lock().unwrap()[number] = what)
                });
                join_all(all).await
            }
        });
        let mut ended = None;
        for fault in &self.faults {
            tokio::select! {
                () = memory.reached(fault.after_attempts) => {}
                all = &mut ends => {
                    ended = Some(all);
                    break;
                }
            }
            progress.lock().unwrap().phase = format!("{fault:?}");
            fault.what.befall(&mut bed, &mut seen).await;
            progress.lock().unwrap().phase = format!("after {fault:?}");
        }
        let ends = match ended {
            Some(ended) => ended,
            None => ends.await,
        }
        .unwrap();
        progress.lock().unwrap().phase = "ended".into();
        // Tasks that were let go may still be under way.
        bed.rest().await;
        let mut check = Check {
            bed: &bed,
            memory: &memory,
            mistake: self.mistake,
            seen: &mut seen,
        };
        for (number, (end, program)) in ends.into_iter().zip(&self.programs).enumerate() {
            let checked = match end {
                Ok(()) => check.program(number, program).await,
                Err(text) => Err(text),
            };
            if let Err(text) = checked {
                failure.programs.insert(number, text);
            }
        }
        let counters = bed.engine().counters().await;
        let open = counters.turns_ready
            + counters.turns_in_flight
            + counters.tasks_ready
            + counters.tasks_in_flight
            + counters.tasks_delayed
            + counters.timers;
        if open > 0 && failure.programs.is_empty() {
            failure.world = Some(format!(
                "everything has ended, and something is open: {counters:?}"
            ));
        }
        if failure.programs.is_empty() && failure.world.is_none() {
            Ok(seen)
        } else {
            Err(failure)
        }
    }
}

impl What {
    async fn befall(&self, bed: &mut TestBed, seen: &mut Seen) {
        match self {
            Self::Kill => {
                bed.crash().await;
                seen.kills += 1;
            }
            Self::PowerLoss {
                operations,
                policy,
                seed,
            } => {
                let disk = bed.disk();
                disk.stop_at(disk.operations() + operations);
                // If so little is left to do that it never comes to that, the power is lost in the end.
                let _ = tokio::time::timeout(Duration::from_millis(50), bed.failed()).await;
                bed.crash_with(CrashPolicy::ALL[*policy], *seed).await;
                seen.power_losses += 1;
            }
            Self::WorkerDies { worker } => {
                bed.break_worker(*worker).await;
                seen.dead_workers += 1;
            }
        }
    }
}

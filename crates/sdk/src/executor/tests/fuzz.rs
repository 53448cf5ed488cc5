//! Random programs, answered in random order, with signals and cancellations in between: whatever the worker keeps or drops,
//! and whenever something comes in, the history is one that the code replays.

use super::*;
use crate::core::entry::{Command, Notification};
use crate::core::failure::{Failure, FailureKind};
use crate::core::ids::{CommandId, Nonce};
use crate::core::payload::{Name, Payload};
use crate::core::policy::scramble;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

/// One thing that a program does.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Deed {
    Task,
    Detached,
    Parallel(u32),
    Sleep,
    Race,
    Receive,
    Step,
    Set,
    Draw,
    Job,
    Saga(Vec<Self>),
    Shielded(Vec<Self>),
    Both(Vec<Self>, Vec<Self>),
}

#[derive(Workflow)]
struct Program {
    total: Prop<u64>,
    numbers: Channel<u64>,
}

type Doing<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

impl Program {
    fn all<'a>(&'a self, cx: &'a Cx, deeds: &'a [Deed]) -> Doing<'a> {
        Box::pin(async move {
            for deed in deeds {
                self.one(cx, deed).await?;
            }
            Ok(())
        })
    }

    async fn one(&self, cx: &Cx, deed: &Deed) -> Result<()> {
        let trip = cx.service::<TripStub>();
        match deed {
            Deed::Task => {
                let hotel = trip.hotel(1).await?;
                self.total.update(|total| *total += hotel.len() as u64);
            }
            Deed::Detached => trip.undo("x".into()).detach(),
            Deed::Parallel(count) => {
                let hotels = cx.join_all((0..*count).map(|n| trip.hotel(n))).await;
                let good = hotels.iter().filter(|hotel| hotel.is_ok()).count();
                self.total.update(|total| *total += good as u64);
            }
            Deed::Sleep => cx.sleep(secs(1)).await?,
            Deed::Race => {
                let won = select! {
                    number = self.numbers.recv() => number?,
                    slept = cx.sleep(secs(1)) => { slept?; 1 }
                    hotel = trip.hotel(7) => hotel?.len() as u64,
                };
                self.total.update(|total| *total += won);
            }
            Deed::Receive => {
                let number = self.numbers.recv_timeout(secs(5)).await?;
                self.total.update(|total| *total += number.unwrap_or(100));
            }
            Deed::Step => {
                let number = cx.step("number", || async { Ok(5_u64) }).await?;
                self.total.update(|total| *total += number);
            }
            Deed::Set => self.total.set(3),
            Deed::Draw => self.total.update(|total| *total ^= cx.random() & 0xff),
            Deed::Job => {
                cx.egress("shop").lane("a").body(&self.total.get()).send()?;
            }
            Deed::Saga(deeds) => {
                let trip = &trip;
                cx.saga(async |saga: &Saga| {
                    for (number, deed) in deeds.iter().enumerate() {
                        Box::pin(self.one(cx, deed)).await?;
                        saga.undo(trip.undo(number.to_string()));
                    }
                    Ok(())
                })
                .await?;
            }
            Deed::Shielded(deeds) => cx.shield(self.all(cx, deeds)).await?,
            Deed::Both(left, right) => {
                let (left, right) = join!(self.all(cx, left), self.all(cx, right)).await;
                left?;
                right?;
            }
        }
        Ok(())
    }
}

#[workflow]
impl Program {
    #[run]
    async fn run(&self, cx: Cx, deeds: Vec<Deed>) -> Result<u64> {
        if let Err(error) = self.all(&cx, &deeds).await {
            // Clean-up after whatever went wrong.
            cx.service::<TripStub>().undo("all".into()).await?;
            return Err(error);
        }
        Ok(self.total.get())
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        scramble(self.0 ^ scramble(self.0)) % sides
    }

    fn deeds(&mut self, depth: u32) -> Vec<Deed> {
        let sides = if depth == 0 { 10 } else { 13 };
        (0..=self.roll(4))
            .map(|_| match self.roll(sides) {
                0 => Deed::Task,
                1 => Deed::Detached,
                2 => Deed::Parallel(1 + u32::try_from(self.roll(4)).unwrap()),
                3 => Deed::Sleep,
                4 => Deed::Race,
                5 => Deed::Receive,
                6 => Deed::Step,
                7 => Deed::Set,
                8 => Deed::Draw,
                9 => Deed::Job,
                10 => Deed::Saga(self.deeds(depth - 1)),
                11 => Deed::Shielded(self.deeds(depth - 1)),
                _ => Deed::Both(self.deeds(depth - 1), self.deeds(depth - 1)),
            })
            .collect()
    }
}

/// What the world has yet to answer.
fn open(script: &Script) -> Vec<(u32, bool)> {
    let mut open = BTreeSet::new();
    for command in script.commands() {
        match command {
            Command::ScheduleTask { command, .. } => {
                open.insert((command.0, true));
            }
            Command::StartTimer { command, .. } => {
                open.insert((command.0, false));
            }
            Command::CancelTimer { target } => {
                open.remove(&(target.0, false));
            }
            _ => {}
        }
    }
    for note in script.notifications() {
        match note {
            Notification::TaskCompleted { command, .. }
            | Notification::TaskFailed { command, .. } => {
                open.remove(&(command.0, true));
            }
            Notification::TimerFired { command } => {
                open.remove(&(command.0, false));
            }
            _ => {}
        }
    }
    open.into_iter().collect()
}

fn something(script: &Script, dice: &mut Dice) -> Option<Notification> {
    let open = open(script);
    match dice.roll(20) {
        0 => Some(Notification::CancelRequested {
            reason: Name::from("enough"),
        }),
        1..=4 => Some(Notification::Signal {
            channel: Name::from("numbers"),
            payload: Payload::from(dice.roll(50).to_string().into_bytes()),
            nonce: Nonce(1),
        }),
        _ if open.is_empty() => None,
        roll => {
            let (command, is_task) = open[usize::try_from(dice.roll(open.len() as u64)).unwrap()];
            let command = CommandId(command);
            Some(match (is_task, roll) {
                (false, _) => Notification::TimerFired { command },
                (true, 5) => Notification::TaskFailed {
                    command,
                    failure: Failure::new(FailureKind::Application, "Full", "no beds"),
                },
                (true, _) => Notification::TaskCompleted {
                    command,
                    // What `hotel` and `undo` return differs; both stubs must take their own.
                    result: script.result_of(command),
                },
            })
        }
    }
}

/// Lives one random life, and gives its history without the moments at which turns were done.
fn live(seed: u64, cache_runs: usize) -> (Vec<String>, u32) {
    let mut dice = Dice(seed << 20);
    let program = dice.deeds(3);
    let mut script = Script::start_strict::<Program>(&program, cache_runs, Strictness::Arguments);
    script.settle();
    for _ in 0..400 {
        if script.is_finished() {
            break;
        }
        if let Some(note) = something(&script, &mut dice) {
            match dice.roll(6) {
                // A result of this very worker.
                0 => match note {
                    Notification::TaskCompleted { command, result } => {
                        script.finish_task_with(command, result);
                    }
                    other => script.note(other),
                },
                1 => {
                    script.note(note);
                    if let Some(late) = something(&script, &mut dice) {
                        script.late.push(late);
                    }
                    script.turn();
                }
                2 => script.note(note),
                _ => {
                    script.note(note);
                    script.settle();
                }
            }
        }
        if dice.roll(3) == 0 {
            script.settle();
        }
        assert_eq!(
            script.stuck,
            None,
            "seed {seed}: {program:?}\n{}",
            script.trace()
        );
    }
    script.settle();
    assert_eq!(
        script.stuck,
        None,
        "seed {seed}: {program:?}\n{}",
        script.trace()
    );
    // Nobody but the code itself decides whether it replays: once more, from the beginning, with every argument.
    script.deploy::<Program>(Strictness::Arguments);
    if !script.is_finished() {
        script.signal("numbers", &1);
        script.settle();
        assert_eq!(
            script.stuck,
            None,
            "seed {seed}: {program:?}\n{}",
            script.trace()
        );
    }
    (
        script.trace().lines().map(str::to_owned).collect(),
        script.ahead,
    )
}

#[test]
fn every_life_of_a_random_program_replays() {
    let (mut finished, mut ahead) = (0, 0);
    for seed in 0..400 {
        for cache_runs in [1_000, 0] {
            let (trace, played_ahead) = live(seed, cache_runs);
            finished += u32::from(
                trace
                    .last()
                    .is_some_and(|line| line.starts_with("▶ finish")),
            );
            ahead += played_ahead;
        }
    }
    assert!(finished > 400, "most programs end: {finished}");
    assert!(ahead > 50, "some results are played ahead: {ahead}");
}

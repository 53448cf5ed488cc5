//! The driver alone, on the simulated disk, with a clock of its own: crashes between commits, and checkpoints.

use crate::player;
use std::sync::Arc;
use trunkline_core::effect::Effect;
use trunkline_core::egress::{Destination, Rate};
use trunkline_core::ids::{JobId, Nonce, PeerId, RequestId, RunId, ShardId, destination_shard};
use trunkline_core::input::Input;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{FromPeer, OnConflict, Op, Start, ToPeer};
use trunkline_core::shard::{Offer, Settings};
use trunkline_core::time::Timestamp;
use trunkline_engine::driver::{Batch, Driver, FRAME_COMMIT, Share};
use trunkline_journal::{CrashPolicy, Disk, Journal, Options, RedbStore, SimDisk, Store};

pub(crate) const SHARDS: u16 = 3;
pub(crate) const PEER: PeerId = PeerId(7);

pub(crate) struct World {
    pub(crate) disk: SimDisk,
    store: Arc<dyn Store>,
    pub(crate) driver: Driver,
    pub(crate) journal: Journal,
    pub(crate) now: Timestamp,
}

impl World {
    pub(crate) fn open(disk: SimDisk, now: Timestamp) -> (Self, Batch) {
        let share = Share {
            thread: 0,
            threads: 1,
            settings: Settings {
                shards: SHARDS,
                ..Settings::default()
            },
        };
        let mut options = Options::new(1);
        options.segment_bytes = 256 << 10;
        options.frame_bytes_max = 128 << 10;
        options.free_bytes_min = 0;
        let store: Arc<dyn Store> =
            Arc::new(RedbStore::open(&disk, "store-0.redb", 1 << 20).unwrap());
        let any: Arc<dyn Disk> = Arc::new(disk.clone());
        let (driver, journal, first) =
            Driver::open(share, Arc::clone(&store), any, "journal-0", options, now).unwrap();
        let world = Self {
            disk,
            store,
            driver,
            journal,
            now,
        };
        (world, first)
    }

    pub(crate) fn append(&mut self, batch: &Batch) {
        for commit in &batch.commits {
            let body: &[u8] = &commit.body;
            self.journal
                .append(FRAME_COMMIT, commit.shard.0, &[body])
                .unwrap();
        }
        assert_eq!(
            self.journal.last(),
            self.driver.position(),
            "positions are counted"
        );
    }

    pub(crate) fn step(&mut self, mut inputs: Vec<(ShardId, Input)>) -> Batch {
        self.now = self.now.plus_ms(1);
        let mut offers = [Offer {
            peer: PEER,
            abilities: Arc::new(player::abilities(100, 100)),
            turns: 100,
            tasks: 100,
            service_tasks: Vec::new(),
            workflow_turns: Vec::new(),
        }];
        self.driver
            .step(self.now, &mut inputs, &mut offers)
            .unwrap()
    }

    fn digests(&self) -> Vec<u128> {
        let rows = self.driver.state();
        self.driver
            .shards()
            .map(|(_, shard)| shard.digest(rows))
            .collect()
    }

    pub(crate) fn checkpoint(&mut self) {
        let frozen = self.driver.freeze().unwrap();
        assert!(
            frozen.position() <= self.journal.durable(),
            "only what is durable"
        );
        frozen.write_to(&*self.store).unwrap();
        self.driver.thaw();
        self.journal.trim(frozen.position().next()).unwrap();
    }
}

fn begin(id: u32) -> (ShardId, Input) {
    let run = RunId::new("pair", id.to_string());
    let input = Input::Request {
        peer: PEER,
        request: RequestId(u64::from(id)),
        op: Op::Start(Start {
            run: run.clone(),
            version: Some(1),
            input: Payload::from(&b"\"a\""[..]),
            tags: vec![Name::from("a tag")],
            nonce: Nonce(0),
            on_conflict: OnConflict::Reject,
            wait: false,
            timeout_ms: None,
            start_at: None,
        }),
    };
    (run.key().shard(SHARDS), input)
}

/// What the worker answers to a batch.
fn answers(batch: &Batch) -> Vec<(ShardId, Input)> {
    let mut answers = Vec::new();
    for (shard, effects) in &batch.effects {
        for effect in effects {
            let Effect::Tell { message, .. } = effect else {
                continue;
            };
            let report = match message {
                ToPeer::Turn(turn) => FromPeer::TurnDone(player::play_turn(turn)),
                ToPeer::Task(task) => player::do_task(task),
                _ => continue,
            };
            answers.push((*shard, Input::Report { peer: PEER, report }));
        }
    }
    answers
}

#[test]
fn a_crash_leaves_exactly_what_the_last_sync_covered() {
    for crash_at in 0..14 {
        let (mut world, first) = World::open(SimDisk::new(), Timestamp(1_000));
        world.append(&first);
        world.journal.flush().unwrap();
        let mut inputs: Vec<_> = (0..30).map(begin).collect();
        for round in 0..crash_at {
            let batch = world.step(std::mem::take(&mut inputs));
            world.append(&batch);
            world.journal.flush().unwrap();
            inputs = answers(&batch);
            inputs.push(begin(100 + round));
            if round % 3 == 2 {
                world.checkpoint();
            }
        }
        let durable = world.digests();
        for (_, shard) in world.driver.shards() {
            shard.check(world.driver.state()).unwrap();
        }
        // The next batches are in memory, and in the journal's buffer, but not synced.
        let batch = world.step(inputs);
        world.append(&batch);
        let ahead = world.digests();
        assert_ne!(durable, ahead, "something happened");

        let lost = world.disk.crash(CrashPolicy::DropAll, 0);
        let now = world.now;
        let (lost, _) = World::open(lost, now);
        assert_eq!(lost.digests(), durable);
        for (_, shard) in lost.driver.shards() {
            shard.check(lost.driver.state()).unwrap();
        }

        world.journal.flush().unwrap();
        let (kept, _) = World::open(world.disk.crash(CrashPolicy::DropAll, 0), now);
        assert_eq!(kept.digests(), ahead);
    }
}

#[test]
fn a_deadline_is_acted_upon_even_if_an_input_comes_at_the_same_time() {
    let (mut world, _) = World::open(SimDisk::new(), Timestamp(1_000));
    let shard = destination_shard("shop", SHARDS);
    let ask = |op| {
        let request = RequestId(1);
        (
            shard,
            Input::Request {
                peer: PEER,
                request,
                op,
            },
        )
    };
    let deliveries = |batch: &Batch| {
        let effects = batch.effects.iter().flat_map(|(_, effects)| effects);
        effects
            .filter(|effect| matches!(effect, Effect::Deliver { .. }))
            .count()
    };
    let destination = Destination {
        name: Name::from("shop"),
        url: Name::from("http://127.0.0.1:1/"),
        rate: Some(Rate {
            per_second: 1,
            burst: 1,
        }),
        ..Destination::default()
    };
    let jobs = ["a", "b"].map(|lane| {
        let job = player::job(lane, Payload::null());
        (JobId::of_key("shop", lane), job)
    });
    let put = ask(Op::PutDestination {
        destination: Box::new(destination),
    });
    let create = ask(Op::CreateJobs {
        jobs: jobs.to_vec(),
    });
    assert_eq!(
        deliveries(&world.step(vec![put, create])),
        1,
        "the rate allows one"
    );
    let deadline = world.driver.next_deadline().unwrap();
    assert!(deadline > world.now);
    world.now = deadline;
    let name = Name::from("shop");
    let look = ask(Op::DescribeDestination { name });
    assert_eq!(deliveries(&world.step(vec![look])), 1, "the second is due");
}

#[test]
fn the_same_inputs_at_the_same_times_give_the_same_batches() {
    let play = || {
        let (mut world, first) = World::open(SimDisk::new(), Timestamp(1_000));
        let mut said = vec![format!("{first:?}")];
        let mut inputs: Vec<_> = (0..30).map(begin).collect();
        while !inputs.is_empty() {
            let batch = world.step(inputs);
            inputs = answers(&batch);
            said.push(format!("{batch:?}"));
        }
        said
    };
    assert_eq!(play(), play());
}

#[test]
fn rows_that_come_and_go_between_checkpoints_leave_nothing_in_the_store() {
    let (mut world, first) = World::open(SimDisk::new(), Timestamp(1_000));
    world.append(&first);
    let mut inputs: Vec<_> = (0..30).map(begin).collect();
    while !inputs.is_empty() {
        let batch = world.step(inputs);
        world.append(&batch);
        inputs = answers(&batch);
    }
    world.journal.flush().unwrap();
    world.checkpoint();
    let mut kinds = std::collections::BTreeMap::<[u8; 2], u32>::new();
    let everything = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    world
        .store
        .scan(everything, &mut |key, _| {
            *kinds.entry([key[0], key[1]]).or_default() += 1;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(kinds.get(b"ru"), Some(&30));
    assert_eq!(kinds.get(b"ta"), None, "every task has ended: {kinds:?}");
}

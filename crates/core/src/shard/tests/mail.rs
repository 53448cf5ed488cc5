//! Stories of messages between shards: each arrives once.

use super::world::*;
use crate::effect::Effect;
use crate::egress::NewJob;
use crate::entry::Command;
use crate::ids::{CommandId, ShardId, destination_shard};
use crate::input::Input;
use crate::payload::Name;
use crate::shard::Settings;
use alloc::boxed::Box;
use std::vec;
use std::vec::Vec;

/// A run on one shard ships jobs to a destination that another shard owns.
fn two_shards() -> (World, World) {
    let settings = Settings {
        shards: 2,
        ..Settings::default()
    };
    let owner = destination_shard("shop", 2);
    let home = ShardId(1 - owner.0);
    (
        World::with(settings.clone(), home),
        World::with(settings, owner),
    )
}

fn ship(world: &mut World, run: &str) {
    let job = NewJob {
        destination: Name::from("shop"),
        lane: Name::from("a"),
        object_type: Name::from("stock"),
        action: Name::from("update"),
        object_ids: vec![],
        body: json("{}"),
        ..NewJob::default()
    };
    world.start(run);
    world.play(
        WORKER,
        true,
        vec![
            Command::CreateJob {
                command: CommandId(0),
                job: Box::new(job),
            },
            finish(),
        ],
    );
}

pub(super) fn sends(world: &mut World) -> Vec<Input> {
    let from = world.id;
    core::mem::take(&mut world.effects)
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Send {
                sequence, message, ..
            } => Some(Input::Message {
                from,
                sequence,
                message,
            }),
            _ => None,
        })
        .collect()
}

fn acknowledgement(world: &mut World) -> Input {
    let by = world.id;
    core::mem::take(&mut world.effects)
        .into_iter()
        .find_map(|effect| match effect {
            Effect::Acknowledge { sequence, .. } => Some(Input::MessagesTaken { by, sequence }),
            _ => None,
        })
        .expect("what was taken is acknowledged")
}

#[test]
fn a_message_arrives_once_whatever_crashes() {
    for crash in 0..4 {
        let (mut home, mut owner) = two_shards();
        ship(&mut home, "a");
        let mut messages = sends(&mut home);
        if crash == 1 {
            // The sender dies before it has sent: it sends again.
            home = reopened(home);
            messages = sends(&mut home);
        }
        assert_eq!(messages.len(), 1);
        owner.feed(messages[0].clone());
        if crash == 2 {
            // The receiver dies after it has taken the message, before it says so: it comes again.
            owner.crash();
            owner.feed(messages[0].clone());
        }
        let taken = acknowledgement(&mut owner);
        if crash == 3 {
            owner.feed(messages[0].clone());
        }
        assert_eq!(home.shard.counters().outbox, 1);
        home.feed(taken);
        assert_eq!(home.shard.counters().outbox, 0);
        assert_eq!(owner.shard.counters().jobs_pending, 1, "crash {crash}");
        // The numbers go on where they were.
        home.crash();
        ship(&mut home, "b");
        let messages = sends(&mut home);
        assert!(matches!(messages[0], Input::Message { sequence: 2, .. }));
        owner.feed(messages[0].clone());
        assert_eq!(owner.shard.counters().jobs_pending, 2, "crash {crash}");
    }
}

/// Opens the shard again and keeps what it wants sent.
pub(super) fn reopened(mut world: World) -> World {
    let mut out = crate::output::Output::default();
    let now = crate::time::Timestamp(world.now);
    let settings = world.settings.clone();
    world.shard = crate::shard::Shard::open(world.id, settings, now, &world.rows, &mut out);
    world.effects = out.effects;
    world
}

//! Identities: what runs, commands, jobs, peers, leases and shards are called.

use crate::payload::Name;
use crate::time::Timestamp;
use core::fmt;
use core::hash::Hasher;
use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};
use minicbor::{Decode, Encode};
use siphasher::sip128::{Hasher128, SipHasher13};

/// A shard: the unit of ownership. Shards of a node are numbered from zero; their count is fixed when the data folder is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct ShardId(#[n(0)] pub u16);

/// A connection to a client or worker, numbered by the engine. Never reused while the process lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct PeerId(#[n(0)] pub u64);

/// The number that a peer gives to one of its requests, to recognise the answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct RequestId(#[n(0)] pub u64);

/// The number of a command within its run. Claimed by workflow code in program order, from zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct CommandId(#[n(0)] pub u32);

/// A fencing token: proves that its holder has the newest lease. Tokens of a shard only grow, also across restarts,
/// because the shard's epoch is in the upper bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct Token(#[n(0)] pub u64);

macro_rules! id_of_128_bits {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), encode::Error<W::Error>> {
                e.bytes(&self.0.to_be_bytes())?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
                let bytes = d.bytes()?;
                let array: [u8; 16] = bytes
                    .try_into()
                    .map_err(|_| decode::Error::message("an id has 16 bytes"))?;
                Ok(Self(u128::from_be_bytes(array)))
            }
        }
    };
}

id_of_128_bits! {
    /// Where a run lives: a hash of its workflow and id. The upper bits choose the shard.
    RunKey
}
id_of_128_bits! {
    /// The identity of an egress job, and the `Idempotency-Key` of its delivery.
    JobId
}
id_of_128_bits! {
    /// A nonce that a caller attaches to a request, so that a repeat of it is recognised.
    Nonce
}

/// What users call a run: its workflow and an id that is unique within the workflow.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct RunId {
    /// The workflow's name.
    #[n(0)]
    pub workflow: Name,
    /// The id given by whoever started the run.
    #[n(1)]
    pub id: Name,
}

impl RunId {
    /// The run `id` of `workflow`.
    pub fn new(workflow: impl Into<Name>, id: impl Into<Name>) -> Self {
        Self {
            workflow: workflow.into(),
            id: id.into(),
        }
    }

    /// Where the run lives.
    #[must_use]
    pub fn key(&self) -> RunKey {
        RunKey(hash(
            *b"run",
            &[self.workflow.as_bytes(), self.id.as_bytes()],
        ))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.workflow, self.id)
    }
}

impl RunKey {
    /// The shard of this run among `shards`.
    #[must_use]
    pub fn shard(self, shards: u16) -> ShardId {
        shard_of(self.0, shards)
    }
}

/// The identity of a task: the same for all its attempts, and for no other task. It proves nothing but that its holder
/// was told it: whoever knows it may answer the task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct TaskId {
    /// The run that scheduled it.
    #[n(0)]
    pub run: RunKey,
    /// When the run's count of commands began, so that a later run under the same id has other tasks.
    #[n(1)]
    pub began: Timestamp,
    /// The command that scheduled it.
    #[n(2)]
    pub command: CommandId,
}

impl TaskId {
    /// Reads what [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (run, began, command) = (parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if parts.next().is_some() || run.len() != 32 || !is_hex(run) || !is_hex(began) {
            return None;
        }
        let id = Self {
            run: RunKey(u128::from_str_radix(run, 16).ok()?),
            began: Timestamp(u64::from_str_radix(began, 16).ok()?),
            command: CommandId(command.parse().ok()?),
        };
        Some(id)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}-{}", self.run, self.began.0, self.command.0)
    }
}

impl JobId {
    /// The job that command `command` of `run` creates: the same again on every replay.
    #[must_use]
    pub fn of_command(run: RunKey, started_at_ms: u64, command: CommandId) -> Self {
        Self(hash(
            *b"job",
            &[
                &run.0.to_be_bytes(),
                &started_at_ms.to_be_bytes(),
                &command.0.to_be_bytes(),
            ],
        ))
    }

    /// The job that a caller names with a key of its own.
    #[must_use]
    pub fn of_key(destination: &str, key: &str) -> Self {
        Self(hash(*b"key", &[destination.as_bytes(), key.as_bytes()]))
    }
}

impl Nonce {
    /// The nonce of what a caller names with an id of its own.
    #[must_use]
    pub fn of_id(id: &str) -> Self {
        Self(hash(*b"non", &[id.as_bytes()]))
    }
}

/// The shard that owns everything of the egress destination `name`: its lanes, limits and jobs.
#[must_use]
pub fn destination_shard(name: &str, shards: u16) -> ShardId {
    shard_of(hash(*b"dst", &[name.as_bytes()]), shards)
}

/// The shard that owns the schedule `name`.
#[must_use]
pub fn schedule_shard(name: &str, shards: u16) -> ShardId {
    shard_of(hash(*b"sch", &[name.as_bytes()]), shards)
}

/// Where the tag `tag` lies in the index of tags.
#[must_use]
pub fn tag_hash(tag: &str) -> u128 {
    hash(*b"tag", &[tag.as_bytes()])
}

/// Key ranges: equal slices of the space of hashes, in order.
fn shard_of(hash: u128, shards: u16) -> ShardId {
    let upper = (hash >> 96) as u64;
    ShardId(((upper * u64::from(shards)) >> 32) as u16)
}

/// A 128-bit hash of `parts`, each with its length, in the domain `kind`. SipHash-1-3 with fixed keys: stable for ever,
/// because keys on disk are made of it.
fn hash(kind: [u8; 3], parts: &[&[u8]]) -> u128 {
    let mut hasher = SipHasher13::new_with_keys(0x7472_756e_6b6c_696e, 0x6520_6b65_7973_2031);
    hasher.write(&kind);
    for part in parts {
        hasher.write(&(part.len() as u64).to_be_bytes());
        hasher.write(part);
    }
    hasher.finish128().as_u128()
}

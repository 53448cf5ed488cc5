//! Rows: the keys under which a shard keeps its state, and how they are read.
//!
//! Every key begins with two bytes that name the kind of row and are never used for another, then the shard, so that the
//! rows of one kind of one shard lie together. Numbers are big-endian. Values are CBOR with numbered fields.
//!
//! ```text
//! ru shard:2 run:16                    a run                         run::Run
//! rh shard:2 run:16 chunk:4            part of its history           [entry::Entry]
//! rp shard:2 run:16 name               a property                    payload
//! ta shard:2 run:16 command:4          a task that has not ended     shard::TaskRow
//! ti shard:2 run:16 command:4          a timer that is set           Timestamp
//! ch shard:2 run:16 command:4          a child that has not ended    shard::ChildRow
//! ed shard:2 name                      a destination                 shard::DestinationRow
//! el shard:2 destination 00 lane       a lane's last number          u64
//! ej shard:2 destination 00 job:16     a job                         egress::Job
//! li shard:2 name                      a shared limiter               shard::LimiterRow
//! lw shard:2 destination 00 action     what it has and wants of them  shard::LineRow
//! ob shard:2 to:2 sequence:8           a message to another shard    input::Message; sequence 0: the last number given, u64
//! ib shard:2 from:2                    the last message taken        u64
//! sh shard:2                           the shard itself              shard::ShardRow
//! wf shard:2 workflow                  a workflow's newest version   u32
//! tg shard:2 hash of tag:16 run:16     a run with that tag           its workflow, Name
//! sc shard:2 name                      a schedule                    schedule::Schedule
//! sc shard:2 name 00                   where it stands               schedule::ScheduleState
//! bk shard:2 id                        a bulk operation              shard::BulkRow
//! ev shard:2 sequence:8                what happened in a batch      see shard::feed; sequence 0: what is gone
//! cd shard:2 id                        a credential                  sealed by the engine; only in shard 0
//! tk shard:2 id                        an API token                  the engine's; only in shard 0
//! tn shard:2 name                      a tenant                      the engine's; only in shard 0
//! er shard:2 subject:16 place:12       what remains of a run or job that rows of the feed point at
//! er shard:2 run:16 place:12 chunk:4   and of its history            [entry::Entry]
//! ```

use crate::ids::{CommandId, JobId, RunKey, ShardId, tag_hash};
use alloc::vec::Vec;

/// The rows of a shard, as of the newest input. Reading cannot fail from here: a store that cannot be read stops the
/// process.
pub trait Rows {
    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;

    /// Calls `visit` with the rows whose keys are in `from..to`, in order, until it answers false.
    fn scan(&self, from: &[u8], to: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> bool);
}

/// The kinds of rows. Names have no zero byte, so that one may stand behind a name in a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A run.
    Run,
    /// A chunk of a run's history.
    History,
    /// A property of a run.
    Property,
    /// A task that has not ended.
    Task,
    /// A timer that is set.
    Timer,
    /// A child of a run that has not ended.
    Child,
    /// A destination.
    Destination,
    /// The last number given out in a lane.
    Lane,
    /// A job.
    Job,
    /// A shared limiter.
    Limiter,
    /// What the jobs of a destination have and want of shared limiters.
    LimiterLine,
    /// A message to another shard.
    Outbox,
    /// The last message taken from another shard.
    Inbox,
    /// The shard itself.
    Shard,
    /// The newest version of a workflow that a worker has registered.
    Workflow,
    /// A run with a tag.
    Tag,
    /// A schedule, or where it stands.
    Schedule,
    /// A shard's part of a bulk operation.
    Bulk,
    /// What happened in a batch.
    Feed,
    /// What remains of a run or job for those who read the feed.
    Remains,
    /// A credential.
    Credential,
    /// An API token.
    ApiToken,
    /// A tenant.
    Tenant,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 23] = [
        Self::Run,
        Self::History,
        Self::Property,
        Self::Task,
        Self::Timer,
        Self::Child,
        Self::Destination,
        Self::Lane,
        Self::Job,
        Self::Limiter,
        Self::LimiterLine,
        Self::Outbox,
        Self::Inbox,
        Self::Shard,
        Self::Workflow,
        Self::Tag,
        Self::Schedule,
        Self::Bulk,
        Self::Feed,
        Self::Remains,
        Self::Credential,
        Self::ApiToken,
        Self::Tenant,
    ];

    /// The two bytes that its keys begin with.
    #[must_use]
    pub fn prefix(self) -> [u8; 2] {
        *match self {
            Self::Run => b"ru",
            Self::History => b"rh",
            Self::Property => b"rp",
            Self::Task => b"ta",
            Self::Timer => b"ti",
            Self::Child => b"ch",
            Self::Destination => b"ed",
            Self::Lane => b"el",
            Self::Job => b"ej",
            Self::Limiter => b"li",
            Self::LimiterLine => b"lw",
            Self::Outbox => b"ob",
            Self::Inbox => b"ib",
            Self::Shard => b"sh",
            Self::Workflow => b"wf",
            Self::Tag => b"tg",
            Self::Schedule => b"sc",
            Self::Bulk => b"bk",
            Self::Feed => b"ev",
            Self::Remains => b"er",
            Self::Credential => b"cd",
            Self::ApiToken => b"tk",
            Self::Tenant => b"tn",
        }
    }
}

/// Builds the keys of one shard's rows.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    shard: ShardId,
}

impl Keys {
    /// The keys of `shard`.
    #[must_use]
    pub fn new(shard: ShardId) -> Self {
        Self { shard }
    }

    fn key(self, kind: Kind, parts: &[&[u8]]) -> Vec<u8> {
        let mut key = Vec::with_capacity(4 + parts.iter().map(|part| part.len()).sum::<usize>());
        key.extend_from_slice(&kind.prefix());
        key.extend_from_slice(&self.shard.0.to_be_bytes());
        for part in parts {
            key.extend_from_slice(part);
        }
        key
    }

    /// The range of all rows of `kind` in the shard: from, to.
    #[must_use]
    pub fn all(self, kind: Kind) -> (Vec<u8>, Vec<u8>) {
        self.under(kind, &[])
    }

    /// The range of the rows of `kind` whose keys go on with `parts`.
    #[must_use]
    pub fn under(self, kind: Kind, parts: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let from = self.key(kind, parts);
        let mut to = from.clone();
        // The shortest key above every key with this prefix. A kind's letters are below 0xff, so the loop ends.
        while let Some(last) = to.pop() {
            if last < 0xff {
                to.push(last + 1);
                break;
            }
        }
        (from, to)
    }

    /// A run's row.
    #[must_use]
    pub fn run(self, run: RunKey) -> Vec<u8> {
        self.key(Kind::Run, &[&run.0.to_be_bytes()])
    }

    /// A chunk of a run's history.
    #[must_use]
    pub fn history(self, run: RunKey, chunk: u32) -> Vec<u8> {
        self.key(Kind::History, &[&run.0.to_be_bytes(), &chunk.to_be_bytes()])
    }

    /// A property of a run.
    #[must_use]
    pub fn property(self, run: RunKey, name: &str) -> Vec<u8> {
        self.key(Kind::Property, &[&run.0.to_be_bytes(), name.as_bytes()])
    }

    /// A task of a run.
    #[must_use]
    pub fn task(self, run: RunKey, command: CommandId) -> Vec<u8> {
        self.key(
            Kind::Task,
            &[&run.0.to_be_bytes(), &command.0.to_be_bytes()],
        )
    }

    /// A timer of a run.
    #[must_use]
    pub fn timer(self, run: RunKey, command: CommandId) -> Vec<u8> {
        self.key(
            Kind::Timer,
            &[&run.0.to_be_bytes(), &command.0.to_be_bytes()],
        )
    }

    /// A child of a run.
    #[must_use]
    pub fn child(self, run: RunKey, command: CommandId) -> Vec<u8> {
        self.key(
            Kind::Child,
            &[&run.0.to_be_bytes(), &command.0.to_be_bytes()],
        )
    }

    /// The range of a run's children.
    #[must_use]
    pub fn children(self, run: RunKey) -> (Vec<u8>, Vec<u8>) {
        self.under(Kind::Child, &[&run.0.to_be_bytes()])
    }

    /// A destination.
    #[must_use]
    pub fn destination(self, name: &str) -> Vec<u8> {
        self.key(Kind::Destination, &[name.as_bytes()])
    }

    /// A lane of a destination.
    #[must_use]
    pub fn lane(self, destination: &str, lane: &str) -> Vec<u8> {
        self.key(Kind::Lane, &[destination.as_bytes(), &[0], lane.as_bytes()])
    }

    /// A job of a destination.
    #[must_use]
    pub fn job(self, destination: &str, job: JobId) -> Vec<u8> {
        self.key(
            Kind::Job,
            &[destination.as_bytes(), &[0], &job.0.to_be_bytes()],
        )
    }

    /// The range of a destination's jobs.
    #[must_use]
    pub fn jobs(self, destination: &str) -> (Vec<u8>, Vec<u8>) {
        self.under(Kind::Job, &[destination.as_bytes(), &[0]])
    }

    /// A shared limiter.
    #[must_use]
    pub fn limiter(self, name: &str) -> Vec<u8> {
        self.key(Kind::Limiter, &[name.as_bytes()])
    }

    /// What the jobs of a destination, or those with an action, have and want of shared limiters.
    #[must_use]
    pub fn limiter_line(self, destination: &str, action: Option<&str>) -> Vec<u8> {
        let action = action.unwrap_or_default();
        let parts: [&[u8]; 3] = [destination.as_bytes(), &[0], action.as_bytes()];
        self.key(Kind::LimiterLine, &parts)
    }

    /// A message to another shard.
    #[must_use]
    pub fn outbox(self, to: ShardId, sequence: u64) -> Vec<u8> {
        self.key(
            Kind::Outbox,
            &[&to.0.to_be_bytes(), &sequence.to_be_bytes()],
        )
    }

    /// The last message taken from another shard.
    #[must_use]
    pub fn inbox(self, from: ShardId) -> Vec<u8> {
        self.key(Kind::Inbox, &[&from.0.to_be_bytes()])
    }

    /// The shard's own row.
    #[must_use]
    pub fn shard(self) -> Vec<u8> {
        self.key(Kind::Shard, &[])
    }

    /// A run with a tag.
    #[must_use]
    pub fn tag(self, tag: &str, run: RunKey) -> Vec<u8> {
        let hash = tag_hash(tag).to_be_bytes();
        self.key(Kind::Tag, &[&hash, &run.0.to_be_bytes()])
    }

    /// The range of the runs with a tag.
    #[must_use]
    pub fn tagged(self, tag: &str) -> (Vec<u8>, Vec<u8>) {
        self.under(Kind::Tag, &[&tag_hash(tag).to_be_bytes()])
    }

    /// A bulk operation.
    #[must_use]
    pub fn bulk(self, id: &str) -> Vec<u8> {
        self.key(Kind::Bulk, &[id.as_bytes()])
    }

    /// A row of the feed; sequence 0: what is gone of it.
    #[must_use]
    pub fn feed(self, sequence: u64) -> Vec<u8> {
        self.key(Kind::Feed, &[&sequence.to_be_bytes()])
    }

    /// What remains of a run or job that was parted with at a place of the feed, or a chunk of its history.
    #[must_use]
    pub fn remains(self, subject: u128, place: (u64, u32), chunk: Option<u32>) -> Vec<u8> {
        let (subject, sequence, item) = (
            subject.to_be_bytes(),
            place.0.to_be_bytes(),
            place.1.to_be_bytes(),
        );
        match chunk {
            Some(chunk) => {
                let chunk = chunk.to_be_bytes();
                self.key(Kind::Remains, &[&subject, &sequence, &item, &chunk])
            }
            None => self.key(Kind::Remains, &[&subject, &sequence, &item]),
        }
    }

    /// The range of everything that remains of a run or job from one parting.
    #[must_use]
    pub fn remains_at(self, subject: u128, place: (u64, u32)) -> (Vec<u8>, Vec<u8>) {
        let from = self.remains(subject, place, None);
        (
            from,
            self.under(
                Kind::Remains,
                &[
                    &subject.to_be_bytes(),
                    &place.0.to_be_bytes(),
                    &place.1.to_be_bytes(),
                ],
            )
            .1,
        )
    }

    /// The range of what remains of a run or job from partings at a place or behind it.
    #[must_use]
    pub fn remains_from(self, subject: u128, place: (u64, u32)) -> (Vec<u8>, Vec<u8>) {
        let from = self.remains(subject, place, None);
        (from, self.under(Kind::Remains, &[&subject.to_be_bytes()]).1)
    }

    /// A workflow's newest version.
    #[must_use]
    pub fn workflow(self, name: &str) -> Vec<u8> {
        self.key(Kind::Workflow, &[name.as_bytes()])
    }

    /// What the engine keeps under a name, see [`Kept`](crate::peer::Kept).
    #[must_use]
    pub fn kept(self, kind: Kind, name: &str) -> Vec<u8> {
        self.key(kind, &[name.as_bytes()])
    }

    /// A schedule.
    #[must_use]
    pub fn schedule(self, name: &str) -> Vec<u8> {
        self.key(Kind::Schedule, &[name.as_bytes()])
    }

    /// Where a schedule stands.
    #[must_use]
    pub fn schedule_state(self, name: &str) -> Vec<u8> {
        self.key(Kind::Schedule, &[name.as_bytes(), &[0]])
    }
}

/// The run in a key built by [`Keys::run`], [`Keys::task`] and their like.
#[must_use]
pub fn run_of_key(key: &[u8]) -> Option<RunKey> {
    let bytes: [u8; 16] = key.get(4..20)?.try_into().ok()?;
    Some(RunKey(u128::from_be_bytes(bytes)))
}

/// The run in a key built by [`Keys::tag`].
#[must_use]
pub fn run_of_tag_key(key: &[u8]) -> Option<RunKey> {
    let bytes: [u8; 16] = key.get(20..36)?.try_into().ok()?;
    Some(RunKey(u128::from_be_bytes(bytes)))
}

/// The command in a key built by [`Keys::task`] or [`Keys::timer`].
#[must_use]
pub fn command_of_key(key: &[u8]) -> Option<CommandId> {
    let bytes: [u8; 4] = key.get(20..24)?.try_into().ok()?;
    Some(CommandId(u32::from_be_bytes(bytes)))
}

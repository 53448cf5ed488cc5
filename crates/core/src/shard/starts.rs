//! How runs start: for a client, a run or a schedule, at once or later, under an id that may be taken.

use super::Shard;
use super::hot::Hot;
use super::runs::Asker;
use super::tags::tags_at_start;
use crate::code::Code;
use crate::entry::{Entry, Notification, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::ids::{Nonce, RunId, RunKey};
use crate::input::Message;
use crate::io::Io;
use crate::limits::TAGS_MAX;
use crate::payload::Name;
use crate::peer::{OnConflict, Rejection, Reply, Start};
use crate::policy::scramble;
use crate::run::{Generation, Origin, Run, RunStatus};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

/// A run that somebody wanted: it, where it is, and whether it is new.
type Begun = (RunKey, Box<Hot>, bool);

impl Shard {
    /// A client wants a run.
    pub(super) fn start(&mut self, io: &mut Io<'_>, asker: Asker, start: Start) {
        let wait = start.wait;
        match self.begin(io, start, None) {
            Err(rejection) => io.reply(asker, Err(rejection)),
            Ok((key, mut hot, created)) => {
                if wait {
                    self.answer_or_wait(io, asker, key, &mut hot);
                } else {
                    let version = hot.run.version;
                    io.reply(asker, Ok(Reply::Started { created, version }));
                }
                self.keep(key, hot);
            }
        }
    }

    /// A run or a schedule wants a run: it hears of the end, and of the start if it is refused or if it wants to.
    pub(super) fn start_for(
        &mut self,
        io: &mut Io<'_>,
        start: Start,
        origin: Origin,
        announce: bool,
    ) {
        let run = start.run.clone();
        match self.begin(io, start, Some(&origin)) {
            Err(rejection) => {
                let refused = Some(rejection);
                self.tell_started(io, origin, run, refused);
            }
            Ok((key, mut hot, _)) => {
                if announce {
                    self.tell_started(io, origin.clone(), run.clone(), None);
                }
                if let Some(outcome) = hot.run.outcome.clone() {
                    let status = hot.run.status;
                    self.tell_ended(io, origin, run, status, outcome);
                } else if hot.run.origin.as_ref() != Some(&origin) {
                    listen(&mut hot, origin);
                }
                self.keep(key, hot);
            }
        }
    }

    /// The run that `start` asks for: a new one, or the one that is there if it will do.
    pub(super) fn begin(
        &mut self,
        io: &mut Io<'_>,
        start: Start,
        origin: Option<&Origin>,
    ) -> Result<Begun, Rejection> {
        let key = start.run.key();
        if start.tags.len() > TAGS_MAX {
            let detail = format!("{} tags, and {TAGS_MAX} is the limit", start.tags.len());
            return Err(Rejection::new(Code::TooManyTags, detail));
        }
        let Some(mut hot) = self.load(io, key) else {
            check_version(&start)?;
            return Ok((key, self.create(io, key, start, origin, None), true));
        };
        let run = &hot.run;
        let repeated = match origin {
            None => start.nonce != Nonce(0) && run.nonce == start.nonce,
            Some(_) => run.origin.as_ref() == origin,
        };
        let refusal = if run.id != start.run {
            Some((Code::KeyCollision, format!("`{}` has the same key", run.id)))
        } else if repeated || start.on_conflict != OnConflict::Reject {
            None
        } else {
            let status = run.status.as_str();
            let detail = format!("run `{}` exists and is {status}", run.id);
            Some((Code::RunExists, detail))
        };
        if let Some((code, detail)) = refusal {
            self.keep(key, hot);
            return Err(Rejection::new(code, detail));
        }
        if repeated || start.on_conflict == OnConflict::Attach {
            return Ok((key, hot, false));
        }
        if let Err(rejection) = check_version(&start) {
            self.keep(key, hot);
            return Err(rejection);
        }
        if !hot.run.status.is_final() {
            let detail = "a new run has taken its id";
            let failure = Failure::new(FailureKind::Terminated, "TL0051", detail);
            let (status, outcome) = (RunStatus::Terminated, Outcome::Failed(failure));
            self.finish(io, key, &mut hot, status, outcome);
        }
        let before = hot.run.began_at();
        self.forget_rows(io, key, &mut hot);
        Ok((key, self.create(io, key, start, origin, Some(before)), true))
    }

    /// A new run. `before` is when the newest generation began that had the id before it, if its rows have only just gone.
    fn create(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        start: Start,
        origin: Option<&Origin>,
        before: Option<Timestamp>,
    ) -> Box<Hot> {
        let mut tags = start.tags;
        tags.sort();
        tags.dedup();
        let began_at = before.map_or(io.now, |before| io.now.max(before.plus_ms(1)));
        let start_at = start.start_at.filter(|at| *at > io.now);
        let first_turn_at = start_at.unwrap_or(io.now);
        let mut hot = Hot::new(Run {
            id: start.run,
            version: start.version.unwrap_or(0),
            status: RunStatus::Running,
            tags,
            started_at: io.now,
            finished_at: None,
            outcome: None,
            entries: 0,
            chunks: 0,
            consumed: 0,
            unconsumed: 0,
            open_steps: Vec::new(),
            open_tasks: 0,
            open_timers: 0,
            nonce: start.nonce,
            properties: Vec::new(),
            paused_because: None,
            cancelling: false,
            signals: 0,
            history_bytes: 0,
            origin: origin.cloned(),
            timeout_at: start.timeout_ms.map(|ms| first_turn_at.plus_ms(ms)),
            open_children: None,
            generation: (began_at != io.now).then(|| Generation {
                number: 0,
                began_at,
                nonces: Vec::new(),
            }),
            listeners: None,
            start_at,
            open_methods: Vec::new(),
            calls: 0,
            asked_again: false,
        });
        self.runs_by_status[RunStatus::Running as usize] += 1;
        self.index_tags(io, key, &hot.run);
        if let Some(at) = hot.run.timeout_at {
            self.start_timer(io, key, super::timers::RUN_TIMEOUT, at);
        }
        if let Some(at) = start_at {
            self.start_timer(io, key, super::timers::RUN_START, at);
        }
        let seed = scramble(key.0 as u64 ^ began_at.0);
        let input = start.input;
        // The code's time begins when its first turn may.
        let tags = tags_at_start(&hot.run);
        let started = Notification::Started { input, seed, tags };
        let began = Entry::Notification(first_turn_at, started);
        hot.run.unconsumed += 1;
        self.append(io, key, &mut hot, &began);
        hot
    }

    /// The time of a delayed start has come.
    pub(super) fn start_due(&mut self, hot: &mut Hot) {
        hot.run.start_at = None;
        hot.changed = true;
    }

    /// A run has taken longer than it may.
    pub(super) fn run_timed_out(&mut self, io: &mut Io<'_>, key: RunKey, hot: &mut Hot) {
        let detail = Name::from("the run took longer than its time-out");
        let failure = Failure::new(FailureKind::TimedOut, "TL0052", detail);
        let (status, outcome) = (RunStatus::TimedOut, Outcome::Failed(failure));
        self.finish(io, key, hot, status, outcome);
    }

    fn tell_started(
        &mut self,
        io: &mut Io<'_>,
        origin: Origin,
        run: RunId,
        refused: Option<Rejection>,
    ) {
        let to = self.home_of(&origin);
        let message = Message::RunStarted {
            origin,
            run,
            refused,
        };
        self.post(io, to, message);
    }
}

/// The engine fills in the newest version that it knows. If it knows none, no worker has ever had the workflow.
fn check_version(start: &Start) -> Result<(), Rejection> {
    if start.version.is_none() {
        let detail = format!("no worker has registered `{}`", start.run.workflow);
        return Err(Rejection::new(Code::UnknownWorkflow, detail));
    }
    Ok(())
}

/// Notes that `origin` is to be told of the end. An earlier generation of the same run no longer is.
fn listen(hot: &mut Hot, origin: Origin) {
    let listeners = hot.run.listeners.get_or_insert_default();
    if let Origin::Run { run, began_at, .. } = &origin {
        listeners.retain(|other| match other {
            Origin::Run {
                run: other,
                began_at: at,
                ..
            } => other != run || at == began_at,
            Origin::Schedule { .. } => true,
        });
    }
    if !listeners.contains(&origin) {
        listeners.push(origin);
    }
    hot.changed = true;
}

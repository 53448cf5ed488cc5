//! The invariants of a shard, by name, and the digest of its state. One list, for the core's tests, the simulator and the docs.

use super::{Shard, Violation};
use crate::ids::{CommandId, RunKey};
use crate::io::{Io, decode};
use crate::output::Output;
use crate::row::{Kind, Rows, run_of_key};
use crate::run::{Run, RunStatus};
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::Hasher;
use siphasher::sip128::{Hasher128, SipHasher13};

/// Every invariant that [`Shard::check`] looks at: name and meaning.
pub const INVARIANTS: [(&str, &str); 10] = [
    (
        "RUN-COUNTS",
        "a run's counts of open tasks, timers and children are the numbers of its task, timer and child rows; its time-out and its start are timers too",
    ),
    (
        "RUN-FINAL",
        "a final run has an outcome and an end, and no timer and no child",
    ),
    (
        "RUN-WAKE",
        "a running run has a wake source: a turn, a place in the line, a task, a timer, a step, or a signal to wait for with nothing unconsumed",
    ),
    (
        "RUN-HISTORY",
        "a run's history has as many entries as its row says, and starts with its start",
    ),
    (
        "TASK-QUEUED",
        "every task row is a message of its service's queue, and the other way round",
    ),
    (
        "TIMER-INDEXED",
        "every timer row is in the index, and the other way round",
    ),
    (
        "TAG-INDEXED",
        "every tag of every run is in the tag index, and the other way round",
    ),
    (
        "JOB-CONSERVED",
        "accepted = delivered + dead + cancelled + waiting, for every destination; one job of a lane in flight, the first",
    ),
    (
        "LIMITER-CONSERVED",
        "what a shared limiter has granted is what its destinations have out",
    ),
    (
        "SCHEDULE-DUE",
        "a schedule that will fire is in the index under the time at which it does; fires wait for a run that is open, or for the end of a pause",
    ),
];

impl Shard {
    /// Every invariant. For tests and the simulator, between batches: it looks at all of the state.
    ///
    /// # Errors
    /// The first invariant found broken.
    pub fn check(&self, rows: &dyn Rows) -> Result<(), Violation> {
        let mut out = Output::default();
        let io = Io::new(Timestamp(0), rows, &mut out);
        self.egress
            .check()
            .map_err(|detail| broken("JOB-CONSERVED", detail))?;
        self.limiters
            .check()
            .map_err(|detail| broken("LIMITER-CONSERVED", detail))?;
        self.tasks
            .check()
            .map_err(|detail| broken("TASK-QUEUED", detail))?;
        self.check_schedules(&io)
            .map_err(|detail| broken("SCHEDULE-DUE", detail))?;
        let tasks = self.count_by_run(&io, Kind::Task);
        let timers = self.count_by_run(&io, Kind::Timer);
        if tasks.values().sum::<usize>() != self.tasks.keys().count() {
            return Err(broken(
                "TASK-QUEUED",
                String::from("rows and queue differ in number"),
            ));
        }
        if timers.values().sum::<usize>() != self.timers.len() {
            return Err(broken(
                "TIMER-INDEXED",
                String::from("rows and index differ in number"),
            ));
        }
        for (at, run, command) in self.timers.iter() {
            if io.get::<Timestamp>(&self.keys.timer(*run, *command)) != Some(*at) {
                return Err(broken("TIMER-INDEXED", format!("{run} {command:?}")));
            }
        }
        let children = self.count_by_run(&io, Kind::Child);
        self.check_runs(&io, &tasks, &timers, &children)?;
        self.check_tags(&io)
    }

    fn check_tags(&self, io: &Io<'_>) -> Result<(), Violation> {
        let mut indexed = self.tag_rows(io);
        let (from, to) = self.keys.all(Kind::Run);
        let mut tagged = Vec::new();
        io.scan((&from, &to), &mut |key, value| {
            let key = run_of_key(key).expect("a run's key");
            let run: Run = decode(value);
            for tag in run.tags {
                tagged.push((self.keys.tag(&tag, key), run.id.workflow.clone()));
            }
            true
        });
        indexed.sort();
        tagged.sort();
        match indexed == tagged {
            true => Ok(()),
            false => Err(broken(
                "TAG-INDEXED",
                format!("{} rows for {} tags", indexed.len(), tagged.len()),
            )),
        }
    }

    fn check_runs(
        &self,
        io: &Io<'_>,
        tasks: &BTreeMap<RunKey, usize>,
        timers: &BTreeMap<RunKey, usize>,
        children: &BTreeMap<RunKey, usize>,
    ) -> Result<(), Violation> {
        let (from, to) = self.keys.all(Kind::Run);
        let mut runs: Vec<(RunKey, Run)> = Vec::new();
        io.scan((&from, &to), &mut |key, value| {
            runs.push((run_of_key(key).expect("a run's key"), decode(value)));
            true
        });
        for (key, run) in &runs {
            let open = (
                tasks.get(key).copied().unwrap_or(0),
                timers.get(key).copied().unwrap_or(0),
            );
            let is_final = run.status.is_final();
            let own = [run.timeout_at, run.start_at].iter().flatten().count();
            let counted = (run.open_tasks as usize, run.open_timers as usize + own);
            if !is_final && open != counted {
                return Err(broken(
                    "RUN-COUNTS",
                    format!("{}: rows {open:?}, {run:?}", run.id),
                ));
            }
            let open_children = children.get(key).copied().unwrap_or(0);
            if open_children != run.open_children.unwrap_or(0) as usize {
                let detail = format!("{}: {open_children} rows of children, {run:?}", run.id);
                return Err(broken("RUN-COUNTS", detail));
            }
            let ended = run.outcome.is_some() && run.finished_at.is_some();
            if ended != is_final || (is_final && open.1 + open_children > 0) {
                return Err(broken("RUN-FINAL", format!("{}", run.id)));
            }
            let lengths =
                (0..run.chunks).map(|n| super::history::chunk_len(&self.chunk(io, *key, n)));
            if lengths.sum::<u32>() != run.entries || run.entries == 0 {
                return Err(broken("RUN-HISTORY", format!("{}", run.id)));
            }
            let wanting =
                run.status == RunStatus::Running && run.start_at.is_none() && run.unconsumed > 0;
            let hot = self.runs.hot_run(*key);
            if wanting && !hot.is_some_and(|hot| hot.queued || hot.turn.is_some()) {
                return Err(broken("RUN-WAKE", format!("{} is in no line", run.id)));
            }
        }
        Ok(())
    }

    fn count_by_run(&self, io: &Io<'_>, kind: Kind) -> BTreeMap<RunKey, usize> {
        let (from, to) = self.keys.all(kind);
        let mut counts = BTreeMap::new();
        io.scan((&from, &to), &mut |key, _| {
            *counts
                .entry(run_of_key(key).expect("a run's key"))
                .or_insert(0) += 1;
            true
        });
        counts
    }

    /// A digest of everything that must survive a crash, and of what `open` rebuilds from it; leases and the epoch aside.
    #[must_use]
    pub fn digest(&self, rows: &dyn Rows) -> u128 {
        let mut out = Output::default();
        let io = Io::new(Timestamp(0), rows, &mut out);
        let mut hasher = SipHasher13::new_with_keys(0, u64::from(self.id.0));
        for kind in Kind::ALL {
            if kind == Kind::Shard {
                continue;
            }
            let (from, to) = self.keys.all(kind);
            io.scan((&from, &to), &mut |key, value| {
                hasher.write(key);
                hasher.write(value);
                true
            });
        }
        for ((run, command), row) in self.tasks.keys() {
            hasher.write(&task_bytes(run, command));
            hasher.write_u64(row.ready_at.0);
        }
        for (at, run, command) in self.timers.iter() {
            hasher.write_u64(at.0);
            hasher.write(&task_bytes(*run, *command));
        }
        for count in self.runs_by_status {
            hasher.write_u64(count);
        }
        hasher.finish128().as_u128()
    }
}

fn task_bytes(run: RunKey, command: CommandId) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..16].copy_from_slice(&run.0.to_be_bytes());
    bytes[16..].copy_from_slice(&command.0.to_be_bytes());
    bytes
}

fn broken(invariant: &'static str, detail: String) -> Violation {
    Violation { invariant, detail }
}

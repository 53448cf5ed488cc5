//! Planted bugs: they prove that the simulator bites (`make sim-mutants`). Without the feature `mutants` there are none, and
//! [`is`] is false before the compiler is done.

macro_rules! mutants {
    ($( $(#[doc = $doc:literal])* $name:ident $text:literal, )*) => {
        /// A planted bug.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Mutant {
            $( $(#[doc = $doc])* $name, )*
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];

            /// Its name on the command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }
        }
    };
}

mutants! {
    /// The rate limiter begins anew when a shard is opened.
    LimiterReset "limiter-reset-on-restart",
    /// What was granted of shared limiters, and not yet used, is forgotten when a shard is opened.
    PermitsForgotten "permits-forgotten-on-restart",
    /// One call too many fits in a burst.
    BurstByOne "burst-by-one",
    /// A failed attempt is repeated at once.
    BackoffForgotten "forgotten-backoff",
    /// The result of an attempt counts though its lease is over.
    LateLease "late-lease-accepted",
    /// A repeated signal counts again.
    NonceIgnored "duplicate-nonce-accepted",
    /// A timer fires twice.
    DoubleFire "double-fire",
    /// A timer fires a little early.
    EarlyFire "early-fire",
    /// What other shards have not acknowledged is not sent again after a crash.
    OutboxLost "lost-outbox-message",
    /// Tokens of an earlier life are given out again.
    TokenReused "reused-token",
    /// A job that is tried again goes to the end of its lane.
    PlaceLost "retry-loses-its-place",
    /// What a dead worker had stays with it.
    WakeLost "lost-wake-of-a-dead-worker",
    /// The concurrency of a destination counts for nothing.
    ConcurrencyIgnored "concurrency-ignored",
    /// A destination's wish for patience is forgotten when a shard is opened.
    PatienceLost "patience-lost-on-restart",
    /// A run that ended can be ended again.
    FinalChanged "terminal-is-not-final",
    /// Dead letters go after the retention time.
    DeadLettersExpire "dead-letters-expire",
    /// The effects of a batch leave before it is durable.
    AckBeforeSync "acknowledge-before-sync",
    /// A checkpoint leaves timers out.
    TimerDropped "dropped-timer-at-checkpoint",
    /// A checkpoint says that it holds one commit more than it does.
    CheckpointAhead "checkpoint-ahead",
    /// The filter before the store does not learn what a checkpoint writes.
    FilterForgets "filter-forgets-keys",
    /// A row that is deleted comes back from the store.
    DeletedRowReturns "deleted-row-returns",
    /// A run that is retried forgets what came in behind the cut.
    RewindLosesSignals "retry-loses-signals",
    /// What a retried run asks for gets numbers that were used before.
    NumbersUsedAgain "numbers-used-again",
    /// A run that has not ended can be purged.
    PurgeOfLive "purge-of-a-live-run",
    /// A bulk operation that is under way when a shard is opened passes over the rest of its runs.
    BulkPlaceLost "bulk-skips-after-restart",
    /// A bulk operation does not keep to its rate.
    BulkRateIgnored "bulk-rate-ignored",
    /// A bulk operation also meets runs that were started after it.
    BulkMeetsLater "bulk-meets-later-runs",
    /// The children of a run that ends are left to themselves.
    ChildrenLeft "children-left-behind",
    /// Who attached to a run does not hear of its end.
    ListenersForgotten "attached-parents-forgotten",
    /// Signals that nobody has received do not come along when a run continues as new.
    CarryLost "continuing-loses-signals",
    /// A run that continues as new forgets which signals it has had.
    NoncesLost "continuing-forgets-nonces",
    /// A repeated call of a method is a new one.
    CallsRepeated "repeated-call-counts-again",
    /// Who waits for a method of a run that ends is not answered.
    CallersForgotten "callers-of-an-ended-run-forgotten",
    /// A signal by tag passes over a shard.
    ShardPassedOver "tagged-signal-skips-a-shard",
    /// Fires that came due while the process was down are forgotten.
    OutageForgotten "schedule-forgets-the-outage",
    /// The last fire of a schedule is taken again when a shard is opened.
    FireRepeated "schedule-fires-again-after-restart",
    /// Runs of a schedule overlap whatever its policy says.
    OverlapIgnored "overlap-ignored",
    /// A fire is never too late.
    CatchUpEndless "catch-up-without-end",
    /// An answer from outside that comes while an attempt runs is forgotten.
    AnswerForgotten "kept-answer-forgotten",
    /// A task that is delegated is handed out again when a shard is opened.
    DelegationForgotten "delegation-forgotten-on-restart",
    /// A lane that stands still goes on when a shard is opened.
    ParkedGoesOn "parked-lane-goes-on-after-restart",
    /// That a breaker is open is forgotten when a shard is opened.
    BreakerForgotten "breaker-forgotten-on-restart",
    /// A destination that an answer has paused is called again when a shard is opened.
    PauseForgotten "pause-forgotten-on-restart",
    /// A job does not wait for the lower stages of its batch.
    StageIgnored "belt-ignores-the-stage",
    /// A job is superseded though others wait for it.
    AwaitedSuperseded "awaited-job-superseded",
    /// A job is superseded though it is under way.
    SupersededUnderWay "superseded-while-under-way",
    /// A creation that was sent before a restart cancels out with its deletion.
    SentCancelsOut "sent-creation-cancels-out",
    /// A call to a connector carries one job more than it takes.
    BatchOverfull "batch-overfull",
    /// A job that shares another's call does not wait for what it depends on.
    RiderImpatient "rider-does-not-wait",
    /// What waits for a dead letter does not wait for the job that has taken its place.
    CorrectionIgnored "correction-not-waited-for",
    /// A dead letter that was corrected goes though others wait for its correction.
    CorrectedGoes "corrected-letter-goes-early",
    /// A job leaves though its time is over.
    ExpiryIgnored "expired-job-leaves",
    /// A bulk operation on jobs that is under way when a shard is opened passes over the rest of them.
    BulkPlanLost "bulk-of-jobs-loses-its-place",
    /// A bulk operation on jobs also meets jobs that were accepted after it.
    BulkMeetsLaterJobs "bulk-meets-later-jobs",
}

#[cfg(feature = "mutants")]
static CHOSEN: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(usize::MAX);

/// Plants a bug in this process, or takes it out again.
#[cfg(feature = "mutants")]
pub fn plant(mutant: Option<Mutant>) {
    let number = mutant.map_or(usize::MAX, |mutant| mutant as usize);
    CHOSEN.store(number, core::sync::atomic::Ordering::Relaxed);
}

/// True if this bug is planted.
#[cfg(feature = "mutants")]
#[must_use]
pub fn is(mutant: Mutant) -> bool {
    CHOSEN.load(core::sync::atomic::Ordering::Relaxed) == mutant as usize
}

/// True if this bug is planted: never.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
#[must_use]
pub const fn is(_: Mutant) -> bool {
    false
}

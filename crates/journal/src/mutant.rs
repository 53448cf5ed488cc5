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
    /// A flush does not sync.
    SyncSkipped "skipped-sync",
    /// The name of a new segment is not made durable.
    DirSyncSkipped "skipped-directory-sync",
    /// A failed sync is tried again.
    SyncRetried "retried-fsync",
    /// After a recovery the last position is given out again.
    PositionReused "reused-position",
    /// Damage below the durable mark is cut away like a torn tail.
    DamageCut "damage-cut-away",
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

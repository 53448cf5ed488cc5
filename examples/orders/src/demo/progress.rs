//! The progress bar on standard error: one line that is drawn again on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

const BAR_CELLS: u64 = 30;
/// How often a line is written where it cannot be drawn again.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// How far the work is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Standing {
    /// Runs started, ended, and expected.
    pub(super) started: u64,
    pub(super) finished: u64,
    pub(super) runs: u64,
    /// Jobs that the shop accepted, and expected.
    pub(super) delivered: u64,
    pub(super) jobs: u64,
    /// Crashes so far.
    pub(super) crashes: u32,
}

impl Standing {
    /// How much is done, in thousandths. Runs weigh three tenths, because they are over long before the deliveries.
    pub(super) fn per_mille(&self) -> u64 {
        let part = |done: u64, all: u64, weight: u64| match all {
            0 => weight,
            _ => done.min(all) * weight / all,
        };
        part(self.finished, self.runs, 300) + part(self.delivered, self.jobs, 700)
    }

    /// As one line.
    fn line(&self, elapsed: Duration) -> String {
        let cells = self.per_mille() * BAR_CELLS / 1_000;
        let bar: String = (0..BAR_CELLS)
            .map(|cell| if cell < cells { '█' } else { '·' })
            .collect();
        let crashes = match self.crashes {
            0 => String::new(),
            count => format!("  crashes {count}"),
        };
        format!(
            "{bar} {:>3} %  runs {}/{}  deliveries {}/{}{crashes}  {:.1} s",
            self.per_mille() / 10,
            self.finished,
            self.runs,
            self.delivered,
            self.jobs,
            elapsed.as_secs_f32()
        )
    }
}

/// Draws the bar.
#[derive(Debug)]
pub(super) struct Bar {
    began_at: Instant,
    plain_at: Option<Instant>,
    is_terminal: bool,
}

impl Bar {
    pub(super) fn new() -> Self {
        Self {
            began_at: Instant::now(),
            plain_at: None,
            is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Draws it as it stands. A terminal that is gone is no reason to stop.
    pub(super) fn draw(&mut self, standing: &Standing) {
        let line = standing.line(self.began_at.elapsed());
        if self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[2K{line}");
        } else if self.plain_at.is_none_or(|at| at.elapsed() >= PLAIN_EVERY) {
            self.plain_at = Some(Instant::now());
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    /// Says something that stays.
    pub(super) fn say(&self, words: &str) {
        let erase = if self.is_terminal { "\r\x1b[2K" } else { "" };
        let _ = writeln!(io::stderr(), "{erase}{words}");
    }

    /// Draws it for the last time.
    pub(super) fn end(&mut self, standing: &Standing) {
        self.plain_at = None;
        self.draw(standing);
        if self.is_terminal {
            let _ = writeln!(io::stderr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Standing;
    use std::time::Duration;

    #[test]
    fn all_work_done_is_a_full_bar() {
        let mut standing = Standing {
            runs: 512,
            jobs: 10_380,
            ..Standing::default()
        };
        assert_eq!(standing.per_mille(), 0);
        standing.finished = 512;
        assert_eq!(standing.per_mille(), 300);
        standing.delivered = 5_190;
        assert!(
            standing
                .line(Duration::from_millis(1_500))
                .ends_with(" 65 %  runs 512/512  deliveries 5190/10380  1.5 s")
        );
        standing.delivered = 10_380;
        assert_eq!(standing.per_mille(), 1_000);
    }

    #[test]
    fn no_jobs_at_all_is_no_division_by_zero() {
        assert_eq!(Standing::default().per_mille(), 1_000);
    }
}

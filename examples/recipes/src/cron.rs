//! Cron: a report every working day at half past seven, in the time zone of those who read it.

use trunkline::ClientError;
use trunkline::core::schedule::{Overlap, ScheduleStatus};
use trunkline::prelude::*;

/// Who has the figures, and a printer.
#[service]
pub trait Office {
    /// Adds up, and prints.
    #[task(attempts = 10)]
    async fn report(&self, t: &TaskCx, about: String) -> Result<u32>;
}

/// One report. It may take its time, also longer than a day.
#[workflow]
pub async fn report(cx: Cx, about: String) -> Result<u32> {
    Ok(cx.service::<OfficeStub>().report(about).await?)
}

/// Puts the schedule. The same again changes nothing, so a program may do it whenever it starts.
///
/// # Errors
/// If the engine cannot be reached, or refuses: it says which character of the rule is wrong.
pub async fn every_morning(client: &Client) -> std::result::Result<ScheduleStatus, ClientError> {
    client
        .schedule("morning-report")
        .starts::<report>(&"sales".into())
        .cron("30 7 * * mon-fri")
        .zone("Europe/Berlin")
        // If one is late, the next waits for it; after an outage each morning gets its own.
        .overlap(Overlap::BufferAll)
        .catch_up(days(7))
        .put()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use trunkline::core::time::Timestamp;
    use trunkline::testing::TestKit;

    #[derive(Clone, Default)]
    struct Printer(Arc<AtomicU32>);

    impl Office for Printer {
        async fn report(&self, t: &TaskCx, _about: String) -> Result<u32> {
            if t.attempt() == 1 {
                return Err(Error::new("Jam", "the printer is jammed"));
            }
            Ok(self.0.fetch_add(1, Ordering::SeqCst) + 1)
        }
    }

    /// Friday, 2026-03-27 12:00 UTC. On Sunday clocks are turned forward in Berlin.
    const FRIDAY: Timestamp = Timestamp(1_774_612_800_000);
    const HOUR_MS: u64 = 3_600_000;

    #[tokio::test]
    async fn there_is_one_report_each_working_day_at_the_same_hour_of_the_readers() {
        let printer = Printer::default();
        let kit = TestKit::new().beginning(FRIDAY).workflow::<report>();
        let bed = kit.service(printer.clone().into_service()).start().await;
        every_morning(bed.client()).await.unwrap();
        bed.advance_by(days(7)).await;
        let status = every_morning(bed.client()).await.unwrap();
        assert_eq!(status.state.revision, 1, "the same again changes nothing");
        // Monday to Friday; 07:30 in Berlin is 05:30 UTC by then.
        let fired: Vec<u64> = status.state.recent.iter().map(|fire| fire.at.0).collect();
        let monday = FRIDAY.0 + 2 * 24 * HOUR_MS + 17 * HOUR_MS + HOUR_MS / 2;
        let expected: Vec<u64> = (0..5).map(|day| monday + day * 24 * HOUR_MS).collect();
        assert_eq!(fired, expected);
        assert_eq!(printer.0.load(Ordering::SeqCst), 5);
    }

    #[tokio::test]
    async fn mornings_that_nobody_was_there_for_are_made_up_for_one_after_the_other() {
        let printer = Printer::default();
        let kit = TestKit::new().beginning(FRIDAY).workflow::<report>();
        let mut bed = kit.service(printer.clone().into_service()).start().await;
        every_morning(bed.client()).await.unwrap();
        bed.stop_worker(0).await;
        bed.advance_by(days(7)).await;
        bed.crash().await;
        assert_eq!(printer.0.load(Ordering::SeqCst), 0);
        bed.start_worker(0).await;
        bed.advance_by(minutes(10)).await;
        assert_eq!(printer.0.load(Ordering::SeqCst), 5);
    }
}

//! The workloads: each takes a bed and gives a measurement.

mod egress;
mod fan_out;
mod parked;
mod signals;
mod sleepers;
mod two_tasks;

use crate::bed::{Bed, Spent};
use crate::measurement::Measurement;
use crate::options::{Id, Mode, Options};
use std::error::Error;
use std::time::Instant;

/// Whatever goes wrong ends the program with a message.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Takes the measurements of a workload.
pub(crate) async fn measure(id: Id, mode: Mode, options: &Options) -> Outcome<Vec<Measurement>> {
    if id.is_egress() {
        return egress::measure(id, options).await;
    }
    let mut bed = Bed::make(mode, &format!("{id:?}")).await?;
    let measurement = match id {
        Id::W1a => two_tasks::saturated(&bed, options).await,
        Id::W1b => two_tasks::one_by_one(&bed, options).await,
        Id::W1c => two_tasks::burst(&bed).await,
        Id::W1d => sleepers::lag(&bed).await,
        Id::W2 => fan_out::joined(&bed).await,
        Id::W3 => signals::in_order(&bed).await,
        _ => parked::reopened(&mut bed, options).await,
    };
    bed.clear().await;
    measurement.map(|measurement| vec![measurement])
}

/// A stretch of time in which something is counted, with what the processes used in it.
#[derive(Debug)]
struct Stretch {
    began: Instant,
    spent: Spent,
}

impl Stretch {
    fn begin(bed: &Bed) -> Outcome<Self> {
        Ok(Self {
            began: Instant::now(),
            spent: bed.spent()?,
        })
    }

    /// The stretch ends now: `n` were counted.
    fn end(self, bed: &Bed, workload: &'static str, n: u64) -> Outcome<Measurement> {
        let elapsed = self.began.elapsed();
        let now = bed.spent()?;
        let thousands = n.max(1) as f64 / 1_000.0;
        let seconds = elapsed.as_secs_f64();
        let server = now.server.map(|usage| {
            let before = self.spent.server.unwrap_or_default();
            (
                (usage.cpu_s - before.cpu_s) / thousands,
                usage.rss_bytes as f64 / f64::from(1 << 20),
            )
        });
        Ok(Measurement {
            workload,
            mode: bed.mode().as_str(),
            n,
            seconds: Some(seconds),
            per_s: Some(n as f64 / seconds),
            server_cpu_s_per_1000: server.map(|server| server.0),
            client_cpu_s_per_1000: Some((now.clients_cpu_s - self.spent.clients_cpu_s) / thousands),
            server_rss_mib: server.map(|server| server.1),
            bytes_written_per: Some(
                (now.commit_bytes - self.spent.commit_bytes) as f64 / n.max(1) as f64,
            ),
            ..Measurement::default()
        })
    }
}

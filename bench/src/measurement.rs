//! A measurement: one JSON line on standard output, with the fields that apply.

use serde::Serialize;

/// One line of the benchmark's output. Absent fields do not apply to the workload.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Measurement {
    /// The workload's id in docs/performance.md.
    pub(crate) workload: &'static str,
    /// `remote`: server and worker are processes of their own; `embedded`: the engine is in this process.
    pub(crate) mode: &'static str,
    /// Which case, if the workload has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) case: Option<&'static str>,
    /// How many runs, tasks, signals, deliveries or destinations were counted.
    pub(crate) n: u64,
    /// How long they took.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rounded")]
    pub(crate) seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rounded")]
    pub(crate) per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rounded")]
    pub(crate) p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rounded")]
    pub(crate) p99_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rounded")]
    pub(crate) server_cpu_s_per_1000: Option<f64>,
    /// Worker and client together; in embedded mode everything is here.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rounded")]
    pub(crate) client_cpu_s_per_1000: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rounded")]
    pub(crate) server_rss_mib: Option<f64>,
    /// Bytes of commits written to the journals, per `n`. Checkpoints come on top.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rounded")]
    pub(crate) bytes_written_per: Option<f64>,
    /// Bytes of memory that the server holds per parked run or idle destination.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rounded")]
    pub(crate) bytes_memory_per: Option<f64>,
    /// Bytes of the data folder per parked run, spare segments and all.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rounded")]
    pub(crate) bytes_disk_per: Option<f64>,
    /// Seconds from starting the server again after kill -9 until it answers for a run.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rounded")]
    pub(crate) reopen_s: Option<f64>,
    /// CPU seconds of a server in which nothing happens.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rounded")]
    pub(crate) idle_cpu_s: Option<f64>,
    /// Bytes of commits that it wrote meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle_bytes_written: Option<u64>,
}

/// Four digits behind the point say all that a measurement knows.
#[expect(
    clippy::ref_option,
    reason = "the signature that serialize_with asks for"
)]
fn rounded<S: serde::Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    let value = value.unwrap_or_default();
    to.serialize_f64((value * 10_000.0).round() / 10_000.0)
}

impl Measurement {
    /// Prints the line.
    #[expect(clippy::print_stdout, reason = "the lines are this program's output")]
    pub(crate) fn print(&self) {
        println!(
            "{}",
            serde_json::to_string(self).expect("a struct of numbers is always JSON")
        );
    }
}

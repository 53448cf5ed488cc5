//! Figures of the process itself, from `/proc`; where there is none, they are left out.

use crate::metrics::Text;
use std::fs;

/// Clock ticks a second in `/proc/self/stat`: fixed at 100 in the interface of Linux (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Writes the figures under the names that Prometheus' client libraries use.
pub(crate) fn write(text: &mut Text) {
    if let Some((cpu_s, threads)) = stat() {
        text.counter(
            "process_cpu_seconds_total",
            "Time spent on CPUs, by user and system.",
            cpu_s,
        );
        text.gauge("process_threads", "Threads.", threads);
    }
    if let Some(bytes) = resident_bytes() {
        text.gauge("process_resident_memory_bytes", "Resident memory.", bytes);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // One of them is the folder being read.
        let open = entries.count().saturating_sub(1);
        text.gauge("process_open_fds", "Open file descriptors.", open);
    }
}

/// CPU seconds and threads: fields 14, 15 and 20 of proc(5), counted behind the name, which may hold spaces.
fn stat() -> Option<(f64, u64)> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at - 3)?.parse::<u64>().ok();
    let ticks = number(14)? + number(15)?;
    Some((ticks as f64 / TICKS_PER_SECOND, number(20)?))
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

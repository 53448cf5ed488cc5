//! Metrics in the text format of Prometheus, version 0.0.4, written by hand.
//!
//! Labels are made of names from the code, never of what clients send, but for the names of tenants, of which there are few, and
//! those of [`destinations`], which have a bound of their own: so the number of series is bounded. A tenant sees its own figures;
//! those of all, by tenant, are for who may look at tenants.

use crate::answer::{Answer, content_type};
use crate::app::App;
use crate::house::Tenant;
use crate::pass::Pass;
use crate::process;
use crate::quota::Limit;
use axum::extract::State;
use axum::response::IntoResponse;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trunkline_api::access::TenantUse;
use trunkline_api::core::peer::Counters;
use trunkline_api::core::run::RunStatus;
use trunkline_api::scope::Scope;
use trunkline_engine::{GrantFigures, Stats};

mod destinations;

/// An operation and the status that it was answered with.
type Kind = (&'static str, u16);

/// Requests counted by operation and status.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    counts: Mutex<BTreeMap<Kind, (u64, Duration)>>,
}

impl Requests {
    pub(crate) fn count(&self, operation: &'static str, status: u16, took: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, sum) = counts.entry((operation, status)).or_default();
        *count += 1;
        *sum += took;
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.values().map(|(count, _)| count).sum()
    }

    fn write(&self, text: &mut Text) {
        let counts = self
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let name = "trunkline_http_requests_total";
        text.head(name, "counter", "HTTP requests answered.");
        for ((operation, status), (count, _)) in &counts {
            text.sample(
                name,
                &format!("{{operation=\"{operation}\",status=\"{status}\"}}"),
                count,
            );
        }
        let name = "trunkline_http_request_seconds_total";
        text.head(
            name,
            "counter",
            "Time from the request's head to the answer's.",
        );
        for ((operation, status), (_, sum)) in &counts {
            text.sample(
                name,
                &format!("{{operation=\"{operation}\",status=\"{status}\"}}"),
                sum.as_secs_f64(),
            );
        }
    }
}

/// `GET /metrics`
pub(crate) async fn metrics(State(app): State<Arc<App>>, pass: Pass) -> Answer {
    let counters = app.engine.counters().await;
    let mut text = Text(String::with_capacity(8 << 10));
    write_counters(&counters, &mut text);
    write_stats(&app.engine.stats(), &mut text);
    write_grants(app.engine.grants(), &mut text);
    destinations::write(&app, &mut text).await;
    app.requests.write(&mut text);
    if app.is_home() {
        process::write(&mut text);
    }
    if app.is_home() && pass.scopes().has(Scope::AdminRead) {
        let house = app.house()?;
        let mut tenants = vec![Arc::clone(house.home())];
        tenants.extend(house.others());
        write_tenants(&tenants, &mut text).await;
    }
    Ok((
        [content_type("text/plain; version=0.0.4; charset=utf-8")],
        text.0,
    )
        .into_response())
}

/// Figures of all tenants, by tenant.
async fn write_tenants(tenants: &[Arc<Tenant>], text: &mut Text) {
    let mut usages = Vec::with_capacity(tenants.len());
    for tenant in tenants {
        let app = &tenant.app;
        usages.push(app.quota.usage(&app.engine, true).await);
    }
    type Figure = fn(&TenantUse) -> u64;
    let figures: [(&str, &str, Figure); 5] = [
        ("open_runs", "Runs that have not ended.", |usage| {
            usage.open_runs
        }),
        ("runs", "Runs that are kept.", |usage| usage.runs),
        ("open_jobs", "Jobs that are not settled.", |usage| {
            usage.open_jobs
        }),
        ("peers", "Clients and workers connected.", |usage| {
            usage.peers
        }),
        ("disk_bytes", "Bytes of files on the disk.", |usage| {
            usage.disk_bytes
        }),
    ];
    for (name, help, figure) in figures {
        let name = format!("trunkline_tenant_{name}");
        text.head(&name, "gauge", help);
        for (tenant, usage) in tenants.iter().zip(&usages) {
            let label = format!("{{tenant=\"{}\"}}", tenant.name);
            text.sample(&name, &label, figure(usage));
        }
    }
    let name = "trunkline_tenant_requests_total";
    text.head(name, "counter", "HTTP requests answered, by tenant.");
    for tenant in tenants {
        let label = format!("{{tenant=\"{}\"}}", tenant.name);
        text.sample(name, &label, tenant.app.requests.total());
    }
    let name = "trunkline_tenant_refused_total";
    text.head(name, "counter", "Requests refused by a limit of a tenant.");
    for tenant in tenants {
        for limit in Limit::ALL {
            let label = format!(
                "{{tenant=\"{}\",limit=\"{}\"}}",
                tenant.name,
                limit.as_str()
            );
            text.sample(name, &label, tenant.app.quota.refused(limit));
        }
    }
}

fn write_counters(counters: &Counters, text: &mut Text) {
    text.head("trunkline_runs", "gauge", "Runs that are kept, by status.");
    for (status, count) in RunStatus::ALL.into_iter().zip(counters.runs) {
        let label = format!("{{status=\"{}\"}}", status.as_str());
        text.sample("trunkline_runs", &label, count);
    }
    let states = [
        (
            "trunkline_turns",
            "Turns of runs.",
            vec![
                ("ready", counters.turns_ready),
                ("in_flight", counters.turns_in_flight),
            ],
        ),
        (
            "trunkline_tasks",
            "Tasks that have not ended.",
            vec![
                ("ready", counters.tasks_ready),
                ("in_flight", counters.tasks_in_flight),
                ("delayed", counters.tasks_delayed),
            ],
        ),
        (
            "trunkline_jobs",
            "Egress jobs that are kept, by state.",
            vec![
                ("pending", counters.jobs_pending),
                ("in_flight", counters.jobs_in_flight),
                ("dead", counters.jobs_dead),
            ],
        ),
    ];
    for (name, help, samples) in states {
        text.head(name, "gauge", help);
        for (state, count) in samples {
            text.sample(name, &format!("{{state=\"{state}\"}}"), count);
        }
    }
    text.gauge(
        "trunkline_permits_waiting",
        "Permits of shared limiters that are wanted and not granted.",
        counters.permits_waiting,
    );
    text.counter(
        "trunkline_permits_used_total",
        "Permits of shared limiters with which calls have left, counted by each limiter that granted one.",
        counters.permits_used,
    );
    text.gauge(
        "trunkline_lanes_blocked",
        "Lanes whose first job waits for another job, a limiter or an operator.",
        counters.lanes_blocked,
    );
    text.gauge(
        "trunkline_breakers_open",
        "Destinations whose breaker is not closed.",
        counters.breakers_open,
    );
    for (name, help, count) in [
        (
            "trunkline_jobs_superseded_total",
            "Jobs whose place a newer one took.",
            counters.jobs_superseded,
        ),
        (
            "trunkline_jobs_expired_total",
            "Jobs whose time was over.",
            counters.jobs_expired,
        ),
    ] {
        text.counter(name, help, count);
    }
    text.counter(
        "trunkline_jobs_succeeded_total",
        "Jobs delivered.",
        counters.jobs_succeeded,
    );
    let paused = counters.schedules_paused;
    let fires = counters.fires;
    let name = "trunkline_schedules";
    text.head(name, "gauge", "Schedules, by state.");
    for (state, count) in [("active", counters.schedules - paused), ("paused", paused)] {
        text.sample(name, &format!("{{state=\"{state}\"}}"), count);
    }
    let name = "trunkline_schedule_fires_total";
    text.head(name, "counter", "Fires of schedules, by what came of them.");
    for (end, count) in [
        ("started", fires.started - fires.refused),
        ("refused", fires.refused),
        ("skipped", fires.skipped),
        ("missed", fires.missed),
    ] {
        text.sample(name, &format!("{{end=\"{end}\"}}"), count);
    }
    text.gauge("trunkline_timers", "Timers that are set.", counters.timers);
    text.gauge(
        "trunkline_outbox_messages",
        "Messages between shards that are not yet acknowledged.",
        counters.outbox,
    );
}

fn write_stats(stats: &Stats, text: &mut Text) {
    let seconds = |us: u64| Duration::from_micros(us).as_secs_f64();
    for (name, help, value) in [
        ("inputs", "Inputs taken by shard threads.", stats.inputs),
        (
            "batches",
            "Times a shard thread ran through what waited.",
            stats.batches,
        ),
        ("wakeups", "Times a shard thread woke up.", stats.wakeups),
        ("commits", "Commits made durable.", stats.commits),
        ("commit_bytes", "Bytes of commits.", stats.commit_bytes),
        ("syncs", "Syncs of journals.", stats.syncs),
        ("checkpoints", "Checkpoints written.", stats.checkpoints),
        (
            "checkpoint_rows",
            "Rows written by checkpoints.",
            stats.checkpoint_rows,
        ),
        ("deliveries", "Deliveries begun.", stats.deliveries),
        (
            "peers_dropped",
            "Peers disconnected because they did not read.",
            stats.peers_dropped,
        ),
        (
            "refused",
            "Requests refused at the engine's door.",
            stats.refused,
        ),
    ] {
        text.counter(&format!("trunkline_{name}_total"), help, value);
    }
    text.counter(
        "trunkline_sync_seconds_total",
        "Time spent writing and syncing journals.",
        seconds(stats.sync_us),
    );
    text.counter(
        "trunkline_checkpoint_seconds_total",
        "Time spent writing checkpoints.",
        seconds(stats.checkpoint_us),
    );
    for (name, help, value) in [
        (
            "memtable_bytes",
            "Bytes of commits since the last checkpoint.",
            stats.memtable_bytes,
        ),
        (
            "journal_bytes",
            "Bytes that a restart would replay.",
            stats.journal_bytes,
        ),
        (
            "deliveries_in_flight",
            "Deliveries under way.",
            stats.deliveries_in_flight,
        ),
        ("peers", "Peers connected.", stats.peers),
    ] {
        text.gauge(&format!("trunkline_{name}"), help, value);
    }
}

fn write_grants(grants: GrantFigures, text: &mut Text) {
    let name = "trunkline_credential_grants_total";
    let help = "Access tokens asked for, by what the endpoint answered.";
    text.head(name, "counter", help);
    for (end, count) in [("granted", grants.granted), ("refused", grants.refused)] {
        text.sample(name, &format!("{{end=\"{end}\"}}"), count);
    }
    text.gauge(
        "trunkline_credential_failing",
        "Credentials whose endpoint gave no access token when it was last asked.",
        grants.failing,
    );
}

/// The text under way.
#[derive(Debug)]
pub(crate) struct Text(String);

impl Text {
    pub(crate) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "counter", help);
        self.sample(name, "", value);
    }

    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.sample(name, "", value);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n")
            .expect("a String takes everything");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        writeln!(self.0, "{name}{labels} {value}").expect("a String takes everything");
    }
}

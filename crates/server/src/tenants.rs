//! Tenants come and go: each step is kept before the next, so that a crash in between leaves it there or not.
//!
//! ```text
//! make     keep `making` ─▶ folder, engine ─▶ keep `ready` with the folder's id
//! remove   keep `removing` ─▶ its tokens end, its engine stops ─▶ folder deleted ─▶ forgotten
//! ```
//!
//! A start carries on what was begun. A tenant that is `ready` is opened only on the folder that it was made with: where that is gone,
//! or another is in its place, or it is damaged, the tenant is *unavailable* and the others work.

mod opening;

use crate::house::{House, Standing, Tenant, limits_of};
use crate::pass::now_ms;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use trunkline_api::access::{HOME, TenantLimits};
use trunkline_api::core::code::Code;
use trunkline_api::core::peer::Rejection;
use trunkline_engine::{Config as EngineConfig, Engine, TenantRecord, TenantStage};

pub(crate) use opening::open_all;

/// The folder of the tenants, in the data folder.
const FOLDER: &str = "tenants";
/// Shards of a tenant: a quarter of what a server's own data has, because there are many tenants.
const SHARDS: u16 = 4;
/// Shard threads of a tenant, each of which is three threads of the process.
const THREADS: u16 = 1;
/// What bounds the memory of one tenant. It grows only as far as it is used.
const STORE_CACHE_BYTES_MAX: usize = 8 << 20;
const CHECKPOINT_BYTES_MAX: usize = 16 << 20;
const IDLE_RUNS_MAX: usize = 5_000;
/// Characters of a tenant's name, which is the name of a folder.
const NAME_CHARACTERS_MAX: usize = 40;
/// How long a tenant that is removed may take to finish what is under way.
const GRACE_MAX: Duration = Duration::from_secs(2);
/// How often it is looked whether a tenant has become quiet.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Makes a tenant if it is not there, and sets its limits if any are given. It is carried through even if whoever asked has gone.
pub(crate) async fn put(
    house: &Arc<House>,
    name: String,
    limits: Option<TenantLimits>,
) -> Result<(), Rejection> {
    if name != HOME {
        check_name(&name)?;
    }
    let house = Arc::clone(house);
    carried_through(async move {
        let _change = house.changes.lock().await;
        let home = &house.home().app.engine;
        let found = home.tenants().into_iter().find(|one| one.name == name);
        match found {
            Some(record) if record.stage == TenantStage::Removing => {
                let detail = format!("tenant `{name}` is being removed");
                Err(Rejection::new(Code::TenantInvalid, detail))
            }
            Some(mut record) => {
                if let Some(limits) = limits {
                    set(&mut record, limits);
                    home.keep_tenant(record).await?;
                    apply(&house, &name, limits);
                }
                Ok(())
            }
            None => {
                let mut record = TenantRecord {
                    name: name.clone(),
                    stage: TenantStage::Making,
                    created_at_ms: now_ms(),
                    folder: None,
                    requests_per_second: None,
                    open_runs: None,
                    open_jobs: None,
                    disk_bytes: None,
                };
                let limits = limits.unwrap_or_default();
                set(&mut record, limits);
                if name == HOME {
                    // It is there; only its limits are new.
                    record.stage = TenantStage::Ready;
                    home.keep_tenant(record).await?;
                    apply(&house, HOME, limits);
                    return Ok(());
                }
                make(&house, record).await
            }
        }
    })
    .await
}

fn apply(house: &House, name: &str, limits: TenantLimits) {
    if let Some(Standing::Open(tenant)) = house.standing(name) {
        tenant.app.quota.set(limits);
    }
}

fn set(record: &mut TenantRecord, limits: TenantLimits) {
    record.requests_per_second = limits.requests_per_second;
    record.open_runs = limits.open_runs;
    record.open_jobs = limits.open_jobs;
    record.disk_bytes = limits.disk_bytes;
}

async fn make(house: &Arc<House>, record: TenantRecord) -> Result<(), Rejection> {
    let invalid = |detail: String| Err(Rejection::new(Code::TenantInvalid, detail));
    let home = &house.home().app.engine;
    let count = home.tenants().iter().filter(|one| one.name != HOME).count();
    let max = house.config.tenants_max;
    if count >= max {
        return invalid(format!("there are {count} tenants; the limit is {max}"));
    }
    let name = record.name.clone();
    let folder = folder_of(house, &name)?;
    if folder.exists() {
        // It may be somebody's data, of whom nothing is known any more.
        return invalid(format!(
            "there is already something at {}",
            folder.display()
        ));
    }
    home.keep_tenant(record.clone()).await?;
    match open(house, record).await {
        Ok(()) => {
            tracing::info!(tenant = name, "a tenant is made");
            Ok(())
        }
        Err(rejection) => {
            // Nobody has put anything into it.
            remove_folder(folder).await?;
            home.forget_tenant(name).await?;
            Err(rejection)
        }
    }
}

/// Opens a tenant, whose folder is made if it is only being made.
async fn open(house: &Arc<House>, mut record: TenantRecord) -> Result<(), Rejection> {
    let home = &house.home().app.engine;
    let folder = folder_of(house, &record.name)?;
    let settings = house.config.tenants.as_ref().ok_or_else(no_tenants)?;
    let mut config = settings_of(settings, &record.name, folder.clone());
    let is_new = record.stage == TenantStage::Making;
    if is_new {
        config.shards = Some(SHARDS);
        config.threads = Some(THREADS);
    }
    let runtime = Handle::current();
    let opened = blocking(move || {
        if is_new {
            make_folder(&config.data_dir).map_err(|error| unusable(&config.data_dir, &error))?;
        } else if !config.data_dir.join("TRUNKLINE").exists() {
            let detail = format!("its data folder {} is gone", config.data_dir.display());
            return Err(Rejection::new(Code::TenantUnavailable, detail));
        }
        Engine::open(config, runtime).map_err(|error| {
            let detail = format!("{}: {}", error.code, error.message);
            Rejection::new(Code::TenantUnavailable, detail)
        })
    });
    let engine = opened.await?;
    let id = engine.folder_id();
    if is_new {
        record.folder = id;
        record.stage = TenantStage::Ready;
        home.keep_tenant(record.clone()).await?;
    } else if id != record.folder {
        engine.shutdown(Duration::ZERO).await;
        let detail = format!("{} is another tenant's data", folder.display());
        return Err(Rejection::new(Code::TenantUnavailable, detail));
    }
    let tenant = house.tenant(&record.name, engine, limits_of(&record), Some(folder));
    house.admit(tenant);
    Ok(())
}

fn settings_of(settings: &EngineConfig, name: &str, folder: PathBuf) -> EngineConfig {
    EngineConfig {
        data_dir: folder,
        shards: None,
        threads: None,
        thrifty: true,
        tenant: name.to_owned(),
        store_cache_bytes: settings.store_cache_bytes.min(STORE_CACHE_BYTES_MAX),
        checkpoint_bytes: settings.checkpoint_bytes.min(CHECKPOINT_BYTES_MAX),
        idle_runs_max: settings.idle_runs_max.min(IDLE_RUNS_MAX),
        ..settings.clone()
    }
}

/// Removes a tenant, with its tokens and its data. One that is not empty is removed only by `force`.
pub(crate) async fn remove(house: &Arc<House>, name: String, force: bool) -> Result<(), Rejection> {
    if name == HOME {
        let detail = format!("`{HOME}` is the server's own tenant and stays");
        return Err(Rejection::new(Code::TenantInvalid, detail));
    }
    let house = Arc::clone(house);
    carried_through(async move {
        let _change = house.changes.lock().await;
        let home = &house.home().app.engine;
        let found = home.tenants().into_iter().find(|one| one.name == name);
        let mut record = found.ok_or_else(|| not_found(&name))?;
        if let Some(Standing::Open(tenant)) = house.standing(&name) {
            if !force {
                check_is_empty(&tenant).await?;
            }
            // From here on nothing is accepted, and what was has been counted.
            tenant.app.activity.close();
            become_quiet(&tenant).await;
            if !force && let Err(rejection) = check_is_empty(&tenant).await {
                tenant.app.activity.open();
                return Err(rejection);
            }
        } else if !force {
            let detail = format!("what tenant `{name}` has cannot be looked at");
            return Err(Rejection::new(Code::TenantNotEmpty, detail));
        }
        record.stage = TenantStage::Removing;
        home.keep_tenant(record).await?;
        tracing::info!(tenant = name, force, "a tenant is removed");
        finish_removal(&house, &name).await
    })
    .await
}

/// Waits until nothing is under way, so that nothing is acknowledged behind our back.
async fn become_quiet(tenant: &Tenant) {
    let quiet = async {
        while !tenant.app.activity.is_quiet() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    // What is called off ends at its next await; the bound is for what never gets to one.
    let _ = tokio::time::timeout(GRACE_MAX, quiet).await;
}

async fn check_is_empty(tenant: &Tenant) -> Result<(), Rejection> {
    let engine = &tenant.app.engine;
    let counters = engine.counters().await;
    let runs: u64 = counters.runs.iter().sum();
    let jobs = counters.jobs_pending + counters.jobs_in_flight + counters.jobs_dead;
    let destinations = engine.list_destinations().await?.len() as u64;
    let credentials = engine.credentials().await?.len() as u64;
    let has: Vec<String> = [
        (runs, "runs"),
        (jobs, "jobs"),
        (counters.schedules, "schedules"),
        (destinations, "destinations"),
        (credentials, "credentials"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    if has.is_empty() {
        return Ok(());
    }
    let detail = format!("tenant `{}` has {}", tenant.name, has.join(", "));
    Err(Rejection::new(Code::TenantNotEmpty, detail))
}

async fn finish_removal(house: &Arc<House>, name: &str) -> Result<(), Rejection> {
    for token in house.register.list(Some(name)) {
        house.register.revoke(&token.id).await?;
    }
    if let Some(Standing::Open(tenant)) = house.dismiss(name) {
        tenant
            .app
            .engine
            .shutdown(house.config.grace.min(GRACE_MAX))
            .await;
    }
    remove_folder(folder_of(house, name)?).await?;
    let home = &house.home().app.engine;
    home.forget_tenant(name.to_owned()).await
}

/// The folder of a tenant.
fn folder_of(house: &House, name: &str) -> Result<PathBuf, Rejection> {
    let settings = house.config.tenants.as_ref().ok_or_else(no_tenants)?;
    // It comes from a row, which may be damaged: it must not lead elsewhere.
    check_name(name)?;
    Ok(settings.data_dir.join(FOLDER).join(name))
}

fn check_name(name: &str) -> Result<(), Rejection> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    let ends_well =
        bytes.first().copied().is_some_and(is_plain) && bytes.last().copied().is_some_and(is_plain);
    let is_name = ends_well
        && bytes.len() <= NAME_CHARACTERS_MAX
        && bytes.iter().all(|&byte| is_plain(byte) || byte == b'-');
    if is_name && name != HOME {
        return Ok(());
    }
    let detail = format!(
        "a tenant's name has 1 to {NAME_CHARACTERS_MAX} characters: a to z, 0 to 9, and - between them"
    );
    Err(Rejection::new(Code::TenantInvalid, detail))
}

pub(crate) fn not_found(name: &str) -> Rejection {
    Rejection::new(Code::TenantNotFound, format!("tenant `{name}`"))
}

fn no_tenants() -> Rejection {
    let detail = "this server has one tenant only";
    Rejection::new(Code::TenantInvalid, detail)
}

fn unusable(folder: &Path, error: &io::Error) -> Rejection {
    let detail = format!("the folder {} cannot be used: {error}", folder.display());
    Rejection::new(Code::TenantUnavailable, detail)
}

/// Makes a folder, and makes sure of it and of the one that it lies in.
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    sync_above(folder)
}

fn sync_above(folder: &Path) -> io::Result<()> {
    let mut above = folder.parent();
    for _ in 0..2 {
        let Some(parent) = above else { break };
        File::open(parent)?.sync_all()?;
        above = parent.parent();
    }
    Ok(())
}

async fn remove_folder(folder: PathBuf) -> Result<(), Rejection> {
    blocking(move || {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(unusable(&folder, &error));
            }
            _ => {}
        }
        match sync_above(&folder) {
            // There was never a tenant.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(&folder, &error)),
            _ => Ok(()),
        }
    })
    .await
}

async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Rejection> {
    let done = tokio::task::spawn_blocking(what).await;
    done.unwrap_or_else(|_| Err(broke_off()))
}

async fn carried_through<T: Send + 'static>(
    what: impl Future<Output = Result<T, Rejection>> + Send + 'static,
) -> Result<T, Rejection> {
    tokio::spawn(what)
        .await
        .unwrap_or_else(|_| Err(broke_off()))
}

fn broke_off() -> Rejection {
    Rejection::new(Code::Internal, "the change broke off")
}

#[cfg(test)]
mod tests;

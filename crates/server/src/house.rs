//! The house: what all tenants of a server share, and the tenants in it.
//!
//! A tenant is an engine of its own, with a data folder of its own, and a router of its own whose handlers have that engine and no
//! other in hand. So no request can name what belongs to another tenant: there is no name for it.

use crate::app::App;
use crate::config::Config;
use crate::metrics::Requests;
use crate::quota::Quota;
use crate::register::Register;
use crate::router::router;
use axum::Router;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use trunkline_api::access::{HOME, TenantLimits};
use trunkline_api::core::peer::Rejection;
use trunkline_engine::{Engine, Health, TenantRecord};

/// What all tenants of a server share.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) config: Config,
    /// True once the server has been told to stop.
    pub(crate) stopping: watch::Receiver<bool>,
    /// The valid tokens.
    pub(crate) register: Register,
    home: OnceLock<Arc<Tenant>>,
    /// The others, by name.
    others: RwLock<BTreeMap<String, Standing>>,
    /// One change of tenants at a time.
    pub(crate) changes: tokio::sync::Mutex<()>,
    /// Why the engine of a tenant failed.
    failure: watch::Sender<Option<String>>,
}

/// How a tenant that is kept stands.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    Open(Arc<Tenant>),
    /// Its data cannot be used, and why.
    Unavailable(String),
}

/// A tenant that is open.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) app: Arc<App>,
    pub(crate) router: Router,
    /// Looks whether its engine fails.
    watcher: OnceLock<AbortHandle>,
}

impl Drop for Tenant {
    fn drop(&mut self) {
        if let Some(watcher) = self.watcher.get() {
            watcher.abort();
        }
    }
}

/// What goes on in a tenant, so that it can be known when nothing does.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    under_way: AtomicUsize,
    closing: AtomicBool,
    /// Grows whenever what is under way is to end.
    called_off: watch::Sender<u64>,
}

/// Something that goes on in a tenant.
#[derive(Debug)]
pub(crate) struct Active<'a>(&'a Activity);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Activity {
    /// Begins something, unless nothing more may begin.
    pub(crate) fn begin(&self) -> Option<Active<'_>> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let active = Active(self);
        (!self.closing.load(Ordering::SeqCst)).then_some(active)
    }

    /// Returns when what is under way is to end.
    pub(crate) async fn called_off(&self) {
        let mut calls = self.called_off.subscribe();
        if !self.closing.load(Ordering::SeqCst) {
            // An error means that the tenant is gone.
            let _ = calls.changed().await;
        }
    }

    /// Lets nothing more begin, and has what is under way end.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.called_off.send_modify(|calls| *calls += 1);
    }

    pub(crate) fn open(&self) {
        self.closing.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) == 0
    }
}

impl House {
    /// A house with the default tenant in it.
    pub(crate) fn new(
        engine: Engine,
        config: Config,
        stopping: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let house = Arc::new(Self {
            register: Register::new(engine.clone()),
            config,
            stopping,
            home: OnceLock::new(),
            others: RwLock::default(),
            changes: tokio::sync::Mutex::default(),
            failure: watch::Sender::new(None),
        });
        let limits = engine
            .tenants()
            .iter()
            .find(|record| record.name == HOME)
            .map(limits_of)
            .unwrap_or_default();
        let folder = house.config.tenants.as_ref();
        let folder = folder.map(|engine| engine.data_dir.clone());
        let home = house.tenant(HOME, engine, limits, folder);
        house.home.get_or_init(|| home);
        house
    }

    /// A tenant of this house.
    pub(crate) fn tenant(
        self: &Arc<Self>,
        name: &str,
        engine: Engine,
        limits: TenantLimits,
        folder: Option<PathBuf>,
    ) -> Arc<Tenant> {
        let app = Arc::new(App {
            engine,
            config: self.config.clone(),
            requests: Requests::default(),
            peers: Arc::new(Semaphore::new(self.config.peers_max)),
            streams: Arc::new(Semaphore::new(self.config.streams_max)),
            stopping: self.stopping.clone(),
            tenant: name.to_owned(),
            quota: Quota::new(limits, folder),
            activity: Activity::default(),
            house: Arc::downgrade(self),
        });
        Arc::new(Tenant {
            name: name.to_owned(),
            router: router(Arc::clone(&app)),
            app,
            watcher: OnceLock::new(),
        })
    }

    /// Lets a tenant in. If its engine fails, the server does.
    pub(crate) fn admit(self: &Arc<Self>, tenant: Arc<Tenant>) {
        let engine = tenant.app.engine.clone();
        let house = Arc::downgrade(self);
        let watcher = tokio::spawn(async move {
            engine.failed().await;
            if let (Some(house), Health::Failed(reason)) = (Weak::upgrade(&house), engine.health())
            {
                house.failure.send_replace(Some(reason));
            }
        });
        tenant.watcher.get_or_init(|| watcher.abort_handle());
        self.note(&tenant.name.clone(), Standing::Open(tenant));
    }

    /// Notes how a tenant stands.
    pub(crate) fn note(&self, name: &str, standing: Standing) {
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        others.insert(name.to_owned(), standing);
    }

    /// Has a tenant go: nobody finds it any more.
    pub(crate) fn dismiss(&self, name: &str) -> Option<Standing> {
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        others.remove(name)
    }

    /// Has all tenants but the default one go.
    pub(crate) fn dismiss_all(&self) {
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        others.clear();
    }

    /// The default tenant.
    pub(crate) fn home(&self) -> &Arc<Tenant> {
        self.home.get().expect("it is set when the house is made")
    }

    /// How the tenant `name` stands; nothing if there is none.
    pub(crate) fn standing(&self, name: &str) -> Option<Standing> {
        if name == HOME {
            return Some(Standing::Open(Arc::clone(self.home())));
        }
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        others.get(name).cloned()
    }

    /// The open tenants beside the default one.
    pub(crate) fn others(&self) -> Vec<Arc<Tenant>> {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        others
            .values()
            .filter_map(|standing| match standing {
                Standing::Open(tenant) => Some(Arc::clone(tenant)),
                Standing::Unavailable(_) => None,
            })
            .collect()
    }

    /// Returns why, once the engine of any tenant has failed.
    pub(crate) async fn failed(&self) -> String {
        let mut failure = self.failure.subscribe();
        let told = async move {
            let reason = failure.wait_for(Option::is_some).await;
            // The sender is in this house, so that it cannot be gone.
            reason
                .map_or_else(|_| None, |reason| reason.clone())
                .unwrap_or_default()
        };
        let home = &self.home().app.engine;
        tokio::select! {
            () = home.failed() => match home.health() {
                Health::Failed(reason) => reason,
                other => format!("{other:?}"),
            },
            reason = told => reason,
        }
    }

    /// Why an engine has failed, if one has.
    pub(crate) fn failure(&self) -> Option<String> {
        match self.home().app.engine.health() {
            Health::Failed(reason) => Some(reason),
            _ => self.failure.borrow().clone(),
        }
    }

    /// Returns once the server has been told to stop.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // An error means that the sender is gone, and with it the server.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }

    /// Has the register take what the operator's file says.
    pub(crate) async fn settle_admin_token(&self) -> Result<(), Rejection> {
        match &self.config.admin_token {
            Some(token) => self.register.take_from_file(token).await,
            None => Ok(()),
        }
    }
}

pub(crate) fn limits_of(record: &TenantRecord) -> TenantLimits {
    TenantLimits {
        requests_per_second: record.requests_per_second,
        open_runs: record.open_runs,
        open_jobs: record.open_jobs,
        disk_bytes: record.disk_bytes,
    }
}

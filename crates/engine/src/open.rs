//! Opening: the data folder, then every shard thread's store and journal, in parallel, then the threads.

use crate::checkpoint::Keeper;
use crate::clock::Clock;
use crate::config::{Config, SHARDS_DEFAULT, threads_default};
use crate::credentials::Credentials;
use crate::delivery::Deliveries;
use crate::delivery::client::client;
use crate::delivery::guard::Guard;
use crate::driver::{Batch, Driver, Share};
use crate::error::OpenError;
use crate::feed::Feed;
use crate::filter::FilteredStore;
use crate::lanes::Lanes;
use crate::node::{Bounds, Node};
use crate::scribe::Scribe;
use crate::thread::ShardThread;
use crate::upkeep::Upkeep;
use crate::writer::Writer;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::thread::JoinHandle;
use trunkline_core::code::Code;
use trunkline_core::egress::LaneBy;
use trunkline_core::feed::FeedSettings;
use trunkline_core::peer::Kept;
use trunkline_core::shard::Settings;
use trunkline_journal::folder::{journal_dir, store_file};
use trunkline_journal::{Disk, Folder, FolderMeta, Journal, Options, RedbStore, Store, Thrift};

/// The first segment of a journal that takes little disk before it is used.
const FIRST_SEGMENT_BYTES: u64 = 4 << 20;

/// An opened engine: its data folder, what its threads share, and the threads.
pub(crate) struct Opened {
    pub(crate) folder: Folder,
    pub(crate) node: Arc<Node>,
    pub(crate) threads: Vec<JoinHandle<()>>,
}

/// What one shard thread works on.
struct Recovered {
    driver: Driver,
    journal: Journal,
    store: Arc<FilteredStore>,
    first: Batch,
}

pub(crate) fn open(
    disk: &Arc<dyn Disk>,
    config: &Config,
    clock: Clock,
    runtime: tokio::runtime::Handle,
) -> Result<Opened, OpenError> {
    let folder = open_folder(Arc::clone(disk), config)?;
    let shards = u16::try_from(folder.meta().shards).map_err(|_| {
        OpenError::new(
            Code::DataFolderVersion,
            "the data folder has too many shards",
        )
    })?;
    let threads = u16::try_from(folder.meta().journals).map_err(|_| {
        OpenError::new(
            Code::DataFolderVersion,
            "the data folder has too many journals",
        )
    })?;
    let bounds = Bounds {
        mailbox_bytes: config.mailbox_bytes_max,
        inbox_inputs: config.inbox_inputs_max,
        inbox_bytes: config.inbox_bytes_max,
        retention_ms: config.retention_ms,
    };
    let feed = Feed::new(
        folder.meta().id as u64,
        config.events_retention_ms > 0,
        shards,
    );
    let guard = Guard::new(config.egress_allow.clone());
    let client = client(guard, config.egress_ca_file.as_deref()).map_err(|reason| {
        let detail = format!("the authorities that deliveries trust: {reason}");
        OpenError::new(Code::ConfigInvalid, detail)
    })?;
    let deliveries = Deliveries::new(runtime, client);
    let credentials = Credentials::new(&config.tenant, config.vault.clone());
    let node = Node::new(
        shards,
        threads,
        bounds,
        clock,
        deliveries,
        feed,
        credentials,
    );
    let node = Arc::new(node);
    node.credentials.belong_to(&node);
    let recovered = recover_all(&folder, config, &node, shards, threads)?;
    for (workflow, version) in recovered
        .iter()
        .flat_map(|thread| thread.driver.workflows())
    {
        node.workflows.learn(&workflow, version);
    }
    let credentials = recovered[0].driver.kept(Kept::Credential);
    node.credentials
        .recover(credentials)
        .map_err(|rejection| OpenError::new(rejection.code, rejection.detail.as_str()))?;
    let shard_0 = &recovered[0].driver;
    node.access
        .recover(shard_0.kept(Kept::ApiToken), shard_0.kept(Kept::Tenant))
        .map_err(|rejection| OpenError::new(rejection.code, rejection.detail.as_str()))?;
    let mut handles = Vec::new();
    for (index, recovered) in recovered.into_iter().enumerate() {
        if let Err(error) = start(disk, config, &node, index, recovered, &mut handles) {
            node.end();
            for handle in handles {
                // A thread that panicked has said so.
                let _ = handle.join();
            }
            return Err(OpenError::new(
                Code::Internal,
                format!("a thread cannot be started: {error}"),
            ));
        }
    }
    Ok(Opened {
        folder,
        node,
        threads: handles,
    })
}

fn open_folder(disk: Arc<dyn Disk>, config: &Config) -> Result<Folder, OpenError> {
    if config.shards == Some(0) || config.threads == Some(0) {
        return Err(OpenError::new(
            Code::ConfigInvalid,
            "there is at least one shard and one thread",
        ));
    }
    let shards = config.shards.unwrap_or(SHARDS_DEFAULT);
    let threads = config.threads.unwrap_or_else(threads_default).min(shards);
    let meta = FolderMeta {
        id: random(),
        shards: u32::from(shards),
        journals: u32::from(threads),
    };
    let folder =
        Folder::open_or_create(disk, meta).map_err(|error| OpenError::of_journal(&error))?;
    let found = *folder.meta();
    let differs =
        |wanted: Option<u16>, found: u32| wanted.is_some_and(|wanted| u32::from(wanted) != found);
    if differs(config.shards, found.shards)
        || differs(
            config.threads.map(|threads| threads.min(shards)),
            found.journals,
        )
    {
        return Err(OpenError::new(
            Code::DataFolderSettings,
            format!(
                "the data folder has {} shards and {} threads; they are fixed when it is made",
                found.shards, found.journals
            ),
        ));
    }
    Ok(folder)
}

/// A number that tells this data folder from every other: the standard library's source of random hash keys.
fn random() -> u128 {
    let half = || u128::from(RandomState::new().build_hasher().finish());
    half() << 64 | half()
}

fn recover_all(
    folder: &Folder,
    config: &Config,
    node: &Node,
    shards: u16,
    threads: u16,
) -> Result<Vec<Recovered>, OpenError> {
    let lanes: Arc<dyn LaneBy> = Arc::new(Lanes::default());
    std::thread::scope(|scope| {
        let recoveries: Vec<_> = (0..threads)
            .map(|thread| {
                let share = Share {
                    thread,
                    threads,
                    settings: Settings {
                        shards,
                        retention_ms: config.retention_ms,
                        idle_runs_max: config.idle_runs_max,
                        feed: FeedSettings {
                            retention_ms: config.events_retention_ms,
                            bytes_max: config.events_bytes_max / u64::from(shards),
                        },
                        lane_by: Arc::clone(&lanes),
                    },
                };
                scope.spawn(move || recover(folder, config, node, share))
            })
            .collect();
        recoveries
            .into_iter()
            .map(|recovery| {
                recovery
                    .join()
                    .unwrap_or_else(|_| Err(OpenError::new(Code::Internal, "recovery panicked")))
            })
            .collect()
    })
}

fn recover(
    folder: &Folder,
    config: &Config,
    node: &Node,
    share: Share,
) -> Result<Recovered, OpenError> {
    let disk = folder.disk();
    let number = u32::from(share.thread);
    let store = RedbStore::open(&**disk, &store_file(number), config.store_cache_bytes)
        .map_err(|error| OpenError::of_store(&error))?;
    let store = Arc::new(FilteredStore::new(Arc::new(store)));
    let mut options = Options::new(folder.meta().journal_id(number));
    options.segment_bytes = config.segment_bytes;
    options.free_bytes_min = config.free_bytes_min;
    if config.thrifty {
        let first_segment_bytes = FIRST_SEGMENT_BYTES.min(config.segment_bytes);
        options.thrift = Some(Thrift {
            first_segment_bytes,
        });
        options.retired_max = 1;
    }
    // As large as a segment allows: the limits of the core bound a commit, and its owner cuts batches.
    options.frame_bytes_max = (config.segment_bytes.saturating_sub(8_192)).min(1 << 30) as usize;
    let (driver, journal, first) = Driver::open(
        share,
        Arc::clone(&store) as Arc<dyn Store>,
        Arc::clone(disk),
        &journal_dir(number),
        options,
        node.clock.now(),
    )
    .map_err(|error| {
        // Recovery reads both.
        let store = store_file(number);
        if error.file() == Some(store.as_str()) {
            OpenError::of_store(&error)
        } else {
            OpenError::of_journal(&error)
        }
    })?;
    Ok(Recovered {
        driver,
        journal,
        store,
        first,
    })
}

/// Starts the three threads around one driver.
fn start(
    disk: &Arc<dyn Disk>,
    config: &Config,
    node: &Arc<Node>,
    index: usize,
    recovered: Recovered,
    handles: &mut Vec<JoinHandle<()>>,
) -> std::io::Result<()> {
    let inbox = Arc::clone(&node.inboxes[index]);
    let desk = Arc::clone(&node.desks[index]);
    let chores = Arc::clone(&node.chores[index]);
    let keeper = Keeper {
        node: Arc::clone(node),
        chores: Arc::clone(&chores),
        desk: Arc::clone(&desk),
        inbox: Arc::clone(&inbox),
        upkeep: Upkeep::new(
            Arc::clone(disk),
            recovered.store,
            recovered.journal.spare_maker(),
            config.free_bytes_min,
        ),
    };
    // The first spares are made in the background, too.
    chores.prepare();
    let writer = Writer {
        node: Arc::clone(node),
        desk: Arc::clone(&desk),
        chores,
        scribe: Scribe::new(recovered.journal),
    };
    let thread = ShardThread {
        node: Arc::clone(node),
        inbox,
        desk,
        driver: recovered.driver,
        checkpoint_bytes: config.checkpoint_bytes.max(1),
    };
    let first = recovered.first;
    let mut spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new()
            .name(format!("{name}-{index}"))
            .spawn(run)
            .map(|handle| handles.push(handle))
    };
    spawn("keeper", guarded(node, move || keeper.run()))?;
    spawn("journal", guarded(node, move || writer.run()))?;
    spawn("shards", guarded(node, move || thread.run(first)))
}

/// A thread that panics takes the engine with it: what it did not finish must not look like silence.
fn guarded(node: &Arc<Node>, run: impl FnOnce() + Send + 'static) -> Box<dyn FnOnce() + Send> {
    struct Guard(Arc<Node>);
    impl Drop for Guard {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.fail("a thread of the engine panicked");
            }
        }
    }
    let guard = Guard(Arc::clone(node));
    Box::new(move || {
        let _guard = guard;
        run();
    })
}

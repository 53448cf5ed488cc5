//! Failing disks: the engine stops, acknowledges nothing more, and the next one finds what was acknowledged.

use crate::{PATIENCE, describe, player, small, start};
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;
use trunkline_core::code::Code;
use trunkline_core::ids::{RequestId, RunId};
use trunkline_core::peer::{FromPeer, Op};
use trunkline_engine::{Config, Engine, Health};
use trunkline_journal::{CrashPolicy, Disk, DiskFile, DiskLock, SimDisk};

fn config() -> Config {
    let mut config = Config::new("unused");
    config.shards = Some(4);
    config.threads = Some(1);
    small(&mut config);
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_stops_everything_and_what_was_acknowledged_survives() {
    // The operation that fails is one of the next: a write of the journal, or a sync.
    for after in 0..6 {
        let disk = SimDisk::new();
        let engine = Engine::open_on(Arc::new(disk.clone()), &config(), Handle::current()).unwrap();
        let (_session, mut mailbox) = player::worker(&engine, 0, 0);
        let mut acknowledged = Vec::new();
        for id in 0..20 {
            let id = id.to_string();
            engine.request(start("pair", &id, "\"a\"")).await.unwrap();
            acknowledged.push(id);
        }
        disk.stop_at(disk.operations() + after);
        let refused = loop {
            let id = acknowledged.len().to_string();
            match engine.request(start("pair", &id, "\"a\"")).await {
                Ok(_) => acknowledged.push(id),
                Err(refused) => break refused,
            }
        };
        assert_eq!(refused.code, Code::JournalPoisoned);
        tokio::time::timeout(PATIENCE, engine.failed())
            .await
            .unwrap();
        assert!(matches!(engine.health(), Health::Failed(_)));
        assert!(mailbox.recv().await.is_none(), "peers are let go");
        let refused = engine
            .request(start("pair", "more", "\"a\""))
            .await
            .unwrap_err();
        assert_eq!(refused.code, Code::JournalPoisoned);
        drop(engine);
        drop(_session);

        let disk = disk.crash(CrashPolicy::DropAll, after);
        let engine = Engine::open_on(Arc::new(disk), &config(), Handle::current()).unwrap();
        for id in acknowledged {
            assert_eq!(&*describe(&engine, "pair", &id).await.id.id, id);
        }
        engine.shutdown(PATIENCE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_folder_is_refused_with_the_place_of_the_damage() {
    let disk = SimDisk::new();
    let engine = Engine::open_on(Arc::new(disk.clone()), &config(), Handle::current()).unwrap();
    let (session, mailbox) = player::worker(&engine, 0, 0);
    for id in 0..20 {
        let op = start("pair", &id.to_string(), "\"a\"");
        engine.request(op).await.unwrap();
    }
    drop((engine, session, mailbox));
    let whole = disk.restart();
    let files = whole.contents();
    let segment = files.keys().find(|name| name.ends_with(".seg")).unwrap();
    for (name, byte, code) in [
        // In the body of the first frame, behind the header of the segment.
        (segment.as_str(), 4_096 + 40, Code::JournalDamaged),
        ("store-0.redb", 3, Code::StoreDamaged),
        ("TRUNKLINE", 30, Code::JournalDamaged),
    ] {
        let damaged = whole.restart();
        damaged.flip_bit(name, byte, 1);
        let before = damaged.contents();
        let any: Arc<dyn Disk> = Arc::new(damaged.clone());
        let error = Engine::open_on(any, &config(), Handle::current()).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(name), "{error}");
        let after = damaged.contents();
        assert_eq!(after.get(name), before.get(name), "{name} is left as it is");
    }
    let engine = Engine::open_on(Arc::new(whole), &config(), Handle::current()).unwrap();
    describe(&engine, "pair", "19").await;
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_before_it_is_synced() {
    let disk = GatedDisk::new();
    let engine = Engine::open_on(Arc::new(disk.clone()), &config(), Handle::current()).unwrap();
    let (session, mut mailbox) = player::worker(&engine, 0, 0);
    engine.request(start("pair", "0", "\"a\"")).await.unwrap();

    disk.gate.close();
    let look = Op::DescribeRun {
        run: RunId::new("pair", "1"),
    };
    // An answer that says nothing new waits, too: it rests on what is not durable.
    session.send(vec![
        FromPeer::Request(RequestId(1), start("pair", "1", "\"a\"")),
        FromPeer::Request(RequestId(2), look.clone()),
    ]);
    let gate = Arc::clone(&disk.gate);
    tokio::task::spawn_blocking(move || gate.await_knock())
        .await
        .unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(50), mailbox.recv()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let lost = disk.disk.crash(CrashPolicy::DropAll, 0);

    disk.gate.open();
    let mut answers = Vec::new();
    while answers.len() < 2 {
        let more = tokio::time::timeout(PATIENCE, mailbox.recv()).await;
        answers.extend(more.unwrap().unwrap());
    }
    engine.shutdown(PATIENCE).await;

    // Had the machine died while the sync was under way, the run would never have been: nobody was told that it is.
    let engine = Engine::open_on(Arc::new(lost), &config(), Handle::current()).unwrap();
    assert_eq!(
        engine.request(look).await.unwrap_err().code,
        Code::RunNotFound
    );
    describe(&engine, "pair", "0").await;
    engine.shutdown(PATIENCE).await;
}

/// A disk whose syncs wait at a gate.
#[derive(Clone, Debug)]
struct GatedDisk {
    disk: SimDisk,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Gate {
    fn close(&self) {
        *self.state.lock().unwrap() = (true, false);
    }

    fn open(&self) {
        self.state.lock().unwrap().0 = false;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.1 = true;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| state.0).unwrap());
    }

    fn await_knock(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| !state.1).unwrap());
    }
}

impl GatedDisk {
    fn new() -> Self {
        Self {
            disk: SimDisk::new(),
            gate: Arc::default(),
        }
    }

    fn gated(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(GatedFile {
            file,
            gate: Arc::clone(&self.gate),
        })
    }
}

impl Disk for GatedDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(name).map(|file| self.gated(file))
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(name).map(|file| self.gated(file))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.disk.create_dir(dir)
    }
    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
    fn lock(&self) -> io::Result<DiskLock> {
        self.disk.lock()
    }
}

#[derive(Debug)]
struct GatedFile {
    file: Arc<dyn DiskFile>,
    gate: Arc<Gate>,
}

impl DiskFile for GatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(data, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass();
        self.file.sync_data()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn drop_cache(&self) -> io::Result<()> {
        self.file.drop_cache()
    }
}

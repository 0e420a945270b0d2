//! What the tests of the embedded engine share.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use prominence_core::clock::ManualClock;
use prominence_core::{
    Clock, Commit, Committed, Entry, Key, Lifetime, Namespace, Operation, Prefix, Quota, Store,
    StoreError, Timestamp, Value,
};
use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::Options;

/// When the clocks of these tests start.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// How long something that another thread or process does may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(START))
}

/// Options for a test: no upkeep but what the test asks for, and no demands on the disk.
pub(crate) fn options(folder: &Path) -> Options {
    Options {
        quotas: Quota::UNLIMITED.into(),
        min_free_disk: 0,
        upkeep_every: Duration::from_hours(1),
        // Small, so that few keys make several pieces.
        deletion_piece: 1_000,
        ..Options::new(folder)
    }
}

pub(crate) fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(options(folder), clock()).unwrap()
}

pub(crate) fn alice() -> Namespace {
    Namespace::parse("alice").unwrap()
}

pub(crate) fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

pub(crate) fn everything() -> Prefix {
    Prefix::everything()
}

pub(crate) fn set(text: &str, value: impl Into<Vec<u8>>, lifetime: Lifetime) -> Commit {
    let operation = Operation::Set {
        key: key(text),
        value: Value::stored(value.into().into()),
        lifetime,
    };
    Commit::single(None, operation)
}

pub(crate) async fn put(
    store: &EmbeddedStore,
    text: &str,
    value: impl Into<Vec<u8>>,
) -> Result<Committed, StoreError> {
    let commit = set(text, value, Lifetime::Permanent);
    store.commit(&alice(), None, commit).await
}

pub(crate) async fn get(store: &EmbeddedStore, text: &str) -> Option<Vec<u8>> {
    let entry: Option<Entry> = store.get(&alice(), &key(text)).await.unwrap();
    entry.map(|entry| entry.value.as_bytes().to_vec())
}

/// Tries again until it works, for a while.
pub(crate) async fn eventually<T, E: Display>(attempt: impl AsyncFn() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < deadline, "it still fails: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A clock that makes who asks for the time wait, while it is shut. It shows a millisecond more each
/// time, so that the times of entries tell in which order they were written.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    is_shut: bool,
    waiting: usize,
    asked: u64,
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.state.lock().unwrap().is_shut = true;
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().is_shut = false;
        self.changed.notify_all();
    }

    /// Waits until somebody waits at the gate.
    pub(crate) fn wait_for_someone(&self) {
        let state = self.state.lock().unwrap();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.waiting == 0)
            .unwrap();
        assert!(state.waiting > 0, "nobody came to the gate");
    }
}

impl Clock for Gate {
    fn now(&self) -> Timestamp {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        while state.is_shut {
            state = self.changed.wait(state).unwrap();
        }
        state.waiting -= 1;
        state.asked += 1;
        START.after(Duration::from_millis(state.asked))
    }

    fn not_before(&self, _: Timestamp) {}
}

/// A small file system in memory, which can be filled up and made read-only without harm.
pub(crate) struct SmallDisk {
    path: PathBuf,
    _parent: tempfile::TempDir,
}

impl SmallDisk {
    pub(crate) fn new(mebibytes: u32) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let disk = Self {
            path,
            _parent: parent,
        };
        let size = format!("size={mebibytes}m");
        disk.mount(&["-t", "tmpfs", "-o", &size, "tmpfs"]);
        disk
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn make_read_only(&self) {
        self.mount(&["-o", "remount,ro"]);
    }

    /// Takes all room but so many bytes. The file is the caller's to remove.
    pub(crate) fn fill(&self, leave: u64) -> PathBuf {
        let stat = rustix::fs::statvfs(&self.path).unwrap();
        let free = stat.f_bavail * stat.f_frsize;
        let filler = self.path.join("filler");
        let file = std::fs::File::create(&filler).unwrap();
        let size = free.saturating_sub(leave);
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size).unwrap();
        filler
    }

    fn mount(&self, arguments: &[&str]) {
        let status = Command::new("mount")
            .args(arguments)
            .arg(&self.path)
            .status();
        let mounted = status.as_ref().is_ok_and(std::process::ExitStatus::success);
        assert!(
            mounted,
            "this test has to mount a tmpfs, which takes root and CAP_SYS_ADMIN: {status:?}"
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

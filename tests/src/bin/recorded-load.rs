//! Opens a store and starts several writers, for a test that records their system calls.
//!
//! It writes notes to a file, one `write` each: `start WRITER` before each commit and `ack WRITER REVISION` after its
//! acknowledgement.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a part of a test"
)]

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use prominence_core::clock::ManualClock;
use prominence_core::{Clock, Store as _};
use prominence_engines::embedded::EmbeddedStore;
use prominence_tests::power::load::{self, LATER, START, Script, Step, WRITERS};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| {
        arguments
            .next()
            .unwrap_or_else(|| panic!("{what} is missing"))
    };
    let mode = next("fill, write or crash");
    let folder = PathBuf::from(next("the store's folder"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let clock = Arc::new(ManualClock::new(START));
    let shown: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let store = Arc::new(EmbeddedStore::open(load::options(&folder), shown).unwrap());
    match mode.as_str() {
        "fill" => {
            let bytes = next("the number of bytes").parse().unwrap();
            runtime.block_on(fill(&store, bytes));
        }
        "write" | "crash" => {
            let notes = next("the file for notes");
            let notes = OpenOptions::new().append(true).create(true).open(notes);
            let notes = Arc::new(notes.unwrap());
            let seed = next("the seed").parse().unwrap();
            let steps = next("the number of steps").parse().unwrap();
            runtime.block_on(async {
                let writers = (0..WRITERS).map(|writer| {
                    let (store, clock) = (Arc::clone(&store), Arc::clone(&clock));
                    let notes = Arc::clone(&notes);
                    let script = Script::new(seed, writer).take(steps);
                    tokio::spawn(write(store, clock, notes, writer, script))
                });
                for writer in writers.collect::<Vec<_>>() {
                    writer.await.unwrap();
                }
            });
        }
        other => panic!("{other} is unknown"),
    }
    if mode == "crash" {
        // The process ends without closing the store.
        std::process::exit(0);
    }
    store.close();
}

async fn fill(store: &EmbeddedStore, bytes: usize) {
    for commit in load::filling(bytes) {
        store.commit(&load::filled(), None, commit).await.unwrap();
    }
}

async fn write(
    store: Arc<EmbeddedStore>,
    clock: Arc<ManualClock>,
    notes: Arc<File>,
    writer: usize,
    script: impl Iterator<Item = Step>,
) {
    let note = |line: String| (&*notes).write_all(line.as_bytes()).unwrap();
    for step in script {
        note(format!("start {writer}\n"));
        let revision = match step {
            Step::Commit(commit) => {
                let namespace = load::namespace(writer);
                let committed = store.commit(&namespace, None, commit).await.unwrap();
                committed.revision.get()
            }
            Step::Sweep => {
                clock.advance(LATER);
                store.sweep().await.unwrap();
                0
            }
        };
        note(format!("ack {writer} {revision}\n"));
    }
}

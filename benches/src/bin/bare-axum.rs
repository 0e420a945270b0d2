//! The web framework with next to nothing behind it: the limit for a server.
//!
//! It answers every GET with the same kilobyte. With a folder it also answers every POST, once the
//! body is appended to a file there and synced, together with whatever other bodies wait.
#![expect(clippy::print_stdout, reason = "says where it listens")]

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use clap::Parser;
use prominence_bench::append::{Appender, Record};
use tokio::sync::oneshot;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bodies that may wait for the appender: as many as the store lets wait.
const MAX_WAITING: usize = 4_096;

/// Serves until it is killed.
#[derive(Parser)]
struct Arguments {
    /// Where to append what is posted.
    #[arg(long)]
    folder: Option<PathBuf>,
}

type Appends = SyncSender<Record<Bytes, Box<dyn FnOnce() + Send>>>;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let value = "x".repeat(1_000);
    let read = get(move || std::future::ready(value.clone()));
    // Whatever the path, so that it can be asked for random keys as well.
    let router = match arguments.folder {
        None => Router::new().fallback(read),
        Some(folder) => {
            let appends = appender(&folder.join("append"))?;
            let write = post(append).with_state(appends);
            Router::new().fallback(read.merge(write))
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/", listener.local_addr()?);
        axum::serve(listener, router).await.context("serving")
    })
}

/// Starts the thread that appends.
fn appender(path: &std::path::Path) -> anyhow::Result<Appends> {
    let mut file = Appender::create(path)?;
    let (appends, received) = sync_channel(MAX_WAITING);
    // Whoever waits is answered an error once this has ended.
    std::thread::spawn(move || file.append_whatever_waits(&received));
    Ok(appends)
}

async fn append(State(appends): State<Appends>, value: Bytes) -> StatusCode {
    let (done, is_done) = oneshot::channel();
    let written: Box<dyn FnOnce() + Send> = Box::new(move || {
        // Who has gone away need not be told.
        let _ = done.send(());
    });
    match appends.try_send(Record { value, written }) {
        Ok(()) => match is_done.await {
            Ok(()) => StatusCode::CREATED,
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
        },
        Err(TrySendError::Full(_)) => StatusCode::SERVICE_UNAVAILABLE,
        Err(TrySendError::Disconnected(_)) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

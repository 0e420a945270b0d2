//! The routes of the administrators' socket, and a backup as the body of an answer.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use prominence_core::StoreError;
use prominence_engines::embedded::{BackupError, BackupSummary};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Admin, CheckReport, MAX_NAMESPACES, Ranking, UsageReport};

/// Bytes of a backup sent at once.
const CHUNK_BYTES: usize = 256 << 10;

/// Chunks that are ready before the receiver takes them: enough to keep the disk and the
/// receiver busy at the same time.
const WAITING_CHUNKS: usize = 4;

/// The longest time of a receiver for a chunk. While a backup runs, the space of entries that are deleted or
/// overwritten is not freed; so a backup whose receiver has stalled is ended.
const STALL_WITHIN: Duration = Duration::from_secs(30);

/// The longest time of a backup, for the same reason: a receiver that reads its chunks just in time would otherwise
/// keep the state of its beginning for months.
pub(super) const BACKUP_WITHIN: Duration = Duration::from_hours(12);

/// Every route on one screen.
pub(crate) fn router(admin: Admin) -> Router {
    Router::new()
        .route("/backup", get(backup))
        .route("/check", get(check))
        .route("/usage/{ranking}/{limit}", get(usage))
        .with_state(admin)
}

/// The same routes at a server whose data is in a cluster: none of them can be answered.
#[cfg(feature = "etcd")]
pub(crate) fn router_over_cluster() -> Router {
    let refuse = || get(async || StatusCode::NOT_IMPLEMENTED);
    Router::new()
        .route("/backup", refuse())
        .route("/check", refuse())
        .route("/usage/{ranking}/{limit}", refuse())
}

async fn usage(
    State(admin): State<Admin>,
    Path((ranking, limit)): Path<(Ranking, NonZeroUsize)>,
) -> Result<axum::Json<UsageReport>, Refusal> {
    let most = NonZeroUsize::new(MAX_NAMESPACES).unwrap_or(limit);
    Ok(axum::Json(admin.usage(ranking, limit.min(most)).await?))
}

async fn check(State(admin): State<Admin>) -> Result<axum::Json<CheckReport>, Refusal> {
    Ok(axum::Json(admin.check().await?))
}

/// The first chunk is there before the answer begins, so that a backup that can't even begin has
/// a status. A later error breaks the connection off, and the end mark is missing.
async fn backup(State(admin): State<Admin>) -> Result<Response, Refusal> {
    let (sender, mut chunks) = mpsc::channel(WAITING_CHUNKS);
    let running = tokio::spawn(async move { admin.backup(sender).await });
    let Some(first) = chunks.recv().await else {
        outcome(running).await?;
        return Err(Refusal::from(BackupError::Write(io::Error::other(
            "it is empty",
        ))));
    };
    let rest = stream::try_unfold(
        (Some(first), chunks, running),
        async |(first, mut chunks, running)| {
            let chunk = match first {
                Some(first) => Some(first),
                None => chunks.recv().await,
            };
            match chunk {
                Some(chunk) => Ok(Some((chunk, (None, chunks, running)))),
                None => {
                    let made = outcome(running)
                        .await
                        .inspect_err(|error| tracing::warn!(%error, "a backup was broken off"))?;
                    tracing::info!(entries = made.entries, "a backup was made");
                    Ok::<_, BackupError>(None)
                }
            }
        },
    );
    Ok(Body::from_stream(rest).into_response())
}

/// The end of a backup.
async fn outcome(
    running: JoinHandle<Result<BackupSummary, BackupError>>,
) -> Result<BackupSummary, BackupError> {
    running
        .await
        .unwrap_or_else(|error| Err(BackupError::Write(io::Error::other(error))))
}

/// Hands what is written over to the body of an answer.
pub(super) struct Chunks {
    to: mpsc::Sender<Bytes>,
    runtime: Handle,
    written: Vec<u8>,
    stall_within: Duration,
    until: Instant,
}

impl Chunks {
    pub(super) fn new(to: mpsc::Sender<Bytes>, runtime: Handle) -> Self {
        Self {
            to,
            runtime,
            written: Vec::with_capacity(CHUNK_BYTES),
            stall_within: STALL_WITHIN,
            until: Instant::now() + BACKUP_WITHIN,
        }
    }

    fn send(&mut self) -> io::Result<()> {
        if self.written.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.written, Vec::with_capacity(CHUNK_BYTES));
        let left = self.until.saturating_duration_since(Instant::now());
        let send = async {
            tokio::time::timeout(self.stall_within.min(left), self.to.send(chunk.into())).await
        };
        match self.runtime.block_on(send) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the receiver is gone",
            )),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the receiver does not take it fast enough",
            )),
        }
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        if self.written.len() >= CHUNK_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

/// An answer that is an error: a status and a sentence.
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<BackupError> for Refusal {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Store(error) => error.into(),
            BackupError::Write(_) => Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_receiver_that_stalls_ends_the_backup_although_it_is_still_there() {
        let (sender, mut received) = mpsc::channel(1);
        let runtime = Handle::current();
        let writing = tokio::task::spawn_blocking(move || {
            let mut chunks = Chunks {
                stall_within: Duration::from_millis(1),
                ..Chunks::new(sender, runtime)
            };
            let full = vec![7; CHUNK_BYTES];
            chunks.write_all(&full)?;
            chunks.write_all(&full)
        });
        let error = writing.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(received.recv().await.unwrap().len(), CHUNK_BYTES);
        assert!(received.recv().await.is_none());
    }

    #[tokio::test]
    async fn a_receiver_that_is_gone_ends_the_backup_at_once() {
        let (sender, received) = mpsc::channel(1);
        drop(received);
        let mut chunks = Chunks::new(sender, Handle::current());
        let writing = tokio::task::spawn_blocking(move || chunks.write_all(&[7; CHUNK_BYTES]));
        let error = writing.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}

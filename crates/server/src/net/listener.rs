//! The listener: accepts connections up to their limit, serves each in a task of its own, and stops.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::exchange::Exchange;
use crate::http::fast_path::{ConnectionService, Service};
use crate::metrics::Connected;
use crate::net::heads::Heads;
use crate::net::lingering::Lingering;
use crate::net::reclaimed::Reclaimed;
use crate::net::stalled::{Pace, Stalled};
use crate::net::tls::Tls;
use crate::net::{MAX_HEAD_BYTES, MAX_HEADERS};

/// Bytes that the operating system buffers for a connection beyond those in flight (`TCP_NOTSENT_LOWAT`). By
/// default it buffers megabytes, which a client that stops reading would keep; and it takes more only when a
/// third of them is sent, so that a slow client looks like one that stopped reading. With this limit a client is
/// served on if it reads half of it within [`Limits::write_within`]. The bytes in flight are not limited by it,
/// so distant clients are served as fast.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 << 10;

/// Bytes a second that a client has to read, on average over [`Limits::write_within`] while bytes wait for it: half a
/// megabit. A slower one would keep the memory of its answer for many minutes.
const MIN_READ_RATE: u64 = 64 << 10;

/// After a failed accept (too many open files, say) the next try waits this long, so that the
/// loop doesn't spin.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Limits on connections.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open at once; further ones wait in the operating system's queue.
    pub connections: usize,
    /// For a request's head, from its first byte or, on a kept connection, from the last answer;
    /// and for a TLS handshake.
    pub head_within: Duration,
    /// Over which the pace of a client that reads its answer is measured. The connection of one that reads less than
    /// 64 KiB a second in it is closed.
    pub write_within: Duration,
    /// For requests in flight when the service is told to stop.
    pub stop_within: Duration,
}

/// Serves until told to stop, and then until the requests in flight are answered or
/// [`Limits::stop_within`] is over.
pub async fn run(
    listener: TcpListener,
    service: Service,
    tls: Option<Tls>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let (stream, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = Connection {
            _counted: service.connected(),
            service: service.clone(),
            head_within: limits.head_within,
            watcher: graceful.watcher(),
            _slot: slot,
        };
        let stream = Stalled::new(stream, pace(limits.write_within));
        match tls.clone() {
            None => drop(tokio::spawn(connection.serve(stream))),
            Some(tls) => drop(tokio::spawn(connection.serve_tls(stream, tls))),
        }
    }
    drop(listener);
    // Connections first, so that the answers to long polls are their last.
    let ended = async { tokio::join!(graceful.shutdown(), async { service.stop() }) };
    if tokio::time::timeout(limits.stop_within, ended)
        .await
        .is_err()
    {
        tracing::warn!("stopping although requests are still in flight");
    }
}

/// The pace that clients have to keep.
fn pace(within: Duration) -> Pace {
    let millis = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    let bytes = MIN_READ_RATE.saturating_mul(millis) / 1_000;
    Pace { within, bytes }
}

/// Waits for a slot first, so that no connection is accepted before it can be served.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Answers are small and written at once; Nagle's algorithm would only delay them.
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    Ok((stream, slot))
}

struct Connection {
    service: Service,
    head_within: Duration,
    watcher: hyper_util::server::graceful::Watcher,
    _counted: Connected,
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve_tls(self, stream: Stalled<TcpStream>, tls: Tls) {
        match tokio::time::timeout(self.head_within, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let exchange = Arc::new(Exchange::default());
        let (stream, mut returned) = Reclaimed::new(stream);
        let stream = Lingering::new(stream, Arc::clone(&exchange));
        let stream = Heads::new(stream, Arc::clone(&exchange), self.service.value_limit());
        let service = ConnectionService::new(self.service, Arc::clone(&exchange));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_within)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended early");
        }
        // hyper does not close a connection whose request asked for another protocol; see `reclaimed`. The slot is
        // still taken, so the closing counts as an open connection.
        if let Ok(stream) = returned.try_recv()
            && exchange.lingers()
            && let Err(error) = Lingering::new(stream, exchange).shutdown().await
        {
            tracing::debug!(%error, "a connection was not closed in order");
        }
    }
}

//! The listener: accepts connections, serves each in a task of its own while it has a place, and stops.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::http::exchange::Exchange;
use crate::http::fast_path::{ConnectionService, Service};
use crate::metrics::Connected;
use crate::net::heads::Heads;
use crate::net::lingering::Lingering;
use crate::net::reclaimed::Reclaimed;
use crate::net::stalled::{Pace, Stalled};
use crate::net::tls::Tls;
use crate::net::{MAX_HEAD_BYTES, MAX_HEADERS};
use crate::wait::connection::{Connections, PlaceLimits, Proxies, Standing};

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
#[derive(Clone, Debug)]
pub struct Limits {
    /// Addresses of proxies: what they say of their clients counts, and their connections are not limited by address.
    pub proxies: Proxies,
    /// Of users, open at once. Beside them an eighth as many can be open on which nobody has signed in yet.
    pub connections: usize,
    /// Bytes of all heads that are larger than usual.
    pub head_memory: usize,
    /// After which a connection is closed with its next answer, so that clients spread over servers again, and what the
    /// connection has gathered comes back.
    pub lifetime: Duration,
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
    let connections = Connections::new(PlaceLimits {
        proxies: limits.proxies,
        users: limits.connections,
        head_memory: limits.head_memory,
        lifetime: limits.lifetime,
    });
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener) => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let standing = tokio::select! {
            () = &mut stop => break,
            standing = connections.open(address.ip()) => standing,
        };
        let connection = Connection {
            standing: Arc::new(standing),
            _counted: service.connected(),
            service: service.clone(),
            head_within: limits.head_within,
            watcher: graceful.watcher(),
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

async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, address) = listener.accept().await?;
    // Answers are small and written at once; Nagle's algorithm would only delay them.
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    Ok((stream, address))
}

struct Connection {
    service: Service,
    head_within: Duration,
    watcher: hyper_util::server::graceful::Watcher,
    standing: Arc<Standing>,
    _counted: Connected,
}

impl Connection {
    async fn serve_tls(self, stream: Stalled<TcpStream>, tls: Tls) {
        self.standing.set_idle(true);
        let handshake = tokio::time::timeout(self.head_within, tls.accept(stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = self.standing.lost() => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.serve(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let exchange = Arc::new(Exchange::default());
        let (stream, mut returned) = Reclaimed::new(stream);
        let stream = Lingering::new(stream, Arc::clone(&exchange));
        let standing = &self.standing;
        let value_limit = self.service.value_limit();
        let stream = Heads::new(
            stream,
            Arc::clone(&exchange),
            Arc::clone(standing),
            value_limit,
        );
        let service =
            ConnectionService::new(self.service, Arc::clone(&exchange), Arc::clone(standing));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_within)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let served = tokio::select! {
            served = self.watcher.watch(connection) => served,
            () = self.standing.lost() => {
                tracing::debug!("a connection was closed, because its place was needed for another");
                return;
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection ended early");
        }
        // hyper does not close a connection whose request asked for another protocol; see `reclaimed`. The place is
        // still taken, so the closing counts as an open connection.
        if let Ok(stream) = returned.try_recv()
            && exchange.lingers()
            && let Err(error) = Lingering::new(stream, exchange).shutdown().await
        {
            tracing::debug!(%error, "a connection was not closed in order");
        }
    }
}

//! Serving a few trusted clients: administrators on their socket, and programs that watch over the server on a listener
//! of their own.

use std::future::Future;
use std::io;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::listener::ACCEPT_PAUSE;

/// Connections open at once on one listener; further ones wait in the operating system's queue. More people and
/// programs don't look after one server at the same time.
const MAX_CONNECTIONS: usize = 16;

/// For a request's head.
const HEAD_WITHIN: Duration = Duration::from_secs(20);

/// Something that accepts connections.
pub(crate) trait Listener: Send {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        Ok(self.accept().await?.0)
    }
}

/// Serves until the future is dropped, which cuts what is in flight. No connection is open for longer than `within`.
pub(crate) async fn serve<L: Listener + Sync>(listener: &L, router: Router, within: Duration) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.next(), if connections.len() < MAX_CONNECTIONS => {
                match accepted {
                    Ok(stream) => drop(connections.spawn(answer(stream, router.clone(), within))),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection for administration");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn answer<S>(stream: S, router: Router, within: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match tokio::time::timeout(within, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection for administration ended early"),
        Err(_) => tracing::warn!("a connection for administration was open for too long"),
    }
}

//! Connections: how many, how slow, how they are encrypted, and how they end.

mod heads;
mod lingering;
mod reclaimed;
mod stalled;

use std::future::Future;
use std::io;
use std::path::Path;
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
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::exchange::Exchange;
use crate::front::{Front, Served};
use crate::telemetry::Connected;
use heads::Heads;
use lingering::Lingering;
use reclaimed::Reclaimed;
use stalled::Stalled;

/// Bytes of a request's head. A token takes about one KiB, the longest key three.
const MAX_HEAD_BYTES: usize = 64 * 1_024;

/// Headers of a request.
const MAX_HEADERS: usize = 100;

/// What the operating system takes to send, beyond what is on its way already. By default it takes
/// megabytes, which a reader that doesn't read would keep; and it asks for more only when a third of
/// that is gone, which makes a slow reader look like one that doesn't read. With this one, whoever
/// takes half of it within [`Limits::write_within`] is served on. How much may be on its way is not
/// touched, so that distant readers are served as fast.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 << 10;

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
    /// For the other end to take something of what is sent to it. A reader that takes nothing for
    /// so long is cut off, whatever it asked for.
    pub write_within: Duration,
    /// For requests in flight when the service is told to stop.
    pub stop_within: Duration,
}

/// A certificate and its key, ready to use.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file.
    #[error("cannot use the certificate {file}: {cause}")]
    Certificate {
        /// Its path.
        file: String,
        /// What is wrong with it.
        cause: rustls::pki_types::pem::Error,
    },
    /// The key file.
    #[error("cannot use the private key {file}: {cause}")]
    Key {
        /// Its path.
        file: String,
        /// What is wrong with it.
        cause: rustls::pki_types::pem::Error,
    },
    /// Both are fine, but not together.
    #[error("the certificate and the private key can't be used together: {0}")]
    Pair(#[from] rustls::Error),
}

impl Tls {
    /// Reads a certificate chain and its private key from PEM files.
    ///
    /// # Errors
    /// When a file can't be read or the two don't belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|cause| TlsError::Certificate {
                file: certificate.display().to_string(),
                cause,
            })?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|cause| TlsError::Key {
            file: key.display().to_string(),
            cause,
        })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

/// Serves until told to stop, and then until the requests in flight are answered or
/// [`Limits::stop_within`] is over.
pub async fn run(
    listener: TcpListener,
    service: Front,
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
        let stream = Stalled::new(stream, limits.write_within);
        match tls.clone() {
            None => drop(tokio::spawn(connection.serve(stream))),
            Some(tls) => drop(tokio::spawn(connection.serve_tls(stream, tls))),
        }
    }
    drop(listener);
    // Connections are told first, so that the answers to what is held are their last.
    let ended = async { tokio::join!(graceful.shutdown(), async { service.stop() }) };
    if tokio::time::timeout(limits.stop_within, ended)
        .await
        .is_err()
    {
        tracing::warn!("stopping although requests are still in flight");
    }
}

/// Waits for a slot first, so that a connection is not taken up before it can be served.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Answers are small and written at once; waiting to fill a packet only delays them.
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    Ok((stream, slot))
}

struct Connection {
    service: Front,
    head_within: Duration,
    watcher: hyper_util::server::graceful::Watcher,
    _counted: Connected,
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve_tls(self, stream: Stalled<TcpStream>, tls: Tls) {
        match tokio::time::timeout(self.head_within, tls.0.accept(stream)).await {
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
        let service = Served::new(self.service, Arc::clone(&exchange));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_within)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended early");
        }
        // hyper does not close what asked for another protocol; see `reclaimed`. The slot is still held.
        if let Ok(stream) = returned.try_recv()
            && exchange.lingers()
            && let Err(error) = Lingering::new(stream, exchange).shutdown().await
        {
            tracing::debug!(%error, "a connection was not closed in order");
        }
    }
}

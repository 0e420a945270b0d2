//! TLS: the certificate and its key, and the handshake.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// A certificate and its key, ready to use. Clones have the same one, also after it was replaced.
#[derive(Clone)]
pub struct Tls(Arc<ArcSwap<Pair>>);

struct Pair {
    chain: Vec<CertificateDer<'static>>,
    acceptor: TlsAcceptor,
}

/// The reason why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file.
    #[error("cannot use the certificate {file}: {cause}")]
    Certificate {
        /// Its path.
        file: String,
        /// The mistake.
        cause: rustls::pki_types::pem::Error,
    },
    /// The key file.
    #[error("cannot use the private key {file}: {cause}")]
    Key {
        /// Its path.
        file: String,
        /// The mistake.
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
            .with_single_cert(chain.clone(), key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self(Arc::new(ArcSwap::from_pointee(Pair {
            chain,
            acceptor,
        }))))
    }

    /// Uses the certificate of another for the handshakes to come. Answers whether it differs from the former one.
    pub(crate) fn replace_by(&self, other: &Self) -> bool {
        let pair = other.0.load_full();
        let former = self.0.swap(Arc::clone(&pair));
        former.chain != pair.chain
    }

    /// Does the handshake of a connection.
    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        let acceptor = self.0.load().acceptor.clone();
        acceptor.accept(stream).await
    }
}

//! TLS: the certificate and its key, and the handshake.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

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
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Does the handshake of a connection.
    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        self.0.accept(stream).await
    }
}

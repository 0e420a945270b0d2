//! Certificates, set up only for `https`: reading the machine's authorities takes longer than a
//! whole request without TLS.

use std::sync::Arc;

use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::config::Certificates;
use crate::error::Error;

/// TLS as the server speaks it, trusting the authorities that this machine trusts
/// (`SSL_CERT_FILE` and `SSL_CERT_DIR` are heeded).
pub(crate) fn config(certificates: Certificates) -> Result<TlsConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
    Ok(match certificates {
        Certificates::Unverified => builder.disable_verification(true).build(),
        Certificates::Verified => builder.root_certs(authorities()?).build(),
    })
}

fn authorities() -> Result<RootCerts, Error> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(Error::NoAuthorities(reasons.join("; ")));
    }
    let certificates = found
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned());
    Ok(RootCerts::Specific(Arc::new(certificates.collect())))
}

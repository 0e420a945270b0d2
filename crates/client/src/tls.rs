//! Certificates, loaded only for `https`: reading the machine's authorities takes longer than a whole request without
//! TLS.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::config::Certificates;
use crate::error::Error;

/// TLS that trusts the authorities of a file, or those of this machine (`SSL_CERT_FILE` and `SSL_CERT_DIR` are used).
pub(crate) fn config(certificates: &Certificates) -> Result<TlsConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
    Ok(match certificates {
        Certificates::Unverified => builder.disable_verification(true).build(),
        Certificates::Verified => builder.root_certs(machines_authorities()?).build(),
        Certificates::VerifiedBy(file) => builder.root_certs(authorities(file)?).build(),
    })
}

fn machines_authorities() -> Result<RootCerts, Error> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        let reasons = match reasons.is_empty() {
            true => "none are installed".to_owned(),
            false => reasons.join("; "),
        };
        return Err(Error::NoAuthorities(reasons));
    }
    let certificates = found
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned());
    Ok(RootCerts::Specific(Arc::new(certificates.collect())))
}

fn authorities(file: &Path) -> Result<RootCerts, Error> {
    let unusable = |reason: String| Error::CaFile {
        path: file.display().to_string(),
        reason,
    };
    let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(unusable("it is not valid PEM".to_owned())),
        }
    }
    if certificates.is_empty() {
        return Err(unusable(
            "it has no certificate in PEM form (-----BEGIN CERTIFICATE-----)".to_owned(),
        ));
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

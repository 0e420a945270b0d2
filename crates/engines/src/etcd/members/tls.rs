//! What is needed to talk to members with TLS.

use etcd_client::{Certificate, Identity as TlsIdentity, TlsOptions};

use crate::etcd::error::OpenError;
use crate::etcd::options::Tls;

/// The client's options; what the files hold is found out when it is used.
pub(super) fn options(tls: &Tls) -> Result<TlsOptions, OpenError> {
    let mut options = TlsOptions::new();
    match &tls.authorities {
        None => options = options.with_native_roots(),
        Some(pem) => {
            has(pem, "CERTIFICATE", "the file of authorities", "certificate")?;
            options = options.ca_certificate(Certificate::from_pem(pem));
        }
    }
    if let Some(identity) = &tls.identity {
        let certificate = "the client's certificate";
        has(
            &identity.certificate,
            "CERTIFICATE",
            certificate,
            "certificate",
        )?;
        has(
            &identity.key,
            "PRIVATE KEY",
            "the client's key",
            "private key",
        )?;
        options = options.identity(TlsIdentity::from_pem(&identity.certificate, &identity.key));
    }
    Ok(options)
}

/// Whether a text has a section of a kind. What it holds is found out when it is used.
fn has(
    pem: &[u8],
    section: &str,
    what: &'static str,
    wanted: &'static str,
) -> Result<(), OpenError> {
    let text = String::from_utf8_lossy(pem);
    let is_begun = text
        .lines()
        .any(|line| line.starts_with("-----BEGIN ") && line.ends_with(&format!("{section}-----")));
    is_begun
        .then_some(())
        .ok_or(OpenError::Pem { what, wanted })
}

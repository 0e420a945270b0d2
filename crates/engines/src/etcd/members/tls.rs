//! TLS to the members.

use etcd_client::{Certificate, Identity as TlsIdentity, TlsOptions};

use crate::etcd::error::OpenError;
use crate::etcd::options::Tls;

/// The client's options. The content of the files is checked when it is used.
pub(super) fn options(tls: &Tls) -> Result<TlsOptions, OpenError> {
    let mut options = TlsOptions::new();
    match &tls.authorities {
        None => options = options.with_native_roots(),
        Some(pem) => {
            demand(pem, "CERTIFICATE", "the file of authorities", "certificate")?;
            options = options.ca_certificate(Certificate::from_pem(pem));
        }
    }
    if let Some(identity) = &tls.identity {
        let (certificate, key) = (&identity.certificate, &identity.key);
        let what = "the client's certificate";
        demand(certificate, "CERTIFICATE", what, "certificate")?;
        demand(key, "PRIVATE KEY", "the client's key", "private key")?;
        options = options.identity(TlsIdentity::from_pem(certificate, key));
    }
    Ok(options)
}

/// Demands that a text has a section of a kind.
fn demand(
    pem: &[u8],
    section: &str,
    what: &'static str,
    wanted: &'static str,
) -> Result<(), OpenError> {
    let text = String::from_utf8_lossy(pem);
    let end = format!("{section}-----");
    let is_begin = |line: &str| line.starts_with("-----BEGIN ") && line.ends_with(&end);
    if text.lines().any(is_begin) {
        return Ok(());
    }
    Err(OpenError::Pem { what, wanted })
}

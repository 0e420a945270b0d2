//! Describes the cause of a failed connection for users.

mod certificate;

use std::io;

use rustls::{AlertDescription, InvalidMessage};
use ureq::Timeout;

use crate::transport::{CutOff, ProxyTls};

/// The status with which a proxy asks for a user and a password (RFC 9110, section 15.5.8).
pub(crate) const PROXY_AUTHENTICATION: u16 = 407;

/// The beginning of the standard library's error for a name that can't be resolved.
const LOOKUP: &str = "failed to lookup address information";

/// The reason why there is no answer from this URL, and the next step.
pub(crate) fn explain(error: &ureq::Error, url: &str, has_proxy: bool) -> String {
    let failure = match error {
        ureq::Error::Io(error) => tls(error),
        ureq::Error::Rustls(error) => Some(error),
        _ => None,
    };
    if let Some(failure) = failure {
        return explain_tls(failure);
    }
    if let ureq::Error::Io(error) = error {
        if let Some(failure) = inner::<ProxyTls>(error) {
            return explain_proxy_tls(failure);
        }
        if has_proxy && is_no_socks(error) {
            return "its answer is not SOCKS; check the port, or write http:// instead of socks in the \
                    variable if it is a proxy for HTTP"
                .to_owned();
        }
    }
    let why = explain_connection(error, url);
    match (proxy_status(error), has_proxy) {
        (Some(PROXY_AUTHENTICATION), _) => {
            format!("{why}; put them into its URL, as in http://USER:PASSWORD@HOST:PORT")
        }
        (_, true) => {
            format!("{why}; check the proxy, or name the server in no_proxy to reach it directly")
        }
        (_, false) => {
            format!("{why}; check PROMINENCE_URL or --url, and that the server is running")
        }
    }
}

/// The reason why a connection was not established, or was lost.
fn explain_connection(error: &ureq::Error, url: &str) -> String {
    match error {
        ureq::Error::Io(error) => explain_io(error, url),
        ureq::Error::HostNotFound => "there is no machine of this name".to_owned(),
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            "the connection took too long".to_owned()
        }
        ureq::Error::Timeout(_) => "the answer took too long".to_owned(),
        ureq::Error::ConnectProxyFailed(reason) => match proxy_status(error) {
            Some(PROXY_AUTHENTICATION) => "the proxy wants a user name and a password".to_owned(),
            Some(status) => format!("the proxy answered {status} to CONNECT"),
            None => format!("the proxy made no tunnel: {reason}"),
        },
        other => other.to_string(),
    }
}

/// The sentence for an answer from this URL that is not HTTP.
pub(crate) fn no_http(url: &str) -> String {
    match url.starts_with("https:") {
        true => "it is not valid HTTP".to_owned(),
        // The first bytes of TLS are not a status line.
        false => {
            "it is not valid HTTP; if the server speaks https, write https:// instead of http://"
                .to_owned()
        }
    }
}

/// The status with which a proxy refused a tunnel, from the library's text.
pub(crate) fn proxy_status(error: &ureq::Error) -> Option<u16> {
    let ureq::Error::ConnectProxyFailed(reason) = error else {
        return None;
    };
    reason.rsplit('/').next()?.parse().ok()
}

/// True if another try can't help, since client and server can't agree on TLS or a certificate is not trusted.
pub(crate) fn is_lasting(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => {
            tls(error).is_some() || error.kind() == io::ErrorKind::InvalidData
        }
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => true,
        _ => false,
    }
}

/// The TLS error inside an I/O error.
fn tls(error: &io::Error) -> Option<&rustls::Error> {
    inner(error)
}

fn inner<E: std::error::Error + 'static>(error: &io::Error) -> Option<&E> {
    error.get_ref()?.downcast_ref()
}

/// True if a name could not be resolved, so that nothing was sent.
pub(crate) fn is_lookup(error: &io::Error) -> bool {
    error.to_string().starts_with(LOOKUP)
}

/// True if the HTTP library found that the answer of a SOCKS proxy is not SOCKS.
fn is_no_socks(error: &io::Error) -> bool {
    let texts = ["invalid response version", "invalid reserved byte"];
    error.kind() == io::ErrorKind::InvalidData && texts.contains(&error.to_string().as_str())
}

fn explain_io(error: &io::Error, url: &str) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        let closed = "the connection was closed before the answer was complete";
        return match url.starts_with("https:") || inner::<CutOff>(error).is_some() {
            true => closed.to_owned(),
            // A server that expects TLS closes the connection after the first line of a request.
            false => format!("{closed} (a server that speaks https needs a URL with https://)"),
        };
    }
    let text = error.to_string();
    if is_lookup(error) {
        return match text.contains("Temporary") {
            true => "this machine can't look names up now".to_owned(),
            false => "there is no machine of this name".to_owned(),
        };
    }
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}

/// The reason why TLS with a proxy failed.
fn explain_proxy_tls(failure: &ProxyTls) -> String {
    let ProxyTls { cause, variable } = failure;
    match cause {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => format!(
            "the proxy does not speak TLS on this port; write http:// instead of https:// in {variable} \
             if it speaks plain HTTP"
        ),
        cause => explain_tls(cause).replace("the server", "the proxy"),
    }
}

fn explain_tls(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate::explain(error),
        // The first bytes of an HTTP answer are not a TLS record.
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server does not speak TLS on this port; write http:// instead of https:// if it \
             speaks plain HTTP"
                .to_owned()
        }
        rustls::Error::AlertReceived(alert) => format!(
            "the server ended the TLS handshake with \"{}\"; ask its operator what it demands of \
             clients",
            name_of_alert(*alert)
        ),
        rustls::Error::PeerIncompatible(_) => {
            "the server and this program have no version or cipher of TLS in common; ask its \
             operator to enable TLS 1.2 or 1.3"
                .to_owned()
        }
        rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. } => {
            "the server's answer is no TLS; check the port, and whether it speaks https".to_owned()
        }
        // The library's texts for these are names from its source code.
        rustls::Error::PeerMisbehaved(_) | rustls::Error::InappropriateHandshakeMessage { .. } => {
            "the server breaks the rules of TLS; ask its operator to update it".to_owned()
        }
        rustls::Error::NoCertificatesPresented => {
            "the server showed no certificate; ask its operator to configure one".to_owned()
        }
        rustls::Error::General(text) => {
            format!("TLS failed: {text}; ask the server's operator")
        }
        _ => "TLS failed; ask the server's operator".to_owned(),
    }
}

fn name_of_alert(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::HandshakeFailure => "handshake failure",
        AlertDescription::CertificateRequired => "certificate required",
        AlertDescription::UnrecognisedName => "unrecognised name",
        AlertDescription::ProtocolVersion => "protocol version",
        AlertDescription::AccessDenied => "access denied",
        AlertDescription::InternalError => "internal error",
        _ => "alert",
    }
}

#[cfg(test)]
mod tests {
    use rustls::{CertificateError, PeerMisbehaved};

    use super::*;

    #[test]
    fn a_name_that_can_not_be_resolved_is_told_as_the_page_has_it_and_leaves_nothing_open() {
        for (text, expected) in [
            (
                "Name or service not known",
                "there is no machine of this name",
            ),
            (
                "Temporary failure in name resolution",
                "can't look names up now",
            ),
        ] {
            let error = ureq::Error::Io(io::Error::other(format!("{LOOKUP}: {text}")));
            let said = explain(&error, "http://h/v1", false);
            assert!(said.contains(expected), "{said}");
            assert_eq!(crate::error::fate_of(&error), crate::Fate::NotApplied);
        }
    }

    #[test]
    fn a_failure_of_tls_with_a_proxy_is_told_of_the_proxy() {
        for cause in [
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType),
            rustls::Error::InvalidCertificate(CertificateError::Expired),
            rustls::Error::NoCertificatesPresented,
        ] {
            let variable = "https_proxy";
            let failure = ProxyTls { cause, variable };
            let error = io::Error::new(io::ErrorKind::InvalidData, failure);
            let said = explain(&error.into(), "https://h/v1", true);
            assert!(said.starts_with("the proxy"), "{said}");
            assert!(!said.contains("the server"), "{said}");
        }
    }

    #[test]
    fn every_reason_is_followed_by_the_next_step() {
        let tls = [
            rustls::Error::InvalidCertificate(CertificateError::Revoked),
            rustls::Error::InvalidCertificate(CertificateError::NotValidForName),
            rustls::Error::InvalidCertificate(CertificateError::UnknownRevocationStatus),
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType),
            rustls::Error::InvalidMessage(InvalidMessage::InvalidEmptyPayload),
            rustls::Error::AlertReceived(AlertDescription::HandshakeFailure),
            rustls::Error::PeerMisbehaved(PeerMisbehaved::MissingKeyShare),
            rustls::Error::NoCertificatesPresented,
            rustls::Error::General("odd".to_owned()),
            rustls::Error::EncryptError,
        ];
        let errors = tls.map(ureq::Error::Rustls).into_iter().chain([
            ureq::Error::HostNotFound,
            ureq::Error::ConnectionFailed,
            ureq::Error::Timeout(Timeout::Connect),
            ureq::Error::Timeout(Timeout::RecvResponse),
            ureq::Error::BadUri("x".to_owned()),
            ureq::Error::ConnectProxyFailed("HTTP/403".to_owned()),
            ureq::Error::ConnectProxyFailed("HTTP/407".to_owned()),
            ureq::Error::Io(io::ErrorKind::ConnectionReset.into()),
            ureq::Error::Io(io::ErrorKind::UnexpectedEof.into()),
            ureq::Error::Io(io::Error::new(
                io::ErrorKind::InvalidData,
                "invalid response version",
            )),
            ureq::Error::Io(io::Error::other(format!("{LOOKUP}: x"))),
        ]);
        for error in errors {
            for has_proxy in [false, true] {
                let text = explain(&error, "http://h/v1", has_proxy);
                let (_, next) = text.rsplit_once("; ").unwrap_or_else(|| panic!("{text}"));
                let verbs = [
                    "check",
                    "ask",
                    "write",
                    "put",
                    "pass",
                    "its operator has to",
                ];
                assert!(verbs.iter().any(|verb| next.starts_with(verb)), "{text}");
            }
        }
    }
}

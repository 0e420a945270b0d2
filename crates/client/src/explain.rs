//! The cause of a failed connection, in a person's words.

mod certificate;

use std::io;

use rustls::{AlertDescription, InvalidMessage};
use ureq::Timeout;

use crate::error::PROXY_AUTHENTICATION;

/// Why no answer came from this URL, and the next step.
pub(crate) fn explain(error: &ureq::Error, url: &str, has_proxy: bool) -> String {
    let failure = match error {
        ureq::Error::Io(error) => tls(error),
        ureq::Error::Rustls(error) => Some(error),
        _ => None,
    };
    if let Some(failure) = failure {
        return explain_tls(failure);
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

/// Why a connection could not be made, or broke off.
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

/// What to say of an answer from this URL that is no HTTP.
pub(crate) fn no_http(url: &str) -> String {
    match url.starts_with("https:") {
        true => "it is not valid HTTP".to_owned(),
        // The first bytes of TLS are no status line.
        false => {
            "it is not valid HTTP; if the server speaks https, write https:// instead of http://"
                .to_owned()
        }
    }
}

/// The status with which a proxy refused to make a tunnel, from the library's text.
pub(crate) fn proxy_status(error: &ureq::Error) -> Option<u16> {
    let ureq::Error::ConnectProxyFailed(reason) = error else {
        return None;
    };
    reason.rsplit('/').next()?.parse().ok()
}

/// Whether another try can't help, because the two ends don't understand or trust each other.
pub(crate) fn is_lasting(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => {
            tls(error).is_some() || error.kind() == io::ErrorKind::InvalidData
        }
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => true,
        _ => false,
    }
}

/// The failure of TLS that an error of input or output stands for.
fn tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn explain_io(error: &io::Error, url: &str) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        let closed = "the connection was closed before the answer was complete";
        return match url.starts_with("https:") {
            true => closed.to_owned(),
            // A server that expects TLS takes the first line of a request for nonsense.
            false => format!("{closed} (a server that speaks https needs a URL with https://)"),
        };
    }
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}

fn explain_tls(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate::explain(error),
        // The first bytes of an HTTP answer are no TLS record.
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
        // The library's own texts of these are names from its source code.
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

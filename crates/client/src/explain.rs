//! The cause of a failed connection, in a person's words.

use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};
use ureq::Timeout;

use crate::error::PROXY_AUTHENTICATION;

/// Why no answer came from this URL, and where one thing is to be done about it, what.
pub(crate) fn explain(error: &ureq::Error, url: &str) -> String {
    match error {
        ureq::Error::Io(error) => match tls(error) {
            Some(error) => explain_tls(error),
            None => explain_io(error, url),
        },
        ureq::Error::Rustls(error) => explain_tls(error),
        ureq::Error::HostNotFound => "there is no machine of this name".to_owned(),
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            "the connection took too long".to_owned()
        }
        ureq::Error::Timeout(_) => "the answer took too long".to_owned(),
        ureq::Error::ConnectProxyFailed(reason) => match proxy_status(error) {
            Some(PROXY_AUTHENTICATION) => {
                "the proxy wants a user name and a password; put them into its URL, as in \
                 http://USER:PASSWORD@HOST:PORT"
                    .to_owned()
            }
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
        rustls::Error::InvalidCertificate(error) => explain_certificate(error),
        // The first bytes of an HTTP answer are no TLS record.
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server does not speak TLS on this port; if it speaks plain HTTP, write http:// \
             instead of https://"
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
        rustls::Error::General(text) => format!("TLS failed: {text}"),
        _ => "TLS failed; ask the server's operator".to_owned(),
    }
}

fn explain_certificate(error: &CertificateError) -> String {
    use CertificateError as Certificate;
    match error {
        Certificate::UnknownIssuer => {
            "no authority that this machine trusts has signed the server's certificate; if your \
             site has an authority of its own, or the certificate is self-signed, pass its file \
             with --ca-file or PROMINENCE_CA_FILE"
                .to_owned()
        }
        Certificate::Expired | Certificate::ExpiredContext { .. } => {
            "the server's certificate has expired; its operator has to renew it (and this \
             machine's clock has to be right)"
                .to_owned()
        }
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; check this machine's clock".to_owned()
        }
        Certificate::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "the server's certificate is not for {}, but for {}; use a name that it is for",
            expected.to_str(),
            names(presented)
        ),
        Certificate::NotValidForName => {
            "the server's certificate is for another name; use the name that it is for".to_owned()
        }
        Certificate::Revoked => "the server's certificate has been revoked".to_owned(),
        Certificate::BadSignature => {
            "the server's certificate has a wrong signature: its authority is another one of the \
             same name; pass the right one with --ca-file"
                .to_owned()
        }
        Certificate::Other(other) => match other.0.downcast_ref::<webpki::Error>() {
            Some(webpki::Error::CaUsedAsEndEntity) => {
                "the server's certificate is that of a certificate authority (it has CA:TRUE), \
                 which must not be a server's own; its operator has to make one with CA:FALSE, as \
                 openssl does with -addext basicConstraints=critical,CA:FALSE"
                    .to_owned()
            }
            Some(error) => unusable(&words(&format!("{error:?}"))),
            None => unusable("it is malformed"),
        },
        Certificate::BadEncoding => unusable("it is malformed"),
        Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
            unusable("it is for another purpose than a server's (extended key usage)")
        }
        other => unusable(&words(&format!("{other:?}"))),
    }
}

fn unusable(why: &str) -> String {
    format!("the server's certificate can't be used: {why}; its operator has to make a new one")
}

/// A name from source code as words: `UnsupportedCertVersion` is "unsupported cert version".
fn words(name: &str) -> String {
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next();
    let mut words = String::new();
    for character in name.unwrap_or_default().chars() {
        if character.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(character.to_ascii_lowercase());
    }
    words
}

/// The names that a certificate is for, as rustls shows them: `DnsName("a.example")`.
fn names(presented: &[String]) -> String {
    let plain = |name: &String| {
        let inner = name
            .split_once('(')
            .and_then(|(_, rest)| rest.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"').to_owned()
    };
    match presented {
        [] => "no name at all".to_owned(),
        names => names.iter().map(plain).collect::<Vec<_>>().join(", "),
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

//! Describes the fault of a server's certificate for users.

use rustls::CertificateError;

/// The fault of a certificate, and the next step.
pub(super) fn explain(error: &CertificateError) -> String {
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
        } => not_for_name(&expected.to_str(), presented),
        Certificate::NotValidForName => {
            "the server's certificate is for another name; write the name that it is for in the URL"
                .to_owned()
        }
        Certificate::Revoked => {
            "the server's certificate has been revoked; its operator has to make a new one".to_owned()
        }
        Certificate::BadSignature => {
            "the server's certificate is not signed by the authority that this machine trusts, but by \
             another one of the same name, as after a self-signed certificate was made anew; pass the \
             present one with --ca-file or PROMINENCE_CA_FILE"
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

/// The message for a certificate without the name in the URL.
fn not_for_name(expected: &str, presented: &[String]) -> String {
    if presented.is_empty() {
        let kind = match expected.parse::<std::net::IpAddr>() {
            Ok(_) => "IP",
            Err(_) => "DNS",
        };
        return format!(
            "the server's certificate has no subjectAltName, and its common name does not count; its \
             operator has to make one with it, as openssl does with -addext \
             subjectAltName={kind}:{expected}"
        );
    }
    format!(
        "the server's certificate is not for {expected}, but for {}; write a name that it is for in the \
         URL, or have its operator make one for {expected}",
        names(presented)
    )
}

fn unusable(why: &str) -> String {
    format!("the server's certificate can't be used: {why}; its operator has to make a new one")
}

/// A name from source code as words: `UnsupportedCertVersion` becomes "unsupported cert version".
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

/// The names in a certificate, as rustls prints them: `DnsName("a.example")`.
fn names(presented: &[String]) -> String {
    let plain = |name: &String| {
        let inner = name
            .split_once('(')
            .and_then(|(_, rest)| rest.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"').to_owned()
    };
    presented.iter().map(plain).collect::<Vec<_>>().join(", ")
}

//! The endpoints of an issuer, as it publishes them (OpenID Connect Discovery 1.0; RFC 8414).

use std::net::IpAddr;

use axum::http::Uri;
use serde_json::Value;

use super::ask::{Answer, Ask, Line, NoAnswer};
use super::counters::Endpoint;

/// The addresses at which an issuer is asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoints {
    pub(super) jwks: Option<String>,
    pub(super) introspection: Option<String>,
    pub(super) userinfo: Option<String>,
    pub(super) token: Option<String>,
    pub(super) authorization: Option<String>,
}

/// Asks an issuer for its endpoints.
pub(super) async fn discover(line: &Line, issuer: &str) -> Result<Endpoints, NoAnswer> {
    let mut last = None;
    for url in addresses(issuer) {
        let ask = Ask {
            endpoint: Endpoint::Discovery,
            url,
            authorization: None,
            form: None,
        };
        match line.ask(ask, None).await? {
            Answer { status: 404, .. } => last = Some("its configuration is not found".to_owned()),
            Answer {
                status: 200,
                json: Some(document),
                ..
            } => return endpoints(issuer, &document).map_err(failed),
            answer => last = Some(format!("its configuration has status {}", answer.status)),
        }
    }
    Err(failed(last.unwrap_or_default()))
}

fn failed(cause: String) -> NoAnswer {
    NoAnswer {
        retry_after: std::time::Duration::from_secs(10),
        cause,
    }
}

/// The addresses that the configuration can have: below the issuer, and between its host and its path.
fn addresses(issuer: &str) -> Vec<String> {
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    let mut addresses = vec![format!("{issuer}/.well-known/openid-configuration")];
    let host_at = issuer.find("://").map_or(0, |at| at + 3);
    let path_at = issuer[host_at..]
        .find('/')
        .map_or(issuer.len(), |at| host_at + at);
    let (origin, path) = issuer.split_at(path_at);
    addresses.push(format!(
        "{origin}/.well-known/oauth-authorization-server{path}"
    ));
    addresses
}

fn endpoints(issuer: &str, document: &Value) -> Result<Endpoints, String> {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let named = text("issuer").unwrap_or_default();
    if named != issuer {
        return Err(format!(
            "its configuration says that its issuer is {named:?}, and the setting is {issuer:?}"
        ));
    }
    let endpoint = |name: &str| match text(name) {
        None => Ok(None),
        Some(url) if is_protected(url) => Ok(Some(url.to_owned())),
        Some(url) => Err(format!(
            "its {name} is {url:?}, which is neither https nor local"
        )),
    };
    Ok(Endpoints {
        jwks: endpoint("jwks_uri")?,
        introspection: endpoint("introspection_endpoint")?,
        userinfo: endpoint("userinfo_endpoint")?,
        token: endpoint("token_endpoint")?,
        authorization: endpoint("authorization_endpoint")?,
    })
}

/// True if nobody on the way can read or change what is sent to a URL: it is `https`, or its host is a loopback
/// address. A name such as `localhost` can be given another address.
pub(crate) fn is_protected(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else {
        return false;
    };
    let host = url.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_local = || {
        address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
    };
    match url.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_local(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_configuration_is_below_the_issuer_or_before_its_path() {
        assert_eq!(
            addresses("https://sso.example.org/realms/campus/"),
            [
                "https://sso.example.org/realms/campus/.well-known/openid-configuration",
                "https://sso.example.org/.well-known/oauth-authorization-server/realms/campus",
            ]
        );
        assert_eq!(
            addresses("https://sso.example.org"),
            [
                "https://sso.example.org/.well-known/openid-configuration",
                "https://sso.example.org/.well-known/oauth-authorization-server",
            ]
        );
    }

    /// Fails if endpoints may be reached without TLS.
    #[test]
    fn a_configuration_of_another_issuer_or_with_open_endpoints_is_refused() {
        let issuer = "https://sso.example.org";
        let document = |name: &str, jwks: &str| json!({"issuer": name, "jwks_uri": jwks});
        let read = |document| endpoints(issuer, &document);
        let good = read(document(issuer, "https://keys.example.org/jwks")).unwrap();
        assert_eq!(good.jwks.as_deref(), Some("https://keys.example.org/jwks"));
        let error = read(document("https://sso.example.org/", "https://x/")).unwrap_err();
        assert!(
            error.contains("example.org/\"") && error.contains("example.org\""),
            "{error}"
        );
        for open in [
            "http://sso.example.org/jwks",
            "http://localhost/jwks",
            "ftp://x/",
            "jwks",
        ] {
            assert!(read(document(issuer, open)).is_err(), "{open}");
        }
        for local in ["http://127.0.0.1:1/jwks", "http://[::1]:1/jwks"] {
            assert!(read(document(issuer, local)).is_ok(), "{local}");
        }
    }
}

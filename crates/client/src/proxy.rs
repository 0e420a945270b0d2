//! Chooses the proxy by the same environment variables and rules as curl (curl(1), "ENVIRONMENT").

mod exempt;
pub(crate) mod forward;

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::http::Uri;

use crate::base_url::BaseUrl;
use crate::error::Error;
use exempt::is_exempt;

/// The port of a proxy whose URL has none, the same as curl's.
const DEFAULT_PORT: u16 = 1080;

/// The way to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Through the proxy in the environment variables; directly if there is none.
    Environment,
    /// Directly.
    Direct,
}

/// A proxy.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// Its URL without user and password, for messages.
    shown: String,
    /// The variable that names it.
    variable: &'static str,
    uri: Uri,
    tunnel: ureq::Proxy,
}

/// The use of a proxy for requests.
pub(crate) enum Passage<'a> {
    /// A tunnel to the server, in which the proxy can't read.
    Tunnel(&'a ureq::Proxy),
    /// Requests to the proxy, which forwards them (RFC 9110, section 7.6).
    Forward(&'a Uri),
}

impl Proxy {
    /// The proxy for a server from environment variables.
    pub(crate) fn named(
        server: &BaseUrl,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Error> {
        let set = |name: &&'static str| {
            let text = variable(name).filter(|text| !text.is_empty())?;
            Some((*name, text))
        };
        // curl does not read HTTP_PROXY, since a web server passes a caller's header `Proxy` to CGI programs in it.
        let names: &[&'static str] = if server.is_encrypted() {
            &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        } else {
            &["http_proxy", "all_proxy", "ALL_PROXY"]
        };
        let Some((name, text)) = names.iter().find_map(set) else {
            return Ok(None);
        };
        let exempt = ["no_proxy", "NO_PROXY"].iter().find_map(set);
        if exempt.is_some_and(|(_, list)| is_exempt(server.host(), &list)) {
            return Ok(None);
        }
        Self::parse(name, &text).map(Some)
    }

    fn parse(variable: &'static str, text: &str) -> Result<Self, Error> {
        let bad = |reason: &str| Error::Proxy {
            variable,
            reason: reason.to_owned(),
        };
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = scheme.to_ascii_lowercase();
        let tunnel_scheme = match scheme.as_str() {
            "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h" => scheme.as_str(),
            "socks" => "socks5",
            _ => return Err(bad("it must begin with http://, https:// or socks5h://")),
        };
        let rest = rest.split('/').next().unwrap_or_default();
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let has_port = place
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let place = match (has_port, scheme.as_str()) {
            (true, _) => place.to_owned(),
            (false, "https") => format!("{place}:443"),
            (false, _) => format!("{place}:{DEFAULT_PORT}"),
        };
        if place.starts_with(':') {
            return Err(bad("it names no machine"));
        }
        let shown = format!("{tunnel_scheme}://{place}");
        let whole = match user {
            Some(user) => format!("{tunnel_scheme}://{user}@{place}"),
            None => shown.clone(),
        };
        let tunnel = ureq::Proxy::new(&whole)
            .map_err(|_| bad("it is no URL such as http://proxy.example.org:3128"))?;
        Ok(Self {
            uri: tunnel.uri().clone(),
            shown,
            variable,
            tunnel,
        })
    }

    /// The use of the proxy for requests to a server.
    pub(crate) fn passage(&self, server: &BaseUrl) -> Passage<'_> {
        match self.tunnel.protocol() {
            // Many proxies allow tunnels only to the port of https.
            ureq::ProxyProtocol::Http if !server.is_encrypted() => Passage::Forward(&self.uri),
            _ => Passage::Tunnel(&self.tunnel),
        }
    }

    /// Its address, and the variable that names it.
    pub(crate) fn place(&self) -> (Uri, &'static str) {
        (self.uri.clone(), self.variable)
    }

    /// The credentials for a forwarding proxy (RFC 9110, section 11.7.2).
    pub(crate) fn authorization(&self) -> Option<String> {
        let user = self.tunnel.username()?;
        let password = self.tunnel.password().unwrap_or_default();
        let text = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Some(format!("Basic {text}"))
    }
}

/// For messages, always without its password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} (from {})", self.shown, self.variable)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(url: &str, variables: &[(&str, &str)]) -> Result<Option<String>, Error> {
        let url = BaseUrl::parse(url).unwrap();
        let proxy = Proxy::named(&url, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| (*text).to_owned())
        });
        Ok(proxy?.map(|proxy| proxy.to_string()))
    }

    #[test]
    fn each_scheme_has_its_variables_and_the_first_one_set_counts() {
        let (plain, tls) = ("http://h/v1", "https://h/v1");
        for (url, variables, expected) in [
            (
                plain,
                &[("http_proxy", "p:1")][..],
                Some("http://p:1 (from http_proxy)"),
            ),
            (plain, &[("HTTP_PROXY", "p:1")], None),
            (
                plain,
                &[("https_proxy", "p:1"), ("HTTPS_PROXY", "p:1")],
                None,
            ),
            (
                plain,
                &[("ALL_PROXY", "p:1")],
                Some("http://p:1 (from ALL_PROXY)"),
            ),
            (tls, &[("http_proxy", "p:1")], None),
            (
                tls,
                &[("HTTPS_PROXY", "p:2"), ("https_proxy", "p:1")],
                Some("http://p:1 (from https_proxy)"),
            ),
            (
                tls,
                &[("https_proxy", ""), ("all_proxy", "socks5h://p")],
                Some("socks5h://p:1080 (from all_proxy)"),
            ),
            (
                tls,
                &[("https_proxy", "https://p/")],
                Some("https://p:443 (from https_proxy)"),
            ),
        ] {
            let found = named(url, variables).unwrap();
            let expected = expected.map(|proxy| format!("the proxy {proxy}"));
            assert_eq!(found, expected, "{url} {variables:?}");
        }
    }

    #[test]
    fn a_password_is_sent_to_the_proxy_and_never_shown() {
        let url = BaseUrl::parse("http://h/v1").unwrap();
        let proxy = Proxy::named(&url, |_| Some("http://me:p%40ss@p:3128".to_owned()));
        let proxy = proxy.unwrap().unwrap();
        assert_eq!(
            proxy.to_string(),
            "the proxy http://p:3128 (from http_proxy)"
        );
        assert!(!format!("{proxy:?}").contains("p%40ss"));
        let sent = BASE64_STANDARD.encode("me:p@ss");
        assert_eq!(proxy.authorization(), Some(format!("Basic {sent}")));
    }

    #[test]
    fn what_is_no_proxy_is_named_by_its_variable() {
        for text in ["ftp://p:1", "http://", "http://p:port:x y"] {
            let error = named("http://h/v1", &[("http_proxy", text)]).unwrap_err();
            assert!(error.to_string().contains("http_proxy"), "{text}: {error}");
        }
    }
}

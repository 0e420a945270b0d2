//! Proxies in front of the server, and the clients that they name.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{FORWARDED, HeaderName};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of a proxy, or the network of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

/// The proxies whose word about their clients counts; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Arc<[Network]>);

impl Proxies {
    /// True if an address is one of a proxy.
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0
            .iter()
            .any(|Network(network)| network.contains(&address))
    }

    /// The client of a request from this address: of the addresses that the headers name, the last one that is not a
    /// proxy's. Those before it are what that client says.
    pub(super) fn client(&self, address: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.contain(address) {
            return address;
        }
        let mut client = address;
        for named in forwarded(headers).into_iter().rev() {
            let Some(named) = named else {
                break;
            };
            client = named;
            if !self.contain(named) {
                break;
            }
        }
        client
    }
}

impl FromIterator<Network> for Proxies {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network = text.parse::<IpNet>().ok();
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        network
            .or_else(address)
            .map(Self)
            .ok_or("write an IP address or a network, as in 10.0.0.7, 10.0.0.0/8 or fd00::/8")
    }
}

impl TryFrom<String> for Network {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(Network(network): Network) -> Self {
        network.to_string()
    }
}

/// The addresses that a request was forwarded for, by `Forwarded` (RFC 7239) or `X-Forwarded-For`; `None` for those
/// that are hidden or not known.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = |name| headers.get_all(name).iter();
    let texts = |name| lines(name).filter_map(|line| line.to_str().ok());
    let elements = texts(FORWARDED).flat_map(|line| line.split(','));
    let named: Vec<_> = elements
        .map(|element| {
            let parameters = element.split(';');
            let mut pairs = parameters.filter_map(|pair| pair.trim().split_once('='));
            let (_, node) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
            address(node.trim_matches('"'))
        })
        .collect();
    if !named.is_empty() {
        return named;
    }
    let elements = texts(X_FORWARDED_FOR).flat_map(|line| line.split(','));
    elements.map(|element| address(element.trim())).collect()
}

/// An address with or without a port, and in brackets if it is one of IPv6 with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse().ok();
    address.or_else(|| {
        text.parse::<SocketAddr>()
            .ok()
            .map(|with_port| with_port.ip())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(from: &str, headers: &[(&'static str, &'static str)]) -> String {
        let proxies = ["10.0.0.0/8", "fd00::1"].map(|text| text.parse().unwrap());
        let proxies: Proxies = proxies.into_iter().collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        proxies.client(from.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_proxy_of_ours() {
        let x = "x-forwarded-for";
        for (from, headers, expected) in [
            ("192.0.2.1", &[(x, "198.51.100.1")][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[(x, "198.51.100.1")], "198.51.100.1"),
            ("::ffff:10.0.0.1", &[(x, "198.51.100.1")], "198.51.100.1"),
            ("fd00::1", &[(x, "2001:db8::7")], "2001:db8::7"),
            // What comes before it the client may have made up.
            (
                "10.0.0.1",
                &[(x, "1.1.1.1, 198.51.100.1, 10.2.3.4")],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &[(x, "1.1.1.1"), (x, "198.51.100.1:99")],
                "198.51.100.1",
            ),
            ("10.0.0.1", &[(x, "1.1.1.1, unknown")], "10.0.0.1"),
            (
                "10.0.0.1",
                &[(
                    "forwarded",
                    "for=1.1.1.1, proto=https;For=\"[2001:db8::7]:4711\"",
                )],
                "2001:db8::7",
            ),
            ("10.0.0.1", &[("forwarded", "for=\"_hidden\"")], "10.0.0.1"),
        ] {
            assert_eq!(client(from, headers), expected, "{from} {headers:?}");
        }
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        for text in ["10.0.0.7", "10.0.0.0/8", "fd00::/8", "::1"] {
            assert!(text.parse::<Network>().is_ok(), "{text}");
        }
        for text in ["", "proxy", "10.0.0.0/33", "10.0.0"] {
            assert!(text.parse::<Network>().unwrap_err().contains("10.0.0.0/8"));
        }
    }
}

//! Hosts without a proxy, by the rules of curl's `no_proxy`.

use std::net::IpAddr;

/// True if this host is in a list of names. A name includes the hosts below it; a dot before it has no effect; `*`
/// alone is every host; an address may be a network such as `10.0.0.0/8`.
pub(super) fn is_exempt(host: &str, list: &str) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let bare = |text: &str| {
        let text = text.trim_start_matches('[').trim_end_matches(']');
        text.trim_end_matches('.').to_ascii_lowercase()
    };
    let host = bare(host);
    let address: Option<IpAddr> = host.parse().ok();
    let names = list.split([',', ' ', '\t']).filter(|name| !name.is_empty());
    names.into_iter().any(|name| match address {
        Some(address) => match name.split_once('/') {
            Some((network, bits)) => is_within(address, &bare(network), bits),
            None => bare(name).parse() == Ok(address),
        },
        None => {
            let name = bare(name.strip_prefix('.').unwrap_or(name));
            let below = host
                .strip_suffix(&name)
                .and_then(|rest| rest.strip_suffix('.'));
            !name.is_empty() && (host == name || below.is_some())
        }
    })
}

/// True if an address is in a network (RFC 4632).
fn is_within(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => (
            u128::from(address.to_bits()),
            u128::from(network.to_bits()),
            32,
        ),
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    match bits {
        0 => true,
        bits if bits > width => false,
        bits => (address ^ network) >> (width - bits) == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exemptions_follow_curl() {
        for (host, list) in [
            ("h.example.org", "*"),
            ("h.example.org", "example.org"),
            ("h.example.org", ".example.org"),
            ("example.org", ".example.org"),
            ("H.Example.Org.", "x, example.org"),
            ("h.example.org", "a h.example.org"),
            ("127.0.0.1", "localhost,127.0.0.1"),
            ("10.1.2.3", "10.0.0.0/8"),
            ("[::1]", "::1"),
            ("[fd00::7]", "[fd00::]/8"),
        ] {
            assert!(is_exempt(host, list), "{host} {list}");
        }
        for (host, list) in [
            ("127.0.0.1", ""),
            ("127.0.0.1", "localhost"),
            ("h.example.org", "*.example.org"),
            ("badexample.org", "example.org"),
            ("example.org", "h.example.org"),
            ("11.1.2.3", "10.0.0.0/8"),
            ("10.1.2.3", "10.0.0.0/33"),
            ("10.1.2.3", "1.2.3"),
        ] {
            assert!(!is_exempt(host, list), "{host} {list}");
        }
    }
}

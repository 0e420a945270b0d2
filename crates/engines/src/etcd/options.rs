//! The settings of a store in an etcd cluster.

use std::fmt;
use std::time::Duration;

use prominence_core::Quotas;

use crate::Retention;

/// Settings to open an [`super::EtcdStore`] with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Members of the cluster. One is used until it fails, then the next.
    pub endpoints: Endpoints,
    /// The prefix of all keys in the cluster.
    pub root: Root,
    /// The user of etcd that this server logs in as; `None` where the cluster has no authentication.
    pub login: Option<Login>,
    /// Certificates, where the endpoints are `https`.
    pub tls: Tls,
    /// The time limit for a connection to one member.
    pub connect_timeout: Duration,
    /// The time limit for one call of the store, retries included.
    pub request_timeout: Duration,
    /// The limit of each namespace.
    pub quotas: Quotas,
    /// The limits of each log.
    pub retention: Retention,
    /// Commits that may wait before more are refused.
    pub queue: usize,
    /// The interval in which this server removes expired entries and trims logs.
    pub upkeep_every: Duration,
}

impl Options {
    /// The usual options for a cluster.
    #[must_use]
    pub fn new(endpoints: Endpoints) -> Self {
        Self {
            endpoints,
            root: Root::default(),
            login: None,
            tls: Tls::default(),
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(10),
            quotas: Quotas::default(),
            retention: Retention::default(),
            queue: 4_096,
            upkeep_every: Duration::from_secs(1),
        }
    }
}

/// The addresses of some members of one cluster: at least one, and all with or all without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints(Vec<Endpoint>);

/// The address at which a member listens to clients: `http://HOST:PORT` or `https://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

/// The reason why a text is not the address of members.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoints {
    /// No endpoint is given.
    #[error("no endpoint is given; name at least one member, such as http://10.0.0.1:2379")]
    None,
    /// One is not a URL of the required form.
    #[error(
        "{0:?} is no endpoint; write http://HOST:PORT or https://HOST:PORT, \
        such as http://10.0.0.1:2379"
    )]
    Malformed(String),
    /// Some have TLS and others have not.
    #[error("some endpoints are http and others https; a cluster has either the one or the other")]
    Mixed,
}

impl Endpoints {
    /// Checks the addresses of members.
    ///
    /// # Errors
    /// See [`BadEndpoints`].
    pub fn new(endpoints: Vec<Endpoint>) -> Result<Self, BadEndpoints> {
        let first = endpoints.first().ok_or(BadEndpoints::None)?;
        if endpoints.iter().any(|each| each.is_tls() != first.is_tls()) {
            return Err(BadEndpoints::Mixed);
        }
        Ok(Self(endpoints))
    }

    /// Reads addresses that stand between commas.
    ///
    /// # Errors
    /// See [`BadEndpoints`].
    pub fn parse(text: &str) -> Result<Self, BadEndpoints> {
        let given = text
            .split(',')
            .map(str::trim)
            .filter(|each| !each.is_empty());
        Self::new(given.map(Endpoint::parse).collect::<Result<_, _>>()?)
    }

    /// Each address, as it was given.
    pub fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.iter()
    }

    /// True if they are `https`.
    #[must_use]
    pub fn are_tls(&self) -> bool {
        self.0.iter().any(Endpoint::is_tls)
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<_> = self.iter().map(Endpoint::as_str).collect();
        f.write_str(&endpoints.join(","))
    }
}

impl Endpoint {
    /// Reads one address.
    ///
    /// # Errors
    /// [`BadEndpoints::Malformed`].
    pub fn parse(text: &str) -> Result<Self, BadEndpoints> {
        let malformed = || BadEndpoints::Malformed(text.to_owned());
        let address = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"))
            .ok_or_else(malformed)?;
        let address = address.strip_suffix('/').unwrap_or(address);
        let (host, port) = address.rsplit_once(':').ok_or_else(malformed)?;
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let is_host = !host.is_empty()
            && !host.contains(|c: char| c.is_whitespace() || "/?#@,".contains(c))
            && (is_bracketed || !host.contains(':'));
        let is_port = port.parse::<u16>().is_ok_and(|port| port != 0);
        if !is_host || !is_port {
            return Err(malformed());
        }
        Ok(Self(text.strip_suffix('/').unwrap_or(text).to_owned()))
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if it is `https`.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The prefix of all keys in the cluster, which other programs may use as well: a path such as
/// `/prominence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(String);

/// A text that is not a root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no root; write a path of letters, digits, \"-\", \"_\", \".\" and \"/\" that \
    begins with \"/\", of at most {MAX_ROOT_BYTES} bytes, such as /prominence"
)]
pub struct BadRoot(String);

/// Bytes of a root, which every key begins with.
const MAX_ROOT_BYTES: usize = 100;

impl Root {
    /// Reads a root. A slash at the end makes no difference.
    ///
    /// # Errors
    /// Where it is no path, is too long, or holds anything but letters, digits and `-_./`.
    pub fn parse(text: &str) -> Result<Self, BadRoot> {
        let path = text.trim_end_matches('/');
        let is_legal = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if !path.starts_with('/') || path.len() > MAX_ROOT_BYTES || !path.chars().all(is_legal) {
            return Err(BadRoot(text.to_owned()));
        }
        Ok(Self(path.to_owned()))
    }

    /// Without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Root {
    /// `/prominence`.
    fn default() -> Self {
        Self("/prominence".to_owned())
    }
}

/// A user of etcd, where the cluster has authentication turned on.
#[derive(Clone)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A log must not have the password.
        write!(f, "Login({:?})", self.user)
    }
}

/// The certificates of both sides, where the endpoints are `https`.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Certificates, PEM, of the authorities that the members' certificates are checked against;
    /// `None` for those of the system.
    pub authorities: Option<Vec<u8>>,
    /// The certificate that this server shows; `None` where the members don't ask for one.
    pub identity: Option<Identity>,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Identity {
    /// The certificate, and the intermediate ones up to the authority's, PEM.
    pub certificate: Vec<u8>,
    /// The private key, PEM.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_have_a_scheme_a_host_and_a_port() {
        for good in [
            "http://10.0.0.1:2379",
            "https://etcd-1.example.org:2379/",
            "http://[::1]:2379",
        ] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "10.0.0.1:2379",
            "http://10.0.0.1",
            "http://:2379",
            "http://host:0",
            "http://host:70000",
            "http://host:2379/path",
            "http://user@host:2379",
            "http://::1:2379",
            "ftp://host:2379",
            "http://ho st:2379",
            "",
        ] {
            assert_eq!(
                Endpoint::parse(bad),
                Err(BadEndpoints::Malformed(bad.to_owned()))
            );
        }
    }

    #[test]
    fn a_cluster_has_tls_everywhere_or_nowhere() {
        let both = "http://a:1, https://b:2";
        assert_eq!(Endpoints::parse(both), Err(BadEndpoints::Mixed));
        assert_eq!(Endpoints::parse(" , "), Err(BadEndpoints::None));
        let two = Endpoints::parse("https://a:1/, https://b:2").unwrap();
        assert_eq!(two.to_string(), "https://a:1,https://b:2");
        assert!(two.are_tls());
    }

    #[test]
    fn a_root_is_a_path() {
        assert_eq!(Root::parse("/a/b/").unwrap().as_str(), "/a/b");
        for bad in ["", "/", "a", "/a b", "/é", "/a\0"] {
            assert_eq!(Root::parse(bad), Err(BadRoot(bad.to_owned())));
        }
        assert!(Root::parse(&format!("/{}", "a".repeat(MAX_ROOT_BYTES))).is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        let login = Login {
            user: "kv".to_owned(),
            password: "geheim".to_owned(),
        };
        assert!(!format!("{login:?}").contains("geheim"));
    }
}

//! Makes a valid configuration of the settings as they were written.

mod limits;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args as _;
use prominence_core::Quota;
use prominence_engines::Retention;
#[cfg(feature = "etcd")]
use prominence_engines::etcd;
use serde::de::DeserializeOwned;

use self::limits::{
    connections, long_poll_limits, mint_max_lifetime, public_url, token_max_lifetime, usual_rate,
    value_limit,
};
use super::error::ConfigError;
use super::issuer::{self, IssuerSettings};
use super::memory::MemoryShares;
use super::{Settings, Span};
use crate::app::Bounds;
use crate::http::router::Page;
use crate::identity::issuer::IssuerConfig;
use crate::identity::token::{SecretSource, TokenLimits};
use crate::net::listener::Limits;
use crate::request::log::RequestLogs;

/// The message of a program that can't talk to etcd where `--engine etcd` or `admin migrate` is asked of it.
pub const WITHOUT_ETCD: &str = "this program was built without the etcd engine; build it with: \
     cargo build --release --features etcd (which needs protoc; see docs/etcd.md)";

/// Most revocations of tokens, where it is not set. Each takes at most 200 bytes of memory.
const USUAL_REVOCATIONS: usize = 100_000;

/// The prefix of the environment variables that are settings of the server.
const ENV_PREFIX: &str = "PROMINENCE_SERVE_";

/// The lifetime of a connection.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(3_600);

/// A valid configuration: nothing in it needs checking again.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen at.
    pub listen: SocketAddr,
    /// The address at which programs that watch over the server are answered without a token.
    pub metrics_listen: Option<SocketAddr>,
    /// The folder of the data.
    pub data_dir: PathBuf,
    /// Secrets to accept; empty for the one in the data folder.
    pub secrets: Vec<SecretSource>,
    /// Limits on the times of a token.
    pub token_limits: TokenLimits,
    /// The longest life of a token that is made for a caller; `None` where none are made.
    pub mint_max_lifetime: Option<Duration>,
    /// Most records of revoked tokens.
    pub max_revocations: usize,
    /// The origin that users see, without a `/` at its end.
    pub public_url: Option<String>,
    /// Issuers whose tokens are accepted.
    pub issuers: Vec<IssuerConfig>,
    /// The files that their settings name.
    pub issuer_files: Vec<PathBuf>,
    /// Certificate chain and private key, both PEM files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Limits on a request.
    pub bounds: Bounds,
    /// Limits on connections.
    pub limits: Limits,
    /// The access log and the audit log.
    pub request_logs: RequestLogs,
    /// The time for which changes are kept.
    pub retention: Retention,
    /// The place where the data is kept.
    pub engine: EngineConfig,
    /// The web page: served, or not.
    pub page: Page,
    /// True if this is a trial: a token is printed.
    pub dev: bool,
    /// Its origin: the settings that were written and those of the file.
    pub settings: Settings,
}

/// The place of the data, and its engine.
#[derive(Clone, Debug)]
pub enum EngineConfig {
    /// In the data folder.
    Embedded(Storage),
    /// In an etcd cluster.
    #[cfg(feature = "etcd")]
    Etcd(Box<etcd::Options>),
}

/// Settings of the embedded engine.
#[derive(Clone, Copy, Debug)]
pub struct Storage {
    /// Bytes of cached entries and blocks.
    pub cache_bytes: u64,
    /// Bytes of disk below which writes are refused.
    pub min_free_disk: u64,
    /// True if a store of an earlier format is upgraded before it is opened.
    pub migrate: bool,
}

impl EngineConfig {
    /// True if the data is in a cluster, so that the data folder holds none.
    #[must_use]
    pub fn is_in_cluster(&self) -> bool {
        match self {
            Self::Embedded(_) => false,
            #[cfg(feature = "etcd")]
            Self::Etcd(_) => true,
        }
    }
}

impl Settings {
    /// Adds what the file says, and checks everything.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn resolve(self) -> Result<Config, ConfigError> {
        check_environment(std::env::vars_os().map(|(name, _)| name))?;
        self.with_file()?.check()
    }

    /// These settings, and for the others those of the file.
    pub(super) fn with_file(self) -> Result<Self, ConfigError> {
        match self.config.clone() {
            None => Ok(self),
            Some(file) => self.over(read(&file)?, &file),
        }
    }

    /// The file of settings, for messages.
    pub(super) fn file_name(&self) -> String {
        let file = self.config.as_ref();
        file.map_or_else(String::new, |file| file.display().to_string())
    }

    /// These settings, and those of the file for the others.
    fn over(self, file: Self, path: &Path) -> Result<Self, ConfigError> {
        let not_valid = |message: String| ConfigError::File {
            file: path.display().to_string(),
            message,
        };
        let table = |settings: &Self| {
            toml::Table::try_from(settings).map_err(|error| not_valid(error.to_string()))
        };
        let mut merged = table(&file)?;
        merged.extend(table(&self)?);
        let merged: Self = merged
            .try_into()
            .map_err(|error: toml::de::Error| not_valid(error.to_string()))?;
        Ok(Self {
            config: self.config,
            dev: self.dev,
            check: self.check,
            ..merged
        })
    }

    pub(super) fn check(self) -> Result<Config, ConfigError> {
        let settings = self.clone();
        let memory = MemoryShares::of(self.memory_limit)?;
        let engine = self.engine_config(memory)?;
        let listen = self.listen.unwrap_or((Ipv4Addr::LOCALHOST, 8080).into());
        let tls = certificate_and_key(self.tls_cert, self.tls_key)?;
        if tls.is_none() && !is_loopback(listen.ip()) && !self.insecure.unwrap_or(false) {
            return Err(ConfigError::Insecure(listen));
        }
        let data_dir = match self.data_dir {
            Some(folder) => folder,
            None => default_data_dir(self.dev).ok_or(ConfigError::NoDataFolder)?,
        };
        let span =
            |given: Option<Span>, default| given.map_or(Duration::from_secs(default), |s| s.0);
        let default_quota = Quota::default();
        let quota = Quota {
            keys: self.quota_keys.unwrap_or(default_quota.keys),
            bytes: self
                .quota_bytes
                .map_or(default_quota.bytes, |size| size.as_u64()),
        };
        let retention = Retention {
            changes: self.log_changes.unwrap_or(100_000),
            age: span(self.log_age, 86_400),
        };
        let connections = connections(self.max_connections)?;
        let token_max_lifetime = token_max_lifetime(self.token_max_lifetime)?;
        let (issuers, issuer_files) =
            issuers(self.issuer, self.issuer_file, self.public_url.is_some())?;
        Ok(Config {
            listen,
            metrics_listen: self.metrics_listen,
            data_dir,
            secrets: self.secret_file.unwrap_or_default(),
            token_limits: TokenLimits {
                leeway: span(self.token_leeway, 0),
                max_lifetime: token_max_lifetime,
            },
            mint_max_lifetime: mint_max_lifetime(self.mint_max_lifetime, token_max_lifetime)?,
            max_revocations: self.revocations_max.unwrap_or(USUAL_REVOCATIONS),
            issuers,
            issuer_files,
            public_url: self.public_url.map(public_url).transpose()?,
            tls,
            bounds: Bounds {
                value_bytes: value_limit(self.value_limit)?,
                quota,
                body_within: span(self.read_timeout, 20),
                answer_within: span(self.answer_timeout, 30),
                request_memory: memory.requests,
                requests_per_second: self.rate_limit.unwrap_or_else(usual_rate),
                long_polls: long_poll_limits(connections, self.max_held, self.max_held_per_user),
            },
            limits: Limits {
                proxies: self
                    .trusted_proxies
                    .unwrap_or_default()
                    .into_iter()
                    .collect(),
                connections,
                head_memory: memory.heads,
                lifetime: CONNECTION_LIFETIME,
                head_within: span(self.read_timeout, 20),
                write_within: span(self.write_timeout, 60),
                stop_within: span(self.stop_timeout, 30),
            },
            request_logs: RequestLogs {
                access: self.access_log,
                audit: self.audit_log,
                format: self.request_log_format.unwrap_or_default(),
            },
            retention,
            engine,
            page: match self.no_web.unwrap_or(false) {
                true => Page::LeftOut,
                false => Page::Served,
            },
            dev: self.dev,
            settings,
        })
    }
}

/// The folders in which a server started without `--data-dir` keeps its data, the ordinary one
/// first; for finding such a server's secret and address.
#[must_use]
pub fn data_folders() -> Vec<PathBuf> {
    [default_data_dir(false), default_data_dir(true)]
        .into_iter()
        .flatten()
        .collect()
}

/// The folder of a server started without `--data-dir`: below `XDG_DATA_HOME`, or
/// `~/.local/share` (XDG Base Directory Specification).
#[must_use]
pub fn default_data_dir(dev: bool) -> Option<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))?;
    Some(base.join("prominence").join(if dev { "dev" } else { "kv" }))
}

/// The issuers of the configuration file, and of the files that are named; with the files that these name in turn.
fn issuers(
    tables: Option<Vec<IssuerSettings>>,
    files: Option<Vec<PathBuf>>,
    has_public_url: bool,
) -> Result<(Vec<IssuerConfig>, Vec<PathBuf>), ConfigError> {
    let mut all = tables.unwrap_or_default();
    for file in files.unwrap_or_default() {
        all.push(read(&file)?);
    }
    let named = all.iter().flat_map(IssuerSettings::files).collect();
    Ok((issuer::check(all, has_public_url)?, named))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Read {
        file: file.clone(),
        cause,
    })?;
    toml::from_str(&text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text
            .bytes()
            .take(start)
            .filter(|byte| *byte == b'\n')
            .count()
            + 1;
        let message = error.message().replace('\n', " ");
        ConfigError::File {
            file,
            message: format!("line {line}: {message}"),
        }
    })
}

/// A misspelt variable would otherwise be a setting that silently isn't made.
fn check_environment(names: impl Iterator<Item = OsString>) -> Result<(), ConfigError> {
    let command = Settings::augment_args(clap::Command::new("serve"));
    let known: Vec<_> = command
        .get_arguments()
        .filter_map(|argument| argument.get_env())
        .collect();
    for name in names {
        let is_setting = name.to_string_lossy().starts_with(ENV_PREFIX);
        if is_setting && !known.contains(&name.as_os_str()) {
            return Err(ConfigError::UnknownVariable(
                name.to_string_lossy().into_owned(),
            ));
        }
    }
    Ok(())
}

fn certificate_and_key(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<(PathBuf, PathBuf)>, ConfigError> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, Some(_)) => Err(ConfigError::HalfTls("--tls-cert")),
        (Some(_), None) => Err(ConfigError::HalfTls("--tls-key")),
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;

    use super::*;

    fn from_file(text: &str, flags: Settings) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kv.toml");
        std::fs::write(&path, text).unwrap();
        Settings {
            config: Some(path),
            ..flags
        }
        .resolve()
    }

    #[test]
    fn flags_win_over_the_file() {
        let text = "listen = \"127.0.0.1:1\"\ndata-dir = \"/f\"\nvalue-limit = \"8KiB\"\n\
                    read-timeout = 7\nlog-age = \"2h\"\nsecret-file = [\"/s\", \"k=/t\"]\n";
        let flags = Settings {
            data_dir: Some("/g".into()),
            ..Settings::default()
        };
        let config = from_file(text, flags).unwrap();
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.data_dir, Path::new("/g"));
        assert_eq!(config.bounds.value_bytes, 8_192);
        assert_eq!(config.bounds.body_within, Duration::from_secs(7));
        assert_eq!(config.retention.age, Duration::from_secs(7_200));
        assert_eq!(config.secrets.len(), 2);
    }

    #[test]
    fn a_setting_of_the_file_that_is_wrong_is_refused_in_one_line_with_what_to_write() {
        for (text, right) in [
            ("listen = \"8080\"", "127.0.0.1:8080"),
            ("listen = 8080", "127.0.0.1:8080"),
            (
                "quota-keys = \"abc\"",
                "a whole number from 0 to 18446744073709551615",
            ),
            ("quota-keys = -1", "a whole number from 0 to"),
            ("rate-limit = 1.5", "a whole number from 0 to 4294967295"),
            ("max-held = true", "a whole number from 0 to"),
            ("value-limit = \"many\"", "a size such as 64KiB"),
            ("log-age = true", "90s, 15m"),
            ("log-age = \"soon\"", "90s, 15m"),
        ] {
            let text = format!("# a comment\n{text}\n");
            let error = from_file(&text, Settings::default()).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains("line 2: ") && error.contains(right),
                "{error}"
            );
            assert!(!error.contains('\n') && !error.contains("TOML"), "{error}");
        }
    }

    #[test]
    fn a_size_of_the_file_is_kept_to_the_byte() {
        for text in ["12345", "\"12345\"", "\"12345B\""] {
            let text = format!("value-limit = {text}\n");
            let config = from_file(&text, Settings::default()).unwrap();
            assert_eq!(config.bounds.value_bytes, 12_345);
        }
    }

    #[test]
    fn an_unknown_key_is_refused_by_name_and_line() {
        let error = from_file("\nlissten = 1\n", Settings::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("lissten") && error.contains("line 2"),
            "{error}"
        );
        let wrong = from_file("log-age = \"soon\"", Settings::default())
            .unwrap_err()
            .to_string();
        assert!(
            wrong.contains("soon") && wrong.contains("line 1"),
            "{wrong}"
        );
    }

    #[test]
    fn an_unknown_environment_variable_is_refused_by_name() {
        let check = |name: &str| check_environment(std::iter::once(name.into()));
        assert!(check("PROMINENCE_SERVE_LISTEN").is_ok());
        assert!(check("PROMINENCE_URL").is_ok());
        let error = check("PROMINENCE_SERVE_LISTN").unwrap_err().to_string();
        assert!(error.contains("PROMINENCE_SERVE_LISTN"), "{error}");
    }

    #[test]
    fn other_machines_are_served_only_with_tls_or_when_told_so() {
        let listen = |address: &str, insecure| {
            let data_dir = Some("/d".into());
            let listen = Some(address.parse().unwrap());
            Settings {
                listen,
                insecure,
                data_dir,
                ..Settings::default()
            }
            .check()
        };
        assert!(listen("127.0.0.1:0", None).is_ok());
        assert!(listen("[::1]:0", None).is_ok());
        assert!(listen("[::ffff:127.0.0.1]:0", None).is_ok());
        assert!(matches!(
            listen("0.0.0.0:0", None),
            Err(ConfigError::Insecure(_))
        ));
        assert!(listen("0.0.0.0:0", Some(true)).is_ok());
    }

    #[test]
    fn limits_outside_their_range_are_refused_with_the_range() {
        let value = Settings {
            value_limit: Some(ByteSize::mib(2)),
            ..Settings::default()
        }
        .check();
        assert!(value.unwrap_err().to_string().contains("1MiB"));
        let none = Settings {
            max_connections: Some(0),
            ..Settings::default()
        }
        .check();
        assert!(none.is_err());
        let lifetime = |text: &str| {
            let settings = Settings {
                token_max_lifetime: Some(text.parse().unwrap()),
                data_dir: Some("/d".into()),
                ..Settings::default()
            };
            settings
                .check()
                .map(|config| config.token_limits.max_lifetime)
        };
        for text in ["59m59s", "400d1s", "1s"] {
            let error = lifetime(text).unwrap_err().to_string();
            assert!(
                error.contains("token-max-lifetime") && error.contains("1h to 400d"),
                "{error}"
            );
        }
        for text in ["1h", "400d"] {
            assert!(lifetime(text).is_ok(), "{text}");
        }
    }
}

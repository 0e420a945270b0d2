//! The settings of an operator: by flag, by environment variable, or in a TOML file, in this order of
//! precedence. [`Settings`] is what was written; [`Config`] is what it means, and is valid.

mod engine;
mod error;
#[cfg(feature = "etcd")]
mod etcd;
mod issuer;
mod memory;
mod parse;
mod reload;
mod resolve;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use prominence_api::switch::parse_switch;
use prominence_api::time::{DurationError, format_duration, parse_duration};
use serde::{Deserialize, Deserializer, Serialize};

pub use error::ConfigError;
pub use issuer::{IntrospectionSettings, IssuerSettings, OpaqueSetting};
pub use parse::bytes;
pub use resolve::{Config, EngineConfig, Storage, WITHOUT_ETCD, data_folders, default_data_dir};

pub(crate) use reload::Reread;

use crate::identity::token::SecretSource;
use crate::request::log::{LineFormat, LogTarget};
use crate::wait::connection::Network;

/// The file in the data folder with the URL of the server, while it listens.
pub const LISTENING: &str = "listening";

/// Every setting as it was written. One definition serves the command line, the environment and
/// the file, so that the three can't drift apart.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// Read settings from this TOML file; flags and environment variables win over it.
    #[arg(long, value_name = "FILE", env = "PROMINENCE_SERVE_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Run a trial server: it has a data folder of its own and prints a token ready to paste.
    #[arg(long, conflicts_with = "insecure")]
    #[serde(skip)]
    pub dev: bool,

    /// Check the configuration and don't start; every issuer of tokens is asked once.
    #[arg(long, conflicts_with = "dev")]
    #[serde(skip)]
    pub check: bool,

    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR:PORT", env = "PROMINENCE_SERVE_LISTEN",
          allow_negative_numbers = true, value_parser = parse::address)]
    #[serde(deserialize_with = "parse::file_address")]
    pub listen: Option<SocketAddr>,

    /// Address and port of a second listener with /metrics, /healthz and /readyz for programs without a token, never
    /// with TLS [default: none].
    #[arg(long, value_name = "ADDR:PORT", env = "PROMINENCE_SERVE_METRICS_LISTEN",
          allow_negative_numbers = true, value_parser = parse::address)]
    #[serde(deserialize_with = "parse::file_address")]
    pub metrics_listen: Option<SocketAddr>,

    /// Folder for the data, made if it does not exist [default: prominence/kv in the user's data
    /// folder].
    #[arg(long, value_name = "DIR", env = "PROMINENCE_SERVE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// Storage engine [default: embedded].
    #[arg(long, value_name = "ENGINE", env = "PROMINENCE_SERVE_ENGINE")]
    pub engine: Option<Engine>,

    /// Accept tokens signed with this secret: a file; repeat it (or separate by commas) to
    /// accept several. KID=FILE is for tokens that name it. New tokens are signed with the first
    /// [default: job-token.secret in the data folder, made on first start].
    #[arg(
        long,
        value_name = "[KID=]FILE",
        env = "PROMINENCE_SERVE_SECRET_FILE",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<Vec<SecretSource>>,

    /// Accept a token this long after its end and before its beginning [default: none].
    #[arg(
        long,
        value_name = "DURATION",
        env = "PROMINENCE_SERVE_TOKEN_LEEWAY",
        allow_negative_numbers = true
    )]
    pub token_leeway: Option<Span>,

    /// Longest life of a token, from when it was issued (or from now, if it doesn't say so) to its
    /// end [default: 30d; 1h to 400d].
    #[arg(
        long,
        value_name = "DURATION",
        env = "PROMINENCE_SERVE_TOKEN_MAX_LIFETIME",
        allow_negative_numbers = true
    )]
    pub token_max_lifetime: Option<Span>,

    /// Longest lifetime of a token that the server makes from another one (POST /token), such as 7d; 0 for no such
    /// tokens [default: 30d; at most token-max-lifetime].
    #[arg(
        long,
        value_name = "DURATION",
        env = "PROMINENCE_SERVE_MINT_MAX_LIFETIME",
        allow_negative_numbers = true
    )]
    pub mint_max_lifetime: Option<SpanOrNone>,

    /// Most revocations at once [default: 100000].
    #[arg(long, value_name = "N", env = "PROMINENCE_SERVE_REVOCATIONS_MAX",
          allow_negative_numbers = true, value_parser = parse::number::<usize>(u64::from(u32::MAX)))]
    #[serde(deserialize_with = "parse::file_usize")]
    pub revocations_max: Option<usize>,

    /// Proxies in front of the server, by address or network, as in 10.0.0.7 or 10.0.0.0/8; repeat it (or separate by
    /// commas) for several. The client that they name in Forwarded or X-Forwarded-For is the one in the log, and their
    /// connections are not limited by address.
    #[arg(
        long,
        value_name = "ADDR[/BITS]",
        env = "PROMINENCE_SERVE_TRUSTED_PROXIES",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_proxies: Option<Vec<Network>>,

    /// The server's address for its users (such as https://kv.example.org), without a path; prominence login needs it.
    #[arg(long, value_name = "URL", env = "PROMINENCE_SERVE_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// Accept tokens of the issuer in this TOML file; repeat it (or separate by commas) for several.
    /// An issuer is an OpenID provider, or a platform that publishes its keys. In the configuration
    /// file each is a table [[issuer]].
    #[arg(
        long,
        value_name = "FILE",
        env = "PROMINENCE_SERVE_ISSUER_FILE",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_file: Option<Vec<PathBuf>>,

    /// Issuers whose tokens are accepted.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Vec<IssuerSettings>>,

    /// Certificate chain for TLS (PEM).
    #[arg(long, value_name = "FILE", env = "PROMINENCE_SERVE_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,

    /// Private key for TLS (PEM).
    #[arg(long, value_name = "FILE", env = "PROMINENCE_SERVE_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Listen on a non-loopback address without TLS.
    #[arg(long, env = "PROMINENCE_SERVE_INSECURE", num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_parser = parse_switch)]
    pub insecure: Option<bool>,

    /// Leave out the web page at /.
    #[arg(long, env = "PROMINENCE_SERVE_NO_WEB", num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_parser = parse_switch)]
    pub no_web: Option<bool>,

    /// Largest value [default: 16KiB; at most 1MiB].
    #[arg(long, value_name = "SIZE", env = "PROMINENCE_SERVE_VALUE_LIMIT",
          allow_negative_numbers = true, value_parser = parse::size)]
    #[serde(
        deserialize_with = "parse::file_size",
        serialize_with = "parse::to_file"
    )]
    pub value_limit: Option<ByteSize>,

    /// Most keys of one user [default: 1000000].
    #[arg(long, value_name = "N", env = "PROMINENCE_SERVE_QUOTA_KEYS",
          allow_negative_numbers = true, value_parser = parse::number::<u64>(u64::MAX))]
    #[serde(deserialize_with = "parse::file_u64")]
    pub quota_keys: Option<u64>,

    /// Most bytes of keys and values of one user [default: 1GiB].
    #[arg(long, value_name = "SIZE", env = "PROMINENCE_SERVE_QUOTA_BYTES",
          allow_negative_numbers = true, value_parser = parse::size)]
    #[serde(
        deserialize_with = "parse::file_size",
        serialize_with = "parse::to_file"
    )]
    pub quota_bytes: Option<ByteSize>,

    /// Most requests a second of one user, of which large ones count as several; 0 is no limit [default: 100000 for each
    /// processor].
    #[arg(long, value_name = "N", env = "PROMINENCE_SERVE_RATE_LIMIT",
          allow_negative_numbers = true, value_parser = parse::number::<u32>(u32::MAX.into()))]
    #[serde(deserialize_with = "parse::file_u32")]
    pub rate_limit: Option<u32>,

    /// Connections of users open at once; an eighth as many can be open besides without a user [default: 10000].
    #[arg(long, value_name = "N", env = "PROMINENCE_SERVE_MAX_CONNECTIONS",
          allow_negative_numbers = true, value_parser = parse::number::<usize>(u64::from(u32::MAX)))]
    #[serde(deserialize_with = "parse::file_usize")]
    pub max_connections: Option<usize>,

    /// Requests waiting or watching at once; each keeps a connection [default: half of
    /// max-connections].
    #[arg(long, value_name = "N", env = "PROMINENCE_SERVE_MAX_HELD",
          allow_negative_numbers = true, value_parser = parse::number::<usize>(u64::from(u32::MAX)))]
    #[serde(deserialize_with = "parse::file_usize")]
    pub max_held: Option<usize>,

    /// Requests of one user waiting or watching at once [default: half of max-held].
    #[arg(long, value_name = "N", env = "PROMINENCE_SERVE_MAX_HELD_PER_USER",
          allow_negative_numbers = true, value_parser = parse::number::<usize>(u64::from(u32::MAX)))]
    #[serde(deserialize_with = "parse::file_usize")]
    pub max_held_per_user: Option<usize>,

    /// Longest time for a request's head, its body, or a kept connection's next request
    /// [default: 20s].
    #[arg(
        long,
        value_name = "DURATION",
        env = "PROMINENCE_SERVE_READ_TIMEOUT",
        allow_negative_numbers = true
    )]
    pub read_timeout: Option<Span>,

    /// Time over which a client has to read 64 KiB a second of its answer, on average [default: 60s].
    #[arg(
        long,
        value_name = "DURATION",
        env = "PROMINENCE_SERVE_WRITE_TIMEOUT",
        allow_negative_numbers = true
    )]
    pub write_timeout: Option<Span>,

    /// Longest time until an answer begins [default: 30s].
    #[arg(
        long,
        value_name = "DURATION",
        env = "PROMINENCE_SERVE_ANSWER_TIMEOUT",
        allow_negative_numbers = true
    )]
    pub answer_timeout: Option<Span>,

    /// Longest time for requests in flight when the server is told to stop [default: 30s].
    #[arg(
        long,
        value_name = "DURATION",
        env = "PROMINENCE_SERVE_STOP_TIMEOUT",
        allow_negative_numbers = true
    )]
    pub stop_timeout: Option<Span>,

    /// Write a line for each request to this file, or to stdout or stderr: who, from where, what, and how it ended
    /// [default: none].
    #[arg(long, value_name = "FILE", env = "PROMINENCE_SERVE_ACCESS_LOG")]
    pub access_log: Option<LogTarget>,

    /// The same for requests that change something and for those that are refused with 401 or 403 [default: none].
    #[arg(long, value_name = "FILE", env = "PROMINENCE_SERVE_AUDIT_LOG")]
    pub audit_log: Option<LogTarget>,

    /// Form of the lines of both logs [default: json].
    #[arg(long, value_name = "FORM", env = "PROMINENCE_SERVE_REQUEST_LOG_FORMAT")]
    pub request_log_format: Option<LineFormat>,

    /// Changes kept for each user's watches [default: 100000].
    #[arg(long, value_name = "N", env = "PROMINENCE_SERVE_LOG_CHANGES",
          allow_negative_numbers = true, value_parser = parse::number::<u64>(u64::MAX))]
    #[serde(deserialize_with = "parse::file_u64")]
    pub log_changes: Option<u64>,

    /// How long changes are kept [default: 1d].
    #[arg(
        long,
        value_name = "DURATION",
        env = "PROMINENCE_SERVE_LOG_AGE",
        allow_negative_numbers = true
    )]
    pub log_age: Option<Span>,

    /// Memory that the server may use, from which the sizes of its caches and of the memory for requests follow [default:
    /// half of the machine's, or of what the cgroup or the limit on address space allows].
    #[arg(long, value_name = "SIZE", env = "PROMINENCE_SERVE_MEMORY_LIMIT",
          allow_negative_numbers = true, value_parser = parse::size)]
    #[serde(
        deserialize_with = "parse::file_size",
        serialize_with = "parse::to_file"
    )]
    pub memory_limit: Option<ByteSize>,

    /// Memory for cached entries and blocks of the data [default: 64MiB; at most an eighth of memory-limit].
    #[arg(long, value_name = "SIZE", env = "PROMINENCE_SERVE_CACHE_SIZE",
          allow_negative_numbers = true, value_parser = parse::size)]
    #[serde(
        deserialize_with = "parse::file_size",
        serialize_with = "parse::to_file"
    )]
    pub cache_size: Option<ByteSize>,

    /// Refuse writes when the disk has less free space than this [default: 256MiB].
    #[arg(long, value_name = "SIZE", env = "PROMINENCE_SERVE_MIN_FREE_DISK",
          allow_negative_numbers = true, value_parser = parse::size)]
    #[serde(
        deserialize_with = "parse::file_size",
        serialize_with = "parse::to_file"
    )]
    pub min_free_disk: Option<ByteSize>,

    /// Bring a data folder of an earlier version to the latest format at start. Nothing changes where
    /// it has that already.
    #[arg(long, env = "PROMINENCE_SERVE_MIGRATE", num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_parser = parse_switch)]
    pub migrate: Option<bool>,

    /// Members of the etcd cluster, such as http://10.0.0.1:2379; repeat it (or separate by
    /// commas) for several.
    #[arg(
        long,
        value_name = "URL",
        env = "PROMINENCE_SERVE_ETCD_ENDPOINTS",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etcd_endpoints: Option<Vec<String>>,

    /// Prefix of all keys in etcd [default: /prominence].
    #[arg(long, value_name = "PATH", env = "PROMINENCE_SERVE_ETCD_ROOT")]
    pub etcd_root: Option<String>,

    /// User in etcd; needed if authentication is on.
    #[arg(long, value_name = "NAME", env = "PROMINENCE_SERVE_ETCD_USER")]
    pub etcd_user: Option<String>,

    /// File with that user's password.
    #[arg(long, value_name = "FILE", env = "PROMINENCE_SERVE_ETCD_PASSWORD_FILE")]
    pub etcd_password_file: Option<PathBuf>,

    /// Certificates of the authorities that vouch for etcd's members (PEM) [default: the
    /// system's].
    #[arg(long, value_name = "FILE", env = "PROMINENCE_SERVE_ETCD_CA")]
    pub etcd_ca: Option<PathBuf>,

    /// Certificate that this server shows to etcd (PEM).
    #[arg(long, value_name = "FILE", env = "PROMINENCE_SERVE_ETCD_CERT")]
    pub etcd_cert: Option<PathBuf>,

    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", env = "PROMINENCE_SERVE_ETCD_KEY")]
    pub etcd_key: Option<PathBuf>,

    /// Longest time for a request to etcd, including tries at other members [default: 10s].
    #[arg(
        long,
        value_name = "DURATION",
        env = "PROMINENCE_SERVE_ETCD_TIMEOUT",
        allow_negative_numbers = true
    )]
    pub etcd_timeout: Option<Span>,

    /// Longest time to connect to a member [default: 2s].
    #[arg(
        long,
        value_name = "DURATION",
        env = "PROMINENCE_SERVE_ETCD_CONNECT_TIMEOUT",
        allow_negative_numbers = true
    )]
    pub etcd_connect_timeout: Option<Span>,
}

/// Where the data is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// In the data folder of this one machine.
    Embedded,
    /// In an etcd cluster (3.4 or later), which any number of servers share; for a program built
    /// with the feature `etcd`.
    Etcd,
}

/// A duration as people write it: `90s`, `15m`, `1h30m`, `7d`, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_duration(text).map(Self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parse = |text: &str| text.parse().map_err(|why: DurationError| why.to_string());
        parse::in_file(deserializer, parse)
    }
}

/// A duration as [`Span`] has it, or `0` for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct SpanOrNone(pub Option<Duration>);

impl FromStr for SpanOrNone {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "0" => Ok(Self(None)),
            text => parse_duration(text).map(|duration| Self(Some(duration))),
        }
    }
}

impl<'de> Deserialize<'de> for SpanOrNone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parse = |text: &str| text.parse().map_err(|why: DurationError| why.to_string());
        parse::in_file(deserializer, parse)
    }
}

impl From<SpanOrNone> for String {
    fn from(span: SpanOrNone) -> Self {
        span.0.map_or("0".to_owned(), format_duration)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        format_duration(span.0)
    }
}

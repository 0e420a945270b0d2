//! The mistakes in settings. Each message says what is wrong and what would be right.

use std::net::SocketAddr;
use std::path::PathBuf;

#[cfg(feature = "etcd")]
use prominence_engines::etcd;

#[cfg(not(feature = "etcd"))]
use super::WITHOUT_ETCD;

/// The reason why the settings make no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("cannot read the configuration {file}: {cause}")]
    Read {
        /// The file.
        file: String,
        /// The reason.
        cause: std::io::Error,
    },
    /// The file has a mistake; the message names the line.
    #[error("the configuration {file} is not valid: {message}; correct it there")]
    File {
        /// The file.
        file: String,
        /// The mistake and where it is.
        message: String,
    },
    /// An environment variable with the prefix of settings that is not one.
    #[error("the environment variable {0} is not a setting; `prominence serve --help` lists them")]
    UnknownVariable(String),
    /// Listening where others can listen in.
    #[error(
        "{0} can be reached from other machines, and without TLS everyone on the way can read \
         tokens and values; set --tls-cert and --tls-key, or --insecure if something in front \
         does TLS"
    )]
    Insecure(SocketAddr),
    /// One of certificate and key.
    #[error("--tls-cert and --tls-key go together; {0} is missing")]
    HalfTls(&'static str),
    /// A setting of an issuer.
    #[error("issuer {issuer}: {setting} {why}")]
    Issuer {
        /// The issuer.
        issuer: String,
        /// The setting.
        setting: &'static str,
        /// The mistake in it.
        why: String,
    },
    /// A number outside its range.
    #[error("{setting} is {given}; {allowed}")]
    Range {
        /// The setting.
        setting: &'static str,
        /// The value that was given.
        given: String,
        /// The allowed values.
        allowed: &'static str,
    },
    /// A setting of one engine, given with the other.
    #[error("{setting} is for the {engine} engine; leave it out, or set --engine {engine}")]
    OtherEngine {
        /// The setting.
        setting: &'static str,
        /// The engine that has it.
        engine: &'static str,
    },
    /// A setting that the engine needs.
    #[error("--engine etcd needs {0}")]
    Missing(&'static str),
    /// The engine is not part of this program.
    #[error("--engine etcd: {WITHOUT_ETCD}")]
    #[cfg(not(feature = "etcd"))]
    NotBuilt,
    /// The place where the members of the cluster are.
    #[cfg(feature = "etcd")]
    #[error("etcd-endpoints: {0}")]
    Endpoints(#[from] etcd::BadEndpoints),
    /// The prefix of all keys in the cluster.
    #[cfg(feature = "etcd")]
    #[error("etcd-root: {0}")]
    Root(#[from] etcd::BadRoot),
    /// One of two settings that mean nothing alone.
    #[error("{given} is given, and {missing} is not; they go together")]
    Half {
        /// The setting that is there.
        given: &'static str,
        /// The setting that is missing.
        missing: &'static str,
    },
    /// A file that a setting names.
    #[error("{setting}: cannot read {}: {cause}", .file.display())]
    SettingFile {
        /// The setting.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// The reason.
        cause: std::io::Error,
    },
    /// No data folder given and no home to put one into.
    #[error("there is no home folder to keep the data in; name a folder with --data-dir")]
    NoDataFolder,
}

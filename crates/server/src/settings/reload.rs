//! The settings, read again while the server runs.

use std::path::PathBuf;

use toml::{Table, Value};

use super::error::ConfigError;
use super::resolve::Config;
use super::{IssuerSettings, Settings};
use crate::identity::token::SecretSource;

/// The limits that a running server takes over.
const LIMITS: [&str; 9] = [
    "answer-timeout",
    "max-held",
    "max-held-per-user",
    "mint-max-lifetime",
    "quota-bytes",
    "quota-keys",
    "rate-limit",
    "token-leeway",
    "token-max-lifetime",
];

/// The settings that name files whose content it takes over. All other settings are used once, at the start.
const OF_FILES: [&str; 5] = [
    "issuer",
    "issuer-file",
    "secret-file",
    "tls-cert",
    "tls-key",
];

/// Those that only a server with TLS takes over.
const OF_TLS: [&str; 2] = ["tls-cert", "tls-key"];

/// The result of reading the settings again.
pub(crate) struct Reread {
    /// The former configuration with everything that is taken over.
    pub(crate) config: Config,
    /// The limits that differ from the former ones.
    pub(crate) limits: Vec<&'static str>,
    /// The settings that have changed, and that a restart is needed for.
    pub(crate) left: Vec<String>,
}

impl Config {
    /// Reads the file of settings again, over which go those that were written elsewhere.
    ///
    /// # Errors
    /// As [`Settings::resolve`].
    pub(crate) fn reread(&self, written: &Settings) -> Result<Reread, ConfigError> {
        let not_valid = |message: String| ConfigError::File {
            file: written.file_name(),
            message,
        };
        let table = |settings: &Settings| {
            Table::try_from(settings).map_err(|error| not_valid(error.to_string()))
        };
        let found = table(&written.clone().with_file()?)?;
        let mut used = table(&self.settings)?;
        let takes_tls = self.tls.is_some() && OF_TLS.iter().all(|name| found.contains_key(*name));
        let limits = LIMITS.into_iter();
        let limits = limits.filter(|name| used.get(*name) != found.get(*name));
        let limits: Vec<_> = limits.collect();
        let of_files = OF_FILES.into_iter();
        let of_files = of_files.filter(|name| takes_tls || !OF_TLS.contains(name));
        for name in limits.iter().copied().chain(of_files) {
            replace(&mut used, name, found.get(name));
        }
        let mut left: Vec<_> = used
            .keys()
            .chain(found.keys())
            .filter(|name| used.get(*name) != found.get(*name))
            .cloned()
            .collect();
        left.sort_unstable();
        left.dedup();
        let used: Settings = used
            .try_into()
            .map_err(|error: toml::de::Error| not_valid(error.to_string()))?;
        let config = Settings {
            config: self.settings.config.clone(),
            dev: self.settings.dev,
            ..used
        };
        Ok(Reread {
            config: config.check()?,
            limits,
            left,
        })
    }

    /// The files that a reload reads.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let settings = &self.settings;
        let secrets = match self.secrets.is_empty() {
            true => vec![SecretSource::in_folder(&self.data_dir)],
            false => self.secrets.clone(),
        };
        let secrets = secrets.iter().map(|source| source.path().to_owned());
        let tls = self
            .tls
            .iter()
            .flat_map(|(certificate, key)| [certificate, key]);
        let issuers = settings.issuer_file.iter().flatten();
        let named = settings.config.iter().chain(tls).chain(issuers).cloned();
        named
            .chain(secrets)
            .chain(self.issuer_files.clone())
            .collect()
    }
}

impl IssuerSettings {
    /// The files that are read at the start and on a reload. Those of keys and names are read again by themselves.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let introspection = self.introspection.as_ref();
        let secret =
            introspection.and_then(|introspection| introspection.client_secret_file.as_ref());
        let login = self.login.as_ref();
        let web_secret = login.and_then(|login| login.web_client_secret_file.as_ref());
        self.ca_file.iter().chain(secret).chain(web_secret).cloned()
    }
}

fn replace(table: &mut Table, name: &str, value: Option<&Value>) {
    match value {
        Some(value) => table.insert(name.to_owned(), value.clone()),
        None => table.remove(name),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A configuration of this text, and what is found when another stands there.
    fn reread(
        first: &str,
        then: &str,
        written: &Settings,
    ) -> (Config, Result<Reread, ConfigError>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kv.toml");
        let written = Settings {
            config: Some(file.clone()),
            data_dir: Some("/d".into()),
            ..written.clone()
        };
        std::fs::write(&file, first).unwrap();
        let config = written.clone().resolve().unwrap();
        std::fs::write(&file, then).unwrap();
        let reread = config.reread(&written);
        (config, reread)
    }

    #[test]
    fn limits_are_taken_over_and_other_settings_are_named() {
        let first = "listen = \"127.0.0.1:1\"\nrate-limit = 5\nquota-keys = 7\nmax-held = 8\n";
        let then =
            "listen = \"127.0.0.1:2\"\nrate-limit = 6\nquota-keys = 7\nvalue-limit = \"1KiB\"\n";
        let (_, reread) = reread(first, then, &Settings::default());
        let reread = reread.unwrap();
        assert_eq!(reread.limits, ["max-held", "rate-limit"]);
        assert_eq!(reread.left, ["listen", "value-limit"]);
        let config = reread.config;
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.bounds.requests_per_second, 6);
        assert_eq!(config.bounds.long_polls.in_all, 5_000);
        assert_eq!(config.bounds.value_bytes, 16_384);
    }

    #[test]
    fn flags_win_over_the_file_on_a_reload_too() {
        let flags = Settings {
            rate_limit: Some(9),
            ..Settings::default()
        };
        let (_, reread) = reread("", "rate-limit = 6\n", &flags);
        let reread = reread.unwrap();
        assert!(reread.limits.is_empty(), "{:?}", reread.limits);
        assert_eq!(reread.config.bounds.requests_per_second, 9);
    }

    #[test]
    fn a_file_with_a_mistake_is_refused() {
        for mistake in [
            "rate-limit = \"many\"\n",
            "token-max-lifetime = \"1s\"\n",
            "x = 1\n",
        ] {
            let (_, reread) = reread("", mistake, &Settings::default());
            assert!(reread.is_err(), "{mistake}");
        }
    }

    #[test]
    fn tls_is_neither_begun_nor_ended_by_a_reload() {
        let with = "tls-cert = \"/c\"\ntls-key = \"/k\"\n";
        let (_, begun) = reread("", with, &Settings::default());
        assert_eq!(begun.unwrap().left, OF_TLS);
        let (_, ended) = reread(with, "", &Settings::default());
        let ended = ended.unwrap();
        assert_eq!(ended.left, OF_TLS);
        assert!(ended.config.tls.is_some());
        let (_, other) = reread(
            with,
            "tls-cert = \"/c2\"\ntls-key = \"/k\"\n",
            &Settings::default(),
        );
        let certificate = other.unwrap().config.tls.unwrap().0;
        assert_eq!(certificate, Path::new("/c2"));
    }

    #[test]
    fn the_files_of_all_parts_are_watched() {
        let text = "tls-cert = \"/c\"\ntls-key = \"/k\"\nsecret-file = [\"/s\", \"a=/t\"]\n";
        let (config, _) = reread(text, text, &Settings::default());
        let files = config.files();
        for name in ["/c", "/k", "/s", "/t"] {
            assert!(
                files.iter().any(|file| file == Path::new(name)),
                "{name}: {files:?}"
            );
        }
        assert_eq!(files.len(), 5);
        let (config, _) = reread("", "", &Settings::default());
        assert!(config.files().contains(&"/d/job-token.secret".into()));
    }
}

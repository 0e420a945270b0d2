//! The choice of the engine, and the settings that belong to one engine alone.

use bytesize::ByteSize;

use super::memory::MemoryShares;
use super::{ConfigError, Engine, EngineConfig, Settings, Storage};

/// The free disk below which writes are refused, unless it is set.
const MIN_FREE_DISK: u64 = 256 << 20;

impl Settings {
    /// Which engine is to be used, and how.
    ///
    /// # Errors
    /// See [`ConfigError`]: for what is missing, makes no sense, or belongs to the other engine.
    pub(super) fn engine_config(&self, memory: MemoryShares) -> Result<EngineConfig, ConfigError> {
        match self.engine.unwrap_or(Engine::Embedded) {
            Engine::Embedded => {
                self.refuse_etcd_settings()?;
                let size =
                    |given: Option<ByteSize>, default| given.map_or(default, |it| it.as_u64());
                Ok(EngineConfig::Embedded(Storage {
                    cache_bytes: size(self.cache_size, memory.cache),
                    min_free_disk: size(self.min_free_disk, MIN_FREE_DISK),
                    migrate: self.migrate.unwrap_or(false),
                }))
            }
            Engine::Etcd => {
                refuse(
                    &[
                        ("cache-size", self.cache_size.is_some()),
                        ("min-free-disk", self.min_free_disk.is_some()),
                        ("migrate", self.migrate == Some(true)),
                    ],
                    "embedded",
                )?;
                self.etcd_config()
            }
        }
    }

    #[cfg(feature = "etcd")]
    fn etcd_config(&self) -> Result<EngineConfig, ConfigError> {
        Ok(EngineConfig::Etcd(Box::new(self.etcd_options()?)))
    }

    #[cfg(not(feature = "etcd"))]
    #[expect(clippy::unused_self, reason = "a build with etcd reads the settings")]
    fn etcd_config(&self) -> Result<EngineConfig, ConfigError> {
        Err(ConfigError::NotBuilt)
    }

    fn refuse_etcd_settings(&self) -> Result<(), ConfigError> {
        let given = [
            ("etcd-endpoints", self.etcd_endpoints.is_some()),
            ("etcd-root", self.etcd_root.is_some()),
            ("etcd-user", self.etcd_user.is_some()),
            ("etcd-password-file", self.etcd_password_file.is_some()),
            ("etcd-ca", self.etcd_ca.is_some()),
            ("etcd-cert", self.etcd_cert.is_some()),
            ("etcd-key", self.etcd_key.is_some()),
            ("etcd-timeout", self.etcd_timeout.is_some()),
            ("etcd-connect-timeout", self.etcd_connect_timeout.is_some()),
        ];
        refuse(&given, "etcd")
    }
}

/// Refuses settings of another engine, because they would have no effect.
fn refuse(given: &[(&'static str, bool)], engine: &'static str) -> Result<(), ConfigError> {
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((setting, _)) => Err(ConfigError::OtherEngine { setting, engine }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(settings: &Settings) -> String {
        let memory = MemoryShares::of(None).unwrap();
        settings.engine_config(memory).unwrap_err().to_string()
    }

    #[test]
    fn settings_of_the_other_engine_are_refused_by_name() {
        let embedded = Settings {
            etcd_root: Some("/kv".to_owned()),
            ..Settings::default()
        };
        assert!(error(&embedded).starts_with("etcd-root is for the etcd engine"));
        let etcd = Settings {
            cache_size: Some(ByteSize::mib(1)),
            engine: Some(Engine::Etcd),
            ..Settings::default()
        };
        assert!(error(&etcd).starts_with("cache-size is for the embedded engine"));
    }

    #[test]
    #[cfg(not(feature = "etcd"))]
    fn an_engine_that_is_not_built_in_is_refused_with_the_way_to_get_it() {
        let etcd = Settings {
            engine: Some(Engine::Etcd),
            ..Settings::default()
        };
        assert!(error(&etcd).contains("--features etcd"), "{}", error(&etcd));
    }
}

//! The settings of the etcd engine: how to reach the cluster.

use std::path::{Path, PathBuf};

use prominence_engines::etcd::{Endpoint, Endpoints, Identity, Login, Options, Root, Tls};

use super::{ConfigError, Settings};

impl Settings {
    /// The options of the cluster that the settings name.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub(crate) fn etcd_options(&self) -> Result<Options, ConfigError> {
        let given = self.etcd_endpoints.as_deref().unwrap_or_default();
        if given.is_empty() {
            return Err(ConfigError::Missing(
                "--etcd-endpoints, such as http://10.0.0.1:2379",
            ));
        }
        let endpoints = given.iter().map(|each| Endpoint::parse(each.trim()));
        let endpoints = Endpoints::new(endpoints.collect::<Result<_, _>>()?)?;
        let mut options = Options::new(endpoints);
        if let Some(root) = &self.etcd_root {
            options.root = Root::parse(root)?;
        }
        let password = self.etcd_password_file.as_deref();
        let login = both(
            ("etcd-user", self.etcd_user.as_deref()),
            ("etcd-password-file", password),
        )?;
        if let Some((user, file)) = login {
            let password = read("etcd-password-file", file)?;
            let password = String::from_utf8_lossy(&password);
            options.login = Some(Login {
                user: user.to_owned(),
                // Editors and `echo` end a file with a line break, which is not part of it.
                password: password.trim_end_matches(['\r', '\n']).to_owned(),
            });
        }
        options.tls = self.etcd_tls()?;
        if let Some(limit) = self.etcd_timeout {
            options.request_timeout = limit.0;
        }
        if let Some(limit) = self.etcd_connect_timeout {
            options.connect_timeout = limit.0;
        }
        if options.request_timeout.is_zero() || options.connect_timeout.is_zero() {
            return Err(ConfigError::Range {
                setting: "etcd-timeout and etcd-connect-timeout",
                given: "0".to_owned(),
                allowed: "each has to be longer than that",
            });
        }
        Ok(options)
    }

    fn etcd_tls(&self) -> Result<Tls, ConfigError> {
        let authorities = self.etcd_ca.as_deref();
        let pair = both(
            ("etcd-cert", self.etcd_cert.as_deref()),
            ("etcd-key", self.etcd_key.as_deref()),
        )?;
        let identity = pair.map(|(certificate, key)| {
            Ok::<_, ConfigError>(Identity {
                certificate: read("etcd-cert", certificate)?,
                key: read("etcd-key", key)?,
            })
        });
        Ok(Tls {
            authorities: authorities.map(|file| read("etcd-ca", file)).transpose()?,
            identity: identity.transpose()?,
        })
    }
}

/// Two settings that mean nothing one without the other.
fn both<A, B>(
    (one, first): (&'static str, Option<A>),
    (other, second): (&'static str, Option<B>),
) -> Result<Option<(A, B)>, ConfigError> {
    let half = |given, missing| Err(ConfigError::Half { given, missing });
    match (first, second) {
        (None, None) => Ok(None),
        (Some(first), Some(second)) => Ok(Some((first, second))),
        (Some(_), None) => half(one, other),
        (None, Some(_)) => half(other, one),
    }
}

fn read(setting: &'static str, file: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(file).map_err(|cause| ConfigError::SettingFile {
        setting,
        file: PathBuf::from(file),
        cause,
    })
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryShares;
    use super::super::{Engine, EngineConfig};
    use super::*;

    fn over_etcd(endpoints: &[&str]) -> Settings {
        Settings {
            engine: Some(Engine::Etcd),
            etcd_endpoints: Some(endpoints.iter().map(|&each| each.to_owned()).collect()),
            ..Settings::default()
        }
    }

    fn engine(settings: &Settings) -> Result<EngineConfig, ConfigError> {
        settings.engine_config(MemoryShares::of(None).unwrap())
    }

    fn error(settings: &Settings) -> String {
        engine(settings).unwrap_err().to_string()
    }

    #[test]
    fn a_cluster_has_members_that_can_be_reached() {
        let nobody = Settings {
            engine: Some(Engine::Etcd),
            ..Settings::default()
        };
        assert!(error(&nobody).contains("--etcd-endpoints"));
        assert!(error(&over_etcd(&["10.0.0.1:2379"])).contains("http://HOST:PORT"));
        assert!(error(&over_etcd(&["http://a:1", "https://b:1"])).contains("others https"));
        assert!(engine(&over_etcd(&["http://a:1", "http://b:1/"])).is_ok());
    }

    #[test]
    fn what_goes_together_is_given_together() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "geheim\n").unwrap();
        let user = Settings {
            etcd_user: Some("kv".to_owned()),
            ..over_etcd(&["http://a:1"])
        };
        assert!(error(&user).contains("etcd-password-file is not"));
        let login = Settings {
            etcd_password_file: Some(file),
            ..user
        };
        let Ok(EngineConfig::Etcd(options)) = engine(&login) else {
            panic!("it is refused");
        };
        assert_eq!(options.login.unwrap().password, "geheim");
        let key = Settings {
            etcd_key: Some("/key.pem".into()),
            ..over_etcd(&["https://a:1"])
        };
        assert!(error(&key).contains("etcd-cert is not"));
        let missing = Settings {
            etcd_ca: Some("/no/such/file".into()),
            ..over_etcd(&["https://a:1"])
        };
        assert!(error(&missing).contains("etcd-ca: cannot read /no/such/file"));
    }
}

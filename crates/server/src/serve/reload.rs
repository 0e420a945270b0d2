//! A reload: certificates, secrets, issuers of tokens and limits are read again while the server runs, on SIGHUP and when a
//! file of theirs has changed.
//!
//! Each part is taken over as a whole or not at all. One that can't be used leaves the former one in use, and the log says
//! why. Connections stay open, and requests that have begun end as they began.

mod files;

use std::sync::Arc;

use prominence_core::Clock;
use tokio::signal::unix::Signal;
use tokio::task::block_in_place;

pub(super) use self::files::FileStamps;
use super::{login, minter};
use crate::app::App;
use crate::identity::issuer::{IssuerConfig, Issuers};
use crate::identity::token::{Secret, SecretError, SecretSource, TokenLimits, Verifier};
use crate::net::tls::Tls;
use crate::settings::{Config, Reread, Settings};

/// The state that a reload compares and changes.
pub(super) struct Reloader {
    /// The settings of the command line and of the environment, which stay.
    pub(super) written: Settings,
    /// The configuration in use.
    pub(super) config: Config,
    pub(super) secrets: Vec<Secret>,
    pub(super) tls: Option<Tls>,
    pub(super) app: App,
    pub(super) clock: Arc<dyn Clock>,
    /// All files as they were before they were last read.
    pub(super) files: FileStamps,
}

/// The reason why a reload is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Signal,
    File,
}

/// The settings and files from which the issuers in use were made.
#[derive(PartialEq)]
struct IssuersInUse {
    configs: Vec<IssuerConfig>,
    limits: TokenLimits,
    files: FileStamps,
}

impl Reloader {
    /// Reloads on each signal and after each change of a file, until the future is dropped.
    pub(super) async fn run(mut self, mut hangup: Signal) {
        let mut issuers = block_in_place(|| IssuersInUse::of(&self.config, &self.files));
        loop {
            let cause = tokio::select! {
                _ = hangup.recv() => Cause::Signal,
                () = self.files.changed() => Cause::File,
            };
            if let Some(log) = self.app.request_log.get() {
                block_in_place(|| log.reopen());
            }
            // Before they are read, so that a change in between causes another reload.
            self.files = block_in_place(|| self.files.again());
            self.reload(cause, &mut issuers).await;
            self.files = block_in_place(|| self.files.exchanged_for(self.config.files()));
        }
    }

    async fn reload(&mut self, cause: Cause, issuers: &mut IssuersInUse) {
        let mut taken: Vec<&str> = Vec::new();
        match block_in_place(|| self.config.reread(&self.written)) {
            Ok(Reread {
                mut config,
                limits,
                left,
            }) => {
                if !left.is_empty() {
                    tracing::warn!(
                        "changed, and used only after a restart: {}",
                        left.join(", ")
                    );
                }
                self.take_limits(&mut config);
                taken.extend(limits);
                self.reload_files(config, issuers, &mut taken).await;
            }
            Err(error) => {
                tracing::warn!(%error, "the settings stay as they were");
                self.reload_files(self.config.clone(), issuers, &mut taken)
                    .await;
            }
        }
        match cause {
            _ if !taken.is_empty() => tracing::info!("reloaded: {}", taken.join(", ")),
            Cause::Signal => tracing::info!("reloaded: nothing has changed"),
            Cause::File => {}
        }
    }

    fn take_limits(&self, config: &mut Config) {
        let connections = self.config.limits.connections;
        if connections < config.limits.connections {
            // The process may not have as many files open as it was asked for.
            config.bounds.long_polls = config.bounds.long_polls.among(connections);
        }
        config.limits = self.config.limits.clone();
        self.app.replace_bounds(config.bounds);
    }

    /// Reads the files that a configuration names, and takes over those that can be used.
    async fn reload_files(
        &mut self,
        config: Config,
        in_use: &mut IssuersInUse,
        taken: &mut Vec<&str>,
    ) {
        self.take_certificate(&config, taken);
        let issuers = self.new_issuers(&config, in_use).await;
        let secrets = self.new_secrets(&config);
        if secrets.is_some() {
            taken.push("secrets");
        }
        if issuers.is_some() {
            taken.push("issuers");
        }
        let limits_change = config.token_limits != self.config.token_limits
            || config.mint_max_lifetime != self.config.mint_max_lifetime;
        if issuers.is_some() {
            self.app.replace_login(login(&config));
        }
        if limits_change || secrets.is_some() || issuers.is_some() {
            if let Some(secrets) = secrets {
                self.secrets = secrets;
            }
            let verifier = Verifier::new(&self.secrets, config.token_limits);
            self.app.replace_verifier(verifier, issuers);
            self.app.replace_minter(minter(&config, &self.secrets));
        }
        self.config = config;
    }

    fn take_certificate(&self, config: &Config, taken: &mut Vec<&str>) {
        let (Some(tls), Some((certificate, key))) = (&self.tls, &config.tls) else {
            return;
        };
        match block_in_place(|| Tls::load(certificate, key)) {
            Ok(new) if tls.replace_by(&new) => taken.push("certificate"),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the certificate stays as it was"),
        }
    }

    /// The secrets, if they have changed and all can be used.
    fn new_secrets(&self, config: &Config) -> Option<Vec<Secret>> {
        match block_in_place(|| load_secrets(config)) {
            Ok(secrets) => (secrets != self.secrets).then_some(secrets),
            Err(error) => {
                tracing::warn!(%error, "the secrets stay as they were");
                None
            }
        }
    }

    /// The issuers, if a setting or a file of theirs has changed and all of them answer. They have fetched their keys, so
    /// that no token has to wait for these.
    async fn new_issuers(
        &self,
        config: &Config,
        in_use: &mut IssuersInUse,
    ) -> Option<Arc<Issuers>> {
        let wanted = block_in_place(|| IssuersInUse::of(config, &self.files));
        let are_none = wanted.configs.is_empty() && in_use.configs.is_empty();
        if are_none || wanted == *in_use {
            return None;
        }
        let former = Arc::clone(self.app.verifier.load().issuers());
        let configs = config.issuers.clone();
        let new = block_in_place(|| former.succeeded_by(configs, config.token_limits, &self.clock));
        let new = match new {
            Ok(new) => new,
            Err(error) => {
                tracing::warn!(%error, "the issuers stay as they were");
                return None;
            }
        };
        let mut is_usable = true;
        for (issuer, answer) in new.check().await {
            if let Err(cause) = answer {
                tracing::warn!(issuer, cause, "the issuers stay as they were");
                is_usable = false;
            }
        }
        if !is_usable {
            return None;
        }
        *in_use = wanted;
        Some(Arc::new(new))
    }
}

impl IssuersInUse {
    fn of(config: &Config, files: &FileStamps) -> Self {
        Self {
            configs: config.issuers.clone(),
            limits: config.token_limits,
            files: files.exchanged_for(config.issuer_files.clone()),
        }
    }
}

/// The secrets that a configuration names.
fn load_secrets(config: &Config) -> Result<Vec<Secret>, SecretError> {
    if config.secrets.is_empty() {
        return Ok(vec![SecretSource::in_folder(&config.data_dir).load()?]);
    }
    config.secrets.iter().map(SecretSource::load).collect()
}

//! The chosen storage engine: opened, passed to its users, and closed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prominence_core::{Clock, Quotas, Store};
use prominence_engines::embedded::{OpenError, UpgradeError, Upgraded};
use prominence_engines::{EmbeddedStore, embedded};
#[cfg(feature = "etcd")]
use prominence_engines::{EtcdStore, etcd, private_folder};

use crate::admin::{self, Admin, AdminSocket};
use crate::app::App;
use crate::metrics::Operations;
use crate::settings::{Config, EngineConfig};

/// A store that is open.
pub(crate) enum Engine {
    Embedded(Arc<EmbeddedStore>),
    #[cfg(feature = "etcd")]
    Etcd(Arc<EtcdStore>),
}

/// The reason why the store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The embedded one.
    #[error(transparent)]
    Embedded(#[from] embedded::OpenError),
    /// The embedded one, whose store was to be brought to the latest format.
    #[error(transparent)]
    Upgrade(#[from] embedded::UpgradeError),
    /// The one over etcd.
    #[cfg(feature = "etcd")]
    #[error(transparent)]
    Etcd(#[from] etcd::OpenError),
    /// The same folder, which other users can reach.
    #[cfg(feature = "etcd")]
    #[error(transparent)]
    NotPrivate(#[from] private_folder::PrivateFolderError),
    /// The folder for data outside the cluster: the secret, and the URL of the server.
    #[error("{} can't be made: {cause}; name another folder with --data-dir", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The reason.
        cause: io::Error,
    },
}

impl Engine {
    /// Opens the store that the configuration asks for.
    pub(crate) fn open(
        config: &Config,
        quotas: Quotas,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, EngineError> {
        match &config.engine {
            EngineConfig::Embedded(storage) => {
                if storage.migrate {
                    upgrade(&config.data_dir)?;
                }
                let options = embedded::Options {
                    quotas,
                    retention: config.retention,
                    cache_bytes: storage.cache_bytes,
                    min_free_disk: storage.min_free_disk,
                    ..embedded::Options::new(config.data_dir.clone())
                };
                let store = EmbeddedStore::open(options, clock)?;
                Ok(Self::Embedded(Arc::new(store)))
            }
            #[cfg(feature = "etcd")]
            EngineConfig::Etcd(options) => Ok(Self::Etcd(Arc::new(open_etcd(
                config, options, quotas, clock,
            )?))),
        }
    }

    /// The store, which handlers reach through their permits.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store) => Arc::<EmbeddedStore>::clone(store),
            #[cfg(feature = "etcd")]
            Self::Etcd(store) => Arc::<EtcdStore>::clone(store),
        }
    }

    /// Serves administrators, if the socket can be made. Users are served in any case. A cluster is looked after with
    /// tools of its own, except for the service's records.
    pub(crate) fn administration(
        &self,
        folder: &Path,
        app: App,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let routes = admin::record_routes(app);
        let routes = match self {
            Self::Embedded(store) => routes.merge(admin::router(Admin::new(Arc::clone(store)))),
            #[cfg(feature = "etcd")]
            Self::Etcd(_) => routes.merge(admin::router_over_cluster()),
        };
        match AdminSocket::bind(folder) {
            Ok(socket) => Some(socket.serve(routes)),
            Err(error) => {
                tracing::warn!(%error, "there is no socket for prominence admin");
                None
            }
        }
    }

    /// Reads off what the engine has done since it was opened.
    pub(crate) fn operations(&self) -> Operations {
        match self {
            Self::Embedded(store) => {
                let store = Arc::clone(store);
                Box::new(move || {
                    let counters = store.counters();
                    vec![
                        ("commit", counters.commits),
                        ("sync", counters.syncs),
                        ("count", counters.counts),
                        ("log_read", counters.looks),
                        ("signal", counters.signals),
                        ("claim_scan", counters.claim_looks),
                    ]
                })
            }
            #[cfg(feature = "etcd")]
            Self::Etcd(store) => {
                let store = Arc::clone(store);
                Box::new(move || {
                    let counters = store.counters();
                    vec![
                        ("commit", counters.commits),
                        ("transaction", counters.transactions),
                        ("conflict", counters.conflicts),
                        ("read_for_write", counters.reads),
                        ("get", counters.gets),
                        ("get_transaction", counters.get_transactions),
                        ("watch", counters.watches),
                        ("endpoint_failover", counters.failovers),
                        ("log_read", counters.log_reads),
                        ("signal", counters.signals),
                        ("clock_skew", counters.clock_skews),
                        ("claim_scan", counters.claim_scans),
                    ]
                })
            }
        }
    }

    /// Finishes what was taken, and closes the store.
    pub(crate) async fn close(&self) {
        match self {
            Self::Embedded(store) => store.close(),
            #[cfg(feature = "etcd")]
            Self::Etcd(store) => store.close().await,
        }
    }
}

/// Brings the store in a folder to the latest format, if it has an earlier one.
fn upgrade(folder: &Path) -> Result<(), EngineError> {
    match embedded::upgrade(folder, &mut || {}) {
        Ok(Upgraded::Now(copied)) => {
            tracing::info!(
                from_format = copied.from_format,
                entries = copied.entries,
                "the store was brought to the latest format"
            );
            Ok(())
        }
        // It is made in a moment.
        Ok(Upgraded::Before) | Err(UpgradeError::Open(OpenError::NoStore { .. })) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Opens a store in a cluster. The data folder has the signing secret, and the URL of the server.
#[cfg(feature = "etcd")]
fn open_etcd(
    config: &Config,
    options: &etcd::Options,
    quotas: Quotas,
    clock: Arc<dyn Clock>,
) -> Result<EtcdStore, EngineError> {
    use std::os::unix::fs::DirBuilderExt as _;

    let folder = &config.data_dir;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|cause| EngineError::Folder {
        folder: folder.clone(),
        cause,
    })?;
    private_folder::restrict(folder)?;
    let options = etcd::Options {
        quotas,
        retention: config.retention,
        ..options.clone()
    };
    tracing::info!(
        endpoints = %options.endpoints,
        root = options.root.as_str(),
        "keeping the data in an etcd cluster"
    );
    Ok(EtcdStore::open(options, clock)?)
}

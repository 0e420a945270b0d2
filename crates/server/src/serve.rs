//! Opens the engine, binds, listens, and stops in good order.

mod reload;

use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prominence_api::name;
use prominence_core::{Clock, Quotas, StoreError};
use prominence_engines::private_folder;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use self::reload::{FileStamps, Reloader};
use crate::app::{App, Identity};
use crate::engine::Engine;
pub use crate::engine::EngineError;
use crate::http::fast_path::Service;
use crate::http::router::{self, Page};
use crate::identity::issuer::{IssuerError, Issuers};
use crate::identity::login::Login;
use crate::identity::minting::Minter;
use crate::identity::records::Records;
use crate::identity::token::{self, Secret, SecretError, SecretSource, Verifier};
use crate::net::descriptors;
use crate::net::few_clients;
use crate::net::listener;
use crate::net::tls::{Tls, TlsError};
use crate::request::log::{LogTarget, RequestLog};
use crate::settings::{Config, LISTENING, Settings};
use crate::wait::clock::SteadyClock;
use crate::wait::connection;

/// Threads that answer requests: for each processor, and at least.
const WORKERS_PER_PROCESSOR: usize = 4;
const MIN_WORKERS: usize = 8;

/// The longest life of a connection to the listener for monitoring.
const MONITOR_WITHIN: Duration = Duration::from_mins(10);

/// A server that has started to listen.
#[derive(Clone, Debug)]
pub struct Started {
    /// The address that it listens on, with its port.
    pub address: SocketAddr,
    /// `PROMINENCE_URL` for clients on this machine.
    pub url: String,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The secret that new tokens are signed with.
    pub secret: Secret,
    /// The secret's file, if it was made by this start.
    pub made_secret: Option<PathBuf>,
    /// The page, if browsers of this machine alone can reach it.
    pub page: Option<PageHere>,
}

/// The page of a server that only this machine can reach.
#[derive(Clone)]
pub struct PageHere {
    origin: String,
    app: App,
}

impl PageHere {
    /// The address at which a browser is signed in with this token, for one minute and once.
    #[must_use]
    pub fn signed_in(&self, token: String) -> Option<String> {
        let code = self.app.offer_sign_in(token)?;
        Some(format!("{}/#sign-in={code}", self.origin))
    }
}

impl fmt::Debug for PageHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PageHere").field(&self.origin).finish()
    }
}

/// The reason why the server can't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The engine.
    #[error(transparent)]
    Open(#[from] EngineError),
    /// The signing secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// An issuer of tokens.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The service's own records.
    #[error("cannot read which tokens are revoked: {0}")]
    Records(StoreError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address.
    #[error("cannot listen on {address}: {cause}; choose another with {setting}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// The setting that has it.
        setting: &'static str,
        /// The reason.
        cause: io::Error,
    },
    /// The access log or the audit log.
    #[error("cannot write the log {target}: {cause}")]
    RequestLog {
        /// The destination.
        target: LogTarget,
        /// The reason.
        cause: io::Error,
    },
    /// The data folder.
    #[error("cannot write {}: {cause}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        cause: io::Error,
    },
    /// The operating system.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// Runs the server until the process gets SIGTERM or SIGINT. Calls `announce` once it listens. The configuration is what
/// the settings mean; they are read again on SIGHUP.
///
/// # Errors
/// See [`ServeError`]; a stop by a signal is not an error.
pub fn serve(
    settings: Settings,
    config: Config,
    announce: impl FnOnce(&Started),
) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build()?;
    runtime.block_on(run(settings, config, announce))
}

/// The findings of [`check`].
#[derive(Debug)]
pub struct Checked {
    /// Each issuer: its name, and the number of its keys or what is wrong.
    pub issuers: Vec<(String, Result<usize, String>)>,
}

/// Reads the files that the configuration names and asks every issuer once, without opening the store and without
/// making a secret.
///
/// # Errors
/// When a file can't be used.
pub fn check(config: Config) -> Result<Checked, ServeError> {
    for source in &config.secrets {
        source.load()?;
    }
    if let Some((certificate, key)) = &config.tls {
        Tls::load(certificate, key)?;
    }
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::start());
    let issuers = Issuers::new(config.issuers, config.token_limits, &clock)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(Checked {
        issuers: runtime.block_on(issuers.check()),
    })
}

/// Threads that answer requests. A read of one key is done on them, and waits for the disk if its block isn't in
/// memory: with one thread for each processor the disk would be asked for
/// little at a time, and requests that need no disk would wait behind those that do.
fn workers() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    (WORKERS_PER_PROCESSOR * processors).max(MIN_WORKERS)
}

async fn run(
    settings: Settings,
    mut config: Config,
    announce: impl FnOnce(&Started),
) -> Result<(), ServeError> {
    let signals = Signals::listen()?;
    let files = FileStamps::of(config.files());
    fit_open_files(&mut config);
    let clock = Arc::new(SteadyClock::start());
    let tls = config.tls.as_ref();
    let tls = tls.map(|(certificate, key)| Tls::load(certificate, key));
    let tls = tls.transpose()?;
    let store_clock: Arc<dyn Clock> = clock.clone();
    let issuers = Issuers::new(config.issuers.clone(), config.token_limits, &store_clock)?;
    let quotas = Quotas::from(config.bounds.quota);
    let engine = Engine::open(&config, quotas.clone(), clock.clone())?;
    let records = Records::new(engine.store(), quotas, clock.clone());
    let records = Arc::new(records.with_max_revocations(config.max_revocations));
    // A server that does not know which tokens are revoked must not accept any.
    let follower = records
        .load(config.engine.is_in_cluster())
        .await
        .map_err(ServeError::Records)?;
    let (secrets, made_secret) = secrets(&config)?;
    let request_log = RequestLog::open(config.request_logs.clone())
        .map_err(|(target, cause)| ServeError::RequestLog { target, cause })?;
    let listener = bind(config.listen, "--listen").await?;
    let monitors = match config.metrics_listen {
        Some(address) => Some(bind(address, "--metrics-listen").await?),
        None => None,
    };
    let address = listener.local_addr()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}{}", reachable(address), name::BASE);
    let Some(secret) = secrets.first().cloned() else {
        return Err(SecretError::Missing {
            places: "none configured".into(),
        }
        .into());
    };
    let verifier = Verifier::new(&secrets, config.token_limits);
    // The last step that may fail: clients must not find the URL of a server that did not start.
    write_listening(&config.data_dir, &url)?;
    issuers.start();
    let identity = Identity {
        verifier,
        issuers,
        records,
        minter: minter(&config, &secrets),
        login: login(&config),
    };
    let app = App::with_identity(engine.store(), identity, clock, config.bounds);
    app.metrics.add_engine(engine.operations());
    app.log_requests(request_log);
    let administration = engine.administration(&config.data_dir, app.clone());
    let is_here = address.ip().to_canonical().is_loopback();
    let page = (is_here && config.page == Page::Served).then(|| PageHere {
        origin: format!("{scheme}://{}", reachable(address)),
        app: app.clone(),
    });
    let listening = Listening {
        listener,
        engine,
        following: tokio::spawn(follower.run()),
        administration: administration.map(tokio::spawn),
        monitoring: monitors.map(|listener| tokio::spawn(watch_over(listener, app.clone()))),
    };
    announce(&Started {
        address,
        url,
        page,
        data_dir: config.data_dir.clone(),
        secret,
        made_secret,
    });
    tell_systemd(NotifyState::Ready);
    let reloader = Reloader {
        written: settings,
        config,
        secrets,
        tls,
        app,
        clock: store_clock,
        files,
    };
    answer(listening, reloader, signals).await;
    Ok(())
}

/// The signals that the server acts on.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens from now on: before anything is opened, so that a signal during the start is not lost.
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// Makes tokens for callers with the first secret, unless the operator has turned that off.
fn minter(config: &Config, secrets: &[Secret]) -> Option<Minter> {
    let secret = secrets.first()?.clone();
    let longest = config.mint_max_lifetime?;
    Some(Minter::new(secret, longest))
}

/// The place where people log in, if their address of the server is known.
fn login(config: &Config) -> Option<Login> {
    let origin = config.public_url.as_deref()?;
    Some(Login::new(origin, &config.issuers))
}

/// The listener of clients, the store, and the tasks beside.
struct Listening {
    listener: TcpListener,
    engine: Engine,
    following: JoinHandle<()>,
    administration: Option<JoinHandle<()>>,
    monitoring: Option<JoinHandle<()>>,
}

/// Answers clients until a signal stops the server, and reloads on another.
async fn answer(listening: Listening, reloader: Reloader, signals: Signals) {
    let Signals {
        mut terminate,
        mut interrupt,
        hangup,
    } = signals;
    let Listening {
        listener,
        engine,
        following,
        administration,
        monitoring,
    } = listening;
    let app = reloader.app.clone();
    let page = reloader.config.page;
    let tls = reloader.tls.clone();
    let limits = reloader.config.limits.clone();
    let folder = reloader.config.data_dir.clone();
    let request_log = app.request_log.get().cloned();
    let upkeep = tokio::spawn(app.metrics.upkeep());
    let reloading = tokio::spawn(reloader.run(hangup));
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping; requests in flight are finished first");
        tell_systemd(NotifyState::Stopping);
        // A reload would change what is stopping.
        reloading.abort();
        if let Some(administration) = administration {
            // A backup in flight ends here, and its receiver sees that it is incomplete.
            administration.abort();
        }
    };
    let service = Service::with_page(app, page);
    listener::run(listener, service, tls, limits, stop).await;

    upkeep.abort();
    following.abort();
    if let Some(monitoring) = monitoring {
        monitoring.abort();
    }
    // The file would lead clients to the next program that listens on the port.
    let _ = std::fs::remove_file(folder.join(LISTENING));
    engine.close().await;
    if let Some(log) = request_log {
        log.close();
    }
}

/// Tells systemd how the service is, where it is one: `Type=notify` waits for it.
fn tell_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told that the server is ready or stops");
    }
}

async fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|cause| ServeError::Bind {
            address,
            setting,
            cause,
        })
}

/// Answers programs that watch over the server, until the future is dropped.
async fn watch_over(listener: TcpListener, app: App) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!("metrics are at http://{address}/metrics");
    }
    few_clients::serve(&listener, router::monitoring(app), MONITOR_WITHIN).await;
}

/// Lowers the limits on connections to what the process may have open.
fn fit_open_files(config: &mut Config) {
    let wanted = config.limits.connections;
    let room = connection::users_among(descriptors::room_for_connections());
    if wanted <= room {
        return;
    }
    config.limits.connections = room;
    let long_polls = &mut config.bounds.long_polls;
    *long_polls = long_polls.among(room);
    tracing::warn!(
        waiting = long_polls.in_all,
        waiting_of_one_user = long_polls.per_user,
        "there can be {room} connections, not {wanted}: the process may not have more files open; \
         raise its limit (LimitNOFILE= in systemd, ulimit -n in a shell)"
    );
}

/// The accepted secrets, and the file of the one that was made because none is configured.
fn secrets(config: &Config) -> Result<(Vec<Secret>, Option<PathBuf>), SecretError> {
    if config.secrets.is_empty() {
        let (secret, made) = token::load_or_create(&config.data_dir)?;
        let file = SecretSource::in_folder(&config.data_dir).path().to_owned();
        if made && config.engine.is_in_cluster() {
            tracing::warn!(
                file = %file.display(),
                "made a secret of this server's own; servers that share a cluster need the same one: \
                 give it to all of them with --secret-file"
            );
        }
        return Ok((vec![secret], made.then_some(file)));
    }
    let secrets = config
        .secrets
        .iter()
        .map(SecretSource::load)
        .collect::<Result<_, _>>()?;
    Ok((secrets, None))
}

/// An address that a client on this machine can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut reachable = address;
    if address.ip().is_unspecified() {
        reachable.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    reachable
}

/// Written whole or not at all, because others wait for it.
fn write_listening(folder: &Path, url: &str) -> Result<(), ServeError> {
    let path = folder.join(LISTENING);
    let draft = folder.join("listening.new");
    let write = || {
        let mut file = private_folder::new_file(&draft)?;
        writeln!(file, "{url}")?;
        std::fs::rename(&draft, &path)
    };
    write().map_err(|cause| ServeError::Write {
        path: path.clone(),
        cause,
    })
}

//! A server to test against, and a client that sends what it is told to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use prominence_core::clock::ManualClock;
use prominence_core::permit::Scopes;
use prominence_core::{Clock, Commit, Job, Namespace, Operation, Quota, Store, Timestamp};
use prominence_engines::Retention;
use prominence_engines::embedded::{EmbeddedStore, Options};
use prominence_server::issuer::{IssuerConfig, Issuers};
use prominence_server::token::{NewToken, Secret, TokenLimits, Verifier, mint};
use prominence_server::{
    App, Bounds, Identity, Limits, Login, LongPollLimits, Minter, Page, Proxies, Records, Service,
    Tls, run, wall_time,
};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Where the servers' clocks begin.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// How long tokens from [`Server::token`] last.
pub(crate) const TOKEN_LASTS: Duration = Duration::from_secs(3_600);

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    app: App,
    engine: Option<Arc<EmbeddedStore>>,
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<oneshot::Receiver<()>>,
    runtime: Option<Runtime>,
    _folder: Option<tempfile::TempDir>,
}

/// What a test may set otherwise.
pub(crate) struct Setup {
    pub(crate) bounds: Bounds,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Tls>,
    /// Limits on the times of tokens.
    pub(crate) tokens: TokenLimits,
    /// Issuers whose tokens are accepted. With any, the server's clock begins at the machine's time, as theirs does.
    pub(crate) issuers: Vec<IssuerConfig>,
    /// The address that users see.
    pub(crate) public_url: Option<String>,
    /// The longest life of a token that the server makes, if it makes any.
    pub(crate) minting: Option<Duration>,
    /// How long the embedded engine keeps changes.
    pub(crate) retention: Retention,
    /// Instead of the embedded engine.
    pub(crate) store: Option<Arc<dyn Store>>,
    /// The web page: served, or not.
    pub(crate) page: Page,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            bounds: Bounds {
                value_bytes: 16_384,
                quota: Quota::default(),
                body_within: Duration::from_secs(20),
                answer_within: Duration::from_secs(30),
                request_memory: 64 << 20,
                requests_per_second: 0,
                long_polls: LongPollLimits {
                    in_all: 50,
                    per_user: 25,
                },
            },
            limits: Limits {
                proxies: Proxies::default(),
                connections: 100,
                head_memory: 8 << 20,
                lifetime: Duration::from_secs(3_600),
                head_within: Duration::from_secs(20),
                write_within: Duration::from_secs(60),
                stop_within: Duration::from_secs(20),
            },
            tls: None,
            tokens: TokenLimits::default(),
            issuers: Vec::new(),
            public_url: None,
            minting: Some(Duration::from_secs(7 * 86_400)),
            retention: Retention::default(),
            store: None,
            page: Page::Served,
        }
    }
}

pub(crate) fn secret() -> Secret {
    Secret::new(None, b"the secret of these tests")
}

/// A listener at a free port with as many waiting connections as that of `serve` has: with the 128 of the standard
/// library, the kernel can let a burst of clients wait for a second.
fn listener() -> TcpListener {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(1_024).unwrap();
    socket.into()
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn without_page() -> Self {
        Self::with(Setup {
            page: Page::LeftOut,
            ..Setup::default()
        })
    }

    pub(crate) fn with(setup: Setup) -> Self {
        let clock = Arc::new(ManualClock::new(match setup.issuers.is_empty() {
            true => START,
            false => wall_time(),
        }));
        let mut folder = None;
        let mut engine = None;
        let store = setup.store.unwrap_or_else(|| {
            let place = tempfile::tempdir().unwrap();
            let options = Options {
                quotas: setup.bounds.quota.into(),
                retention: setup.retention,
                ..Options::new(place.path().join("data"))
            };
            folder = Some(place);
            let opened = Arc::new(EmbeddedStore::open(options, clock.clone()).unwrap());
            engine = Some(Arc::clone(&opened));
            opened
        });
        let verifier = Verifier::new(&[secret()], setup.tokens);
        let login = setup.public_url.as_deref();
        let login = login.map(|origin| Login::new(origin, &setup.issuers));
        let issuers_clock: Arc<dyn Clock> = clock.clone();
        let issuers = Issuers::new(setup.issuers, setup.tokens, &issuers_clock).unwrap();
        let quotas = setup.bounds.quota.into();
        let identity = Identity {
            verifier,
            issuers,
            records: Arc::new(Records::new(Arc::clone(&store), quotas, clock.clone())),
            minter: setup.minting.map(|longest| Minter::new(secret(), longest)),
            login,
        };
        let app = App::with_identity(store, identity, clock.clone(), setup.bounds);

        let front = Service::with_page(app.clone(), setup.page);
        let listener = listener();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let runtime = Runtime::new().unwrap();
        let (stop, told_to_stop) = oneshot::channel::<()>();
        let (ended, stopped) = oneshot::channel();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let stop = async { drop(told_to_stop.await) };
            run(listener, front, setup.tls, setup.limits, stop).await;
            let _ = ended.send(());
        });
        Self {
            address,
            clock,
            app,
            engine,
            stop: Some(stop),
            stopped: Some(stopped),
            runtime: Some(runtime),
            _folder: folder,
        }
    }

    /// How many requests it holds.
    pub(crate) fn long_polls(&self) -> usize {
        self.app.long_polls()
    }

    /// Removes what has expired, and trims the logs.
    pub(crate) fn sweep(&self) {
        let runtime = self.runtime.as_ref().unwrap();
        let engine = self.engine.as_ref().unwrap();
        runtime.block_on(engine.sweep()).unwrap();
    }

    /// Does one commit of several operations, and says its revision.
    pub(crate) fn commit(&self, user: &str, operations: Vec<Operation>) -> u64 {
        let commit = Commit::new(Vec::new(), operations).unwrap();
        let user = Namespace::parse(user).unwrap();
        let engine = self.engine.as_ref().unwrap();
        let committed = self
            .runtime
            .as_ref()
            .unwrap()
            .block_on(engine.commit(&user, None, commit));
        committed.unwrap().revision.get()
    }

    /// How often the engine has counted the keys under a prefix.
    pub(crate) fn counts(&self) -> u64 {
        self.engine.as_ref().unwrap().counters().counts
    }

    /// How often the engine has woken somebody who listened.
    pub(crate) fn signals(&self) -> u64 {
        self.engine.as_ref().unwrap().counters().signals
    }

    /// How many commits the engine was asked for, those that changed nothing included.
    pub(crate) fn commits(&self) -> u64 {
        self.engine.as_ref().unwrap().counters().commits
    }

    /// A token of a user, good for [`TOKEN_LASTS`].
    pub(crate) fn token(&self, user: &str) -> String {
        self.token_for(user, "", None)
    }

    pub(crate) fn token_for(&self, user: &str, scopes: &str, job: Option<&str>) -> String {
        let token = NewToken {
            user: Namespace::parse(user).unwrap(),
            job: job.map(|id| Job::parse(id).unwrap()),
            groups: Vec::new(),
            scopes: Scopes::parse(scopes).unwrap(),
            lifetime: TOKEN_LASTS,
        };
        mint(&secret(), &token, self.clock.now()).unwrap()
    }

    /// A client with a token of this user.
    pub(crate) fn user(&self, user: &str) -> Client {
        Client {
            address: self.address,
            token: Some(self.token(user)),
        }
    }

    pub(crate) fn with_token(&self, token: &str) -> Client {
        Client {
            address: self.address,
            token: Some(token.to_owned()),
        }
    }

    pub(crate) fn anonymous(&self) -> Client {
        Client {
            address: self.address,
            token: None,
        }
    }

    /// Offers a token to the page, and answers the code for it.
    pub(crate) fn offer_sign_in(&self, token: &str) -> String {
        self.app.offer_sign_in(token.to_owned()).unwrap()
    }

    /// The server's time in seconds.
    pub(crate) fn clock_seconds(&self) -> u64 {
        self.clock.now().as_secs()
    }

    /// Asks who the bearer of a token is, from another address of this machine; answers the status.
    pub(crate) fn client_from(&self, address: &str) -> impl Fn(&str) -> u16 {
        let (from, to) = (address.to_owned(), self.address);
        move |token| {
            let socket =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            let from: SocketAddr = format!("{from}:0").parse().unwrap();
            socket.bind(&from.into()).unwrap();
            socket.connect(&to.into()).unwrap();
            let mut stream = TcpStream::from(socket);
            let request = format!(
                "GET /prominence/v1/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
                 Connection: close\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer.split(' ').nth(1).unwrap().parse().unwrap()
        }
    }

    /// Tells the server to stop; the answer comes when it has.
    pub(crate) fn stop(&mut self) -> oneshot::Receiver<()> {
        self.stop.take().unwrap().send(()).unwrap();
        self.stopped.take().unwrap()
    }

    /// Sends bytes as they are and reads until the server closes the connection.
    pub(crate) fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Somebody with a token, or nobody.
pub(crate) struct Client {
    address: SocketAddr,
    token: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// Sends a request; `path` goes after the interface's base as it is.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut response = self.open(method, path, headers, body);
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response
                .body_mut()
                .with_config()
                .limit(u64::MAX)
                .read_to_vec()
                .unwrap(),
        }
    }

    /// Sends a request, and leaves the answer's body to be read.
    pub(crate) fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> ureq::http::Response<ureq::Body> {
        let base = if path.starts_with("//") {
            ""
        } else {
            "/prominence/v1"
        };
        let path = path
            .strip_prefix("//")
            .map_or(path.to_owned(), |rest| format!("/{rest}"));
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{base}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .build()
            .into();
        agent.run(request.body(body).unwrap()).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("POST", path, &[], body.as_ref())
    }

    pub(crate) fn put(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("PUT", path, &[], body.as_ref())
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], b"")
    }

    /// Stores a value, which must succeed.
    pub(crate) fn set(&self, path: &str, value: impl AsRef<[u8]>) {
        let answer = self.post(path, value);
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// Lists what must be listable.
    pub(crate) fn list(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// Demands an error with this status and code, and answers its sentence.
    #[track_caller]
    pub(crate) fn error(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/json");
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["request_id"].is_string(), status >= 500, "{body}");
        body["error"].as_str().unwrap().to_owned()
    }
}

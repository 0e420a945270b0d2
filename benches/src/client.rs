//! A client with any number of connections, each of which sends one request at a time.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use prominence_core::limits::MAX_COMMIT_OPERATIONS;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The number of connections that are opened at the same time: less than a listener's backlog.
const OPENING: usize = 128;

/// One user of a server; cheap to clone.
#[derive(Clone)]
pub(crate) struct Client(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    /// The beginning of the path of every key.
    base: String,
    host: HeaderValue,
    authorization: HeaderValue,
    opening: Semaphore,
}

/// A connection that is kept open.
pub(crate) struct Connection {
    client: Client,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    /// A user of the server at `url`, the URL of all keys, which must have an IP address.
    pub(crate) fn new(url: &str, token: &str) -> anyhow::Result<Self> {
        let rest = url
            .strip_prefix("http://")
            .context("the URL is not an http URL")?;
        let (address, base) = rest.split_once('/').context("the URL has no path")?;
        Ok(Self(Arc::new(Inner {
            address: address.parse().context("the URL has no IP address")?,
            base: format!("/{base}"),
            host: HeaderValue::try_from(address)?,
            authorization: HeaderValue::try_from(format!("Bearer {token}"))?,
            opening: Semaphore::new(OPENING),
        })))
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        let _turn = self.0.opening.acquire().await?;
        let stream = TcpStream::connect(self.0.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // An error of the connection is returned by its next request.
        tokio::spawn(connection);
        Ok(Connection {
            client: self.clone(),
            sender,
        })
    }

    /// Opens connections, and then starts a task on each of them.
    pub(crate) async fn start<T, F>(
        &self,
        connections: usize,
        ask: impl Fn(Connection) -> F,
    ) -> anyhow::Result<JoinSet<anyhow::Result<T>>>
    where
        T: Send + 'static,
        F: Future<Output = anyhow::Result<T>> + Send + 'static,
    {
        let mut opened = Vec::with_capacity(connections);
        for _ in 0..connections {
            opened.push(self.connect().await?);
        }
        Ok(opened.into_iter().map(ask).collect())
    }

    /// The number of requests of a kind that the server holds, from its metrics.
    pub(crate) async fn held(&self, kind: &str) -> anyhow::Result<usize> {
        let mut connection = self.connect().await?;
        let request = Request::get("/metrics");
        let answer = connection.send(request, Bytes::new()).await?;
        let text = answer.into_body().collect().await?.to_bytes();
        let name = format!("prominence_held_requests{{kind=\"{kind}\"}} ");
        let mut lines = std::str::from_utf8(&text)?.lines();
        let count = lines.find_map(|line| line.strip_prefix(&name));
        let count = count.with_context(|| format!("the server does not count {kind}s"))?;
        Ok(count.parse()?)
    }
}

/// The results of tasks.
pub(crate) async fn all<T: 'static>(
    mut tasks: JoinSet<anyhow::Result<T>>,
) -> anyhow::Result<Vec<T>> {
    let mut all = Vec::with_capacity(tasks.len());
    while let Some(done) = tasks.join_next().await {
        all.push(done??);
    }
    Ok(all)
}

impl Connection {
    /// Sends a request, and returns its answer with a body that is not read yet. `path` follows the URL of all keys.
    pub(crate) async fn open(
        &mut self,
        method: Method,
        path: &str,
        header: Option<(HeaderName, &str)>,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Response<Incoming>> {
        let uri = format!("{}{path}", self.client.0.base);
        let mut request = Request::builder().method(method).uri(uri);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        self.send(request, body.into()).await
    }

    /// Sends a request, and reads the answer to its end, whatever its status.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        header: Option<(HeaderName, &str)>,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Response<Bytes>> {
        let answer = self.open(method, path, header, body).await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }

    /// Gets a key that has to exist.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Bytes> {
        let answer = self.ask(Method::GET, path, None, "").await?;
        ensure!(answer.status().is_success(), "{path}: {answer:?}");
        Ok(answer.into_body())
    }

    /// Sets a key, which has to succeed.
    pub(crate) async fn set(&mut self, key: &str, value: impl Into<Bytes>) -> anyhow::Result<()> {
        let answer = self.ask(Method::POST, key, None, value).await?;
        ensure!(answer.status().is_success(), "set {key}: {answer:?}");
        Ok(())
    }

    /// Sets keys to JSON strings in batches of the largest size, one after another.
    pub(crate) async fn set_all(
        &mut self,
        entries: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<()> {
        let sets = entries.map(|(key, value)| format!(r#"{{"set":"{key}","value":"{value}"}}"#));
        let mut sets = sets.peekable();
        while sets.peek().is_some() {
            let batch: Vec<_> = sets.by_ref().take(MAX_COMMIT_OPERATIONS).collect();
            let body = format!(r#"{{"do":[{}]}}"#, batch.join(","));
            let json = Some((CONTENT_TYPE, "application/json"));
            let answer = self.ask(Method::POST, "", json, body).await?;
            ensure!(answer.status().is_success(), "a batch: {answer:?}");
        }
        Ok(())
    }

    async fn send(
        &mut self,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let inner = &self.client.0;
        let request = request
            .header(HOST, &inner.host)
            .header(AUTHORIZATION, &inner.authorization)
            .body(Full::new(body))?;
        // The connection is ready only after the end of the answer before.
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?)
    }
}

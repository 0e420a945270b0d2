//! A client with as many connections as one likes, each of which does one thing at a time.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Connections that are opened at the same time: fewer than a listener lets wait.
const OPENING: usize = 128;

/// One user of a server; cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    host: HeaderValue,
    /// What all paths begin with.
    base: String,
    authorization: HeaderValue,
    opening: Semaphore,
}

/// A connection that is kept.
pub struct Connection {
    client: Client,
    sender: SendRequest<Full<Bytes>>,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Client {
    /// A user of the server at `url`, as `PROMINENCE_URL` has it, which names an address.
    ///
    /// # Errors
    /// Where it names something else.
    pub fn new(url: &str, token: &str) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://").context("the URL has no http")?;
        let (address, base) = rest.split_once('/').context("the URL has no path")?;
        Ok(Self(Arc::new(Inner {
            address: address.parse().context("the URL names no address")?,
            host: HeaderValue::try_from(address)?,
            base: format!("/{base}"),
            authorization: HeaderValue::try_from(format!("Bearer {token}"))?,
            opening: Semaphore::new(OPENING),
        })))
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        let _turn = self.0.opening.acquire().await?;
        let stream = TcpStream::connect(self.0.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // Whoever uses the connection hears of its end.
            let _ = connection.await;
        });
        Ok(Connection {
            client: self.clone(),
            sender,
        })
    }

    /// How many requests of a kind the server holds, by its own count.
    ///
    /// # Errors
    /// Where it doesn't say.
    pub async fn held(&self, kind: &str) -> anyhow::Result<usize> {
        let mut connection = self.connect().await?;
        let request = connection.request(Method::GET, "/metrics", &[], Bytes::new())?;
        let answer = connection.send(request).await?;
        let text = answer.into_body().collect().await?.to_bytes();
        let text = String::from_utf8(text.to_vec())?;
        let name = format!("prominence_held_requests{{kind=\"{kind}\"}} ");
        let mut lines = text.lines();
        let count = lines.find_map(|line| line.strip_prefix(&name));
        count
            .and_then(|count| count.parse().ok())
            .with_context(|| format!("the server does not count {kind}s"))
    }
}

impl Connection {
    /// Sends a request, and reads the answer to its end. `path` goes after the URL.
    ///
    /// # Errors
    /// Where no answer comes.
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let path = format!("{}{path}", self.client.0.base);
        let request = self.request(method, &path, headers, body.into())?;
        let answer = self.send(request).await?;
        let (head, body) = answer.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    /// Sets a key, which has to succeed.
    ///
    /// # Errors
    /// Where it doesn't.
    pub async fn set(&mut self, key: &str, value: impl Into<Bytes>) -> anyhow::Result<()> {
        let path = format!("/kv{key}");
        let answer = self.ask(Method::POST, &path, &[], value).await?;
        ensure!(answer.status.is_success(), "set {key}: {answer:?}");
        Ok(())
    }

    /// Sets many keys to the same value, as many in one commit as there may be.
    ///
    /// # Errors
    /// Where one isn't set.
    pub async fn set_all(&mut self, keys: &[String], value: &str) -> anyhow::Result<()> {
        let json = HeaderValue::from_static("application/json");
        let headers = [(hyper::header::CONTENT_TYPE, json)];
        for keys in keys.chunks(prominence_core::limits::MAX_COMMIT_OPERATIONS) {
            let sets = keys
                .iter()
                .map(|key| format!("{{\"set\":\"{key}\",\"value\":\"{value}\"}}"));
            let body = format!("{{\"do\":[{}]}}", sets.collect::<Vec<_>>().join(","));
            let answer = self.ask(Method::POST, "/kv", &headers, body).await?;
            ensure!(answer.status.is_success(), "a batch: {answer:?}");
        }
        Ok(())
    }

    /// Sends a request, and leaves the answer's body to be read as it comes.
    ///
    /// # Errors
    /// Where no answer comes, or one that is no success.
    pub async fn stream(&mut self, path: &str) -> anyhow::Result<Response<Incoming>> {
        let path = format!("{}{path}", self.client.0.base);
        let request = self.request(Method::GET, &path, &[], Bytes::new())?;
        let answer = self.send(request).await?;
        ensure!(answer.status().is_success(), "{path}: {}", answer.status());
        Ok(answer)
    }

    /// Sends a request once the connection has taken note of the end of the answer before.
    async fn send(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>> {
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let inner = &self.client.0;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &inner.host)
            .header(AUTHORIZATION, &inner.authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(body))?)
    }
}

//! hyper with almost no code behind it: the limit for a server.
//!
//! It answers every GET with the same kilobyte from memory. With a folder it also answers every POST and PUT, after the
//! body is appended to a growing file there and synced, together with the other waiting bodies. Answers have the same
//! headers as the server's, so that the same number of bytes is written and read.

use std::convert::Infallible;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::append::{Appender, Record};

/// Bodies that may wait for the appender: the same number as in the store's queue.
const MAX_WAITING: usize = 4_096;

/// Headers of an answer with a value, beside those of every answer. hyper adds `Date` and `Content-Length`.
const VALUE_HEADERS: &[(&str, &str)] = &[
    ("content-type", "text/plain; charset=utf-8"),
    ("last-modified", "Mon, 30 Nov 2026 15:10:16 GMT"),
    ("prominence-created", "2026-11-30T15:10:16.596Z"),
    ("prominence-modified", "2026-11-30T15:10:16.596Z"),
];

/// Headers of the answer to a write, and its body.
const WRITE_HEADERS: &[(&str, &str)] = &[("content-type", "application/json")];
const WRITE_BODY: &str = r#"{"key":"/k/00012345","revision":123456}"#;

/// Headers of every answer.
const HEADERS: &[(&str, &str)] = &[
    ("etag", "\"123456\""),
    ("cache-control", "private, no-cache"),
    ("x-request-id", "f494c44f9b996df3"),
    ("x-content-type-options", "nosniff"),
];

type Appends = SyncSender<Record<Bytes>>;

/// Starts the thread that appends. After it has ended, waiting requests are answered with an error.
fn appender(folder: &Path) -> anyhow::Result<Appends> {
    let mut file = Appender::create(&folder.join("append"))?;
    let (appends, received) = sync_channel(MAX_WAITING);
    let runtime = Handle::current();
    std::thread::spawn(move || {
        file.append_groups(received, |waiters| {
            // The runtime is woken only once for a group when a task of it notifies the waiters.
            runtime.spawn(async move {
                for waiter in waiters {
                    // This fails where the client has closed the connection.
                    let _ = waiter.send(());
                }
            });
        })
    });
    Ok(appends)
}

/// Serves until it is killed; appends to a file in the folder, if there is one.
pub(crate) async fn serve(folder: Option<&Path>) -> anyhow::Result<()> {
    let appends = folder.map(appender).transpose()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/", listener.local_addr()?);
    let value = Bytes::from("x".repeat(1_000));
    loop {
        let (stream, _) = listener.accept().await.context("accepting")?;
        stream.set_nodelay(true)?;
        let (appends, value) = (appends.clone(), value.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, appends.as_ref(), &value));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // An error here means that the load generator has closed the connection.
            let _ = connection.await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    appends: Option<&Appends>,
    value: &Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(match (request.method(), appends) {
        (&Method::GET, _) => render(StatusCode::OK, value.clone(), VALUE_HEADERS),
        (&Method::POST | &Method::PUT, Some(appends)) => {
            let status = append(request.into_body(), appends).await;
            render(
                status,
                Bytes::from_static(WRITE_BODY.as_bytes()),
                WRITE_HEADERS,
            )
        }
        _ => render(StatusCode::METHOD_NOT_ALLOWED, Bytes::new(), &[]),
    })
}

async fn append(body: Incoming, appends: &Appends) -> StatusCode {
    let Ok(body) = body.collect().await else {
        return StatusCode::BAD_REQUEST;
    };
    let (waiter, is_written) = oneshot::channel();
    let value = body.to_bytes();
    if appends.try_send((value, waiter)).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    match is_written.await {
        Ok(()) => StatusCode::CREATED,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn render(
    status: StatusCode,
    body: Bytes,
    special: &[(&'static str, &'static str)],
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in special.iter().chain(HEADERS) {
        let name = HeaderName::from_static(name);
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

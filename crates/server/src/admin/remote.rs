//! Asking a server that runs, through its socket.

use std::future::Future;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use prominence_api::name;
use tokio::runtime::Runtime;

use super::error::AdminError;
use super::socket::{self, SOCKET};

/// Bytes of an answer but a backup: more than the longest listing.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Bytes of a sentence that says why not.
const MAX_REFUSAL_BYTES: usize = 16 << 10;

/// A server that was reached.
pub(super) struct Remote {
    folder: PathBuf,
    runtime: Runtime,
    requests: SendRequest<Body>,
}

impl Remote {
    /// Connects to the server that has a folder open; `None` if no server listens there.
    pub(super) fn connect(folder: &Path) -> Result<Option<Self>, AdminError> {
        let failed = |cause: io::Error| AdminError::unreachable(folder.join(SOCKET), cause);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let stream = match runtime.block_on(socket::connect(folder)) {
            Ok(stream) => stream,
            // There is no socket, or the one that a killed server left.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let (requests, connection) = runtime
            .block_on(http1::handshake(TokioIo::new(stream)))
            .map_err(|error| failed(io::Error::other(error)))?;
        // Its errors are those of the request as well.
        runtime.spawn(connection);
        Ok(Some(Self {
            folder: folder.to_owned(),
            runtime,
            requests,
        }))
    }

    /// An answer in JSON.
    pub(super) fn ask<T: serde::de::DeserializeOwned>(self, path: &str) -> Result<T, AdminError> {
        let request = hyper::Request::get(path).body(Body::empty());
        self.read(request)
    }

    /// Sends JSON, and answers JSON.
    pub(super) fn tell<T: serde::de::DeserializeOwned>(
        self,
        path: &str,
        content: &impl serde::Serialize,
    ) -> Result<T, AdminError> {
        let body = serde_json::to_vec(content).map_err(|_| AdminError::OtherVersion)?;
        let request = hyper::Request::post(path)
            .header(hyper::header::CONTENT_TYPE, name::JSON)
            .body(Body::from(body));
        self.read(request)
    }

    fn read<T: serde::de::DeserializeOwned>(
        mut self,
        request: hyper::http::Result<hyper::Request<Body>>,
    ) -> Result<T, AdminError> {
        let body = self.send(request)?;
        let whole = Limited::new(body, MAX_ANSWER_BYTES).collect();
        let bytes = self
            .run(whole)
            .map_err(|_| AdminError::BrokenOff)?
            .to_bytes();
        serde_json::from_slice(&bytes).map_err(|_| AdminError::OtherVersion)
    }

    /// An answer that is too long to be kept.
    pub(super) fn stream(mut self, path: &str) -> Result<Stream, AdminError> {
        let body = self.send(hyper::Request::get(path).body(Body::empty()))?;
        Ok(Stream {
            remote: self,
            body,
            left: Bytes::new(),
        })
    }

    fn send(
        &mut self,
        request: hyper::http::Result<hyper::Request<Body>>,
    ) -> Result<Incoming, AdminError> {
        let mut request = request.map_err(|_| AdminError::OtherVersion)?;
        let host = hyper::header::HeaderValue::from_static("admin");
        request.headers_mut().insert(hyper::header::HOST, host);
        let answered = self.requests.send_request(request);
        let answer = self.run(answered).map_err(|_| AdminError::BrokenOff)?;
        let status = answer.status();
        let body = answer.into_body();
        if status.is_success() {
            return Ok(body);
        }
        match status {
            hyper::StatusCode::NOT_FOUND => return Err(AdminError::OtherVersion),
            hyper::StatusCode::NOT_IMPLEMENTED => {
                let folder = self.folder.clone();
                return Err(AdminError::InCluster { folder });
            }
            _ => {}
        }
        let reason = self.run(Limited::new(body, MAX_REFUSAL_BYTES).collect());
        let reason = reason.map_err(|_| AdminError::BrokenOff)?.to_bytes();
        let reason = String::from_utf8_lossy(&reason).into_owned();
        Err(match status {
            hyper::StatusCode::SERVICE_UNAVAILABLE => AdminError::Busy(reason),
            hyper::StatusCode::UNPROCESSABLE_ENTITY | hyper::StatusCode::INSUFFICIENT_STORAGE => {
                AdminError::Refused(reason)
            }
            _ => AdminError::Failed(reason),
        })
    }

    fn run<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// The bytes of an answer, as they come. An answer that is broken off ends in an error.
pub(super) struct Stream {
    remote: Remote,
    body: Incoming,
    left: Bytes,
}

impl Read for Stream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.left.is_empty() {
            match self.remote.runtime.block_on(self.body.frame()) {
                None => return Ok(0),
                Some(Ok(frame)) => self.left = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Err(io::Error::other(error)),
            }
        }
        let length = self.left.len().min(to.len());
        to[..length].copy_from_slice(&self.left.split_to(length));
        Ok(length)
    }
}

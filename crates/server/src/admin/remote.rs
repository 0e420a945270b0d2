//! Asking a server that runs, through its socket.

use std::future::Future;
use std::io::{self, Read};
use std::path::Path;

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;

use super::error::AdminError;
use super::socket::{self, SOCKET};

/// Bytes of an answer but a backup: more than the longest listing.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Bytes of a sentence that says why not.
const MAX_REFUSAL_BYTES: usize = 16 << 10;

/// A server that was reached.
pub(super) struct Remote {
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
        Ok(Some(Self { runtime, requests }))
    }

    /// An answer in JSON.
    pub(super) fn ask<T: serde::de::DeserializeOwned>(
        mut self,
        path: &str,
    ) -> Result<T, AdminError> {
        let body = self.send(path)?;
        let whole = Limited::new(body, MAX_ANSWER_BYTES).collect();
        let bytes = self
            .run(whole)
            .map_err(|_| AdminError::BrokenOff)?
            .to_bytes();
        serde_json::from_slice(&bytes).map_err(|_| AdminError::OtherVersion)
    }

    /// An answer that is too long to be kept.
    pub(super) fn stream(mut self, path: &str) -> Result<Stream, AdminError> {
        let body = self.send(path)?;
        Ok(Stream {
            remote: self,
            body,
            left: Bytes::new(),
        })
    }

    fn send(&mut self, path: &str) -> Result<Incoming, AdminError> {
        let request = hyper::Request::get(path)
            .header(hyper::header::HOST, "admin")
            .body(Body::empty())
            .map_err(|_| AdminError::OtherVersion)?;
        let answered = self.requests.send_request(request);
        let answer = self.run(answered).map_err(|_| AdminError::BrokenOff)?;
        let status = answer.status();
        let body = answer.into_body();
        if status.is_success() {
            return Ok(body);
        }
        if status == hyper::StatusCode::NOT_FOUND {
            return Err(AdminError::OtherVersion);
        }
        let reason = self.run(Limited::new(body, MAX_REFUSAL_BYTES).collect());
        let reason = reason.map_err(|_| AdminError::BrokenOff)?.to_bytes();
        let reason = String::from_utf8_lossy(&reason).into_owned();
        Err(match status {
            hyper::StatusCode::SERVICE_UNAVAILABLE => AdminError::Busy(reason),
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

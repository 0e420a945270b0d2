//! Single requests, where the time of one matters or what it answers; rates are wrk's part.

use std::io::Read as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// Longer than any request that is measured takes.
const ANSWER_WITHIN: Duration = Duration::from_secs(300);

/// Bytes read from a body at a time.
const CHUNK: usize = 64 << 10;

/// Somebody who asks over a connection that is kept.
pub(crate) struct Caller {
    agent: ureq::Agent,
    authorization: Option<String>,
}

/// What came of a body that was read as it arrived.
pub(crate) struct Streamed {
    /// From sending the request to the first byte of the body.
    pub(crate) first_byte: Duration,
    /// Lines in all of it.
    pub(crate) lines: u64,
}

impl Caller {
    pub(crate) fn anonymous() -> Self {
        Self {
            agent: ureq::Agent::config_builder()
                .timeout_global(Some(ANSWER_WITHIN))
                .build()
                .into(),
            authorization: None,
        }
    }

    pub(crate) fn with_token(token: &str) -> Self {
        Self {
            authorization: Some(format!("Bearer {token}")),
            ..Self::anonymous()
        }
    }

    /// A request that has to succeed; answers its body.
    pub(crate) fn get(&self, url: &str) -> anyhow::Result<Vec<u8>> {
        self.ask("GET", url, &[])
    }

    /// A write that has to succeed; answers its body.
    pub(crate) fn post(&self, url: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.ask("POST", url, body)
    }

    /// The same with a body that is JSON.
    pub(crate) fn post_json(&self, url: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        let request = self.request("POST", url);
        self.run(
            request
                .header("content-type", "application/json")
                .body(body)?,
        )
    }

    /// Deletes a prefix; answers how long that took and how many keys are gone.
    pub(crate) fn delete_prefix(&self, url: &str) -> anyhow::Result<(Duration, u64)> {
        let started = Instant::now();
        let body = self.ask("DELETE", &format!("{url}?prefix"), &[])?;
        let took = started.elapsed();
        let text = String::from_utf8(body)?;
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let deleted = digits
            .parse()
            .with_context(|| format!("no number in {text}"))?;
        Ok((took, deleted))
    }

    /// A listing with one JSON value a line, read as it comes.
    pub(crate) fn stream(&self, url: &str) -> anyhow::Result<Streamed> {
        let request = self
            .request("GET", url)
            .header("accept", "application/x-ndjson");
        let started = Instant::now();
        let mut answer = self.agent.run(request.body(())?)?;
        let mut reader = answer.body_mut().as_reader();
        let mut chunk = vec![0; CHUNK];
        let mut first_byte = None;
        let mut lines = 0;
        loop {
            let read = reader.read(&mut chunk)?;
            first_byte.get_or_insert_with(|| started.elapsed());
            if read == 0 {
                break;
            }
            let ends = chunk[..read].iter().filter(|byte| **byte == b'\n').count();
            lines += u64::try_from(ends)?;
        }
        Ok(Streamed {
            first_byte: first_byte.context("no body")?,
            lines,
        })
    }

    fn ask(&self, method: &str, url: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.run(self.request(method, url).body(body)?)
    }

    fn run(&self, request: ureq::http::Request<&[u8]>) -> anyhow::Result<Vec<u8>> {
        let asked = format!("{} {}", request.method(), request.uri());
        let mut answer = self.agent.run(request)?;
        let status = answer.status();
        ensure!(status.is_success(), "{asked}: {status}");
        let body = answer.body_mut().with_config().limit(u64::MAX);
        Ok(body.read_to_vec()?)
    }

    fn request(&self, method: &str, url: &str) -> ureq::http::request::Builder {
        let request = ureq::http::Request::builder().method(method).uri(url);
        match &self.authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        }
    }
}

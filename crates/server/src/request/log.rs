//! The access log, with a line for each request, and the audit log, with those of them that change something or whose caller
//! was refused. No line has a value or a token.

mod line;
mod writer;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::http::{HeaderValue, Method, Response, StatusCode, Uri};
use prominence_core::{Principal, Timestamp};

pub use self::line::LineFormat;
use self::line::{Line, Note};
pub use self::writer::LogTarget;
use self::writer::Writer;
use super::id::REQUEST_ID;

/// The destinations of the two logs, and the form of their lines.
#[derive(Clone, Debug)]
pub struct RequestLogs {
    /// The access log.
    pub access: Option<LogTarget>,
    /// The audit log.
    pub audit: Option<LogTarget>,
    /// The form of the lines of both.
    pub format: LineFormat,
}

/// The logs that are written.
pub(crate) struct RequestLog {
    access: Option<Writer>,
    audit: Option<Writer>,
    /// True if the access log is the audit log as well.
    is_one: bool,
    format: LineFormat,
}

/// The caller of a request, once its token is verified; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Caller(Arc<OnceLock<Arc<Principal>>>);

/// The sentence with which a caller was refused.
#[derive(Clone)]
pub(crate) struct RefusalReason(pub(crate) String);

/// The effect of a request on tokens, in words without secrets.
#[derive(Clone)]
pub(crate) struct Effect(pub(crate) String);

/// A request whose line is written when this is dropped: after its answer, or when its client has gone away.
pub(crate) struct LoggedRequest {
    log: Arc<RequestLog>,
    started: (Instant, Timestamp),
    address: IpAddr,
    method: Method,
    path: String,
    received: Option<u64>,
    caller: Caller,
    answer: Option<LoggedAnswer>,
    sent: u64,
}

struct LoggedAnswer {
    status: StatusCode,
    request_id: Option<HeaderValue>,
    reason: Option<RefusalReason>,
    effect: Option<Effect>,
}

impl RequestLog {
    /// Opens the logs that are asked for; `None` if there is none. If both go to one place, each line is there once.
    ///
    /// # Errors
    /// The file that can't be opened, and why not.
    pub(crate) fn open(logs: RequestLogs) -> Result<Option<Self>, (LogTarget, std::io::Error)> {
        let open = |target: Option<LogTarget>| {
            let writer =
                target.map(|target| Writer::open(target.clone()).map_err(|error| (target, error)));
            writer.transpose()
        };
        let is_one = logs.audit.is_some() && logs.access == logs.audit;
        let audit = logs.audit.filter(|_| !is_one);
        let (access, audit) = (open(logs.access)?, open(audit)?);
        if access.is_none() && audit.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            access,
            audit,
            is_one,
            format: logs.format,
        }))
    }

    /// Begins a line, for a request at this instant from this address, with a body of this length.
    pub(crate) fn begin(
        self: &Arc<Self>,
        (started, address): ((Instant, Timestamp), IpAddr),
        (method, uri): (&Method, &Uri),
        received: Option<u64>,
    ) -> LoggedRequest {
        LoggedRequest {
            log: Arc::clone(self),
            started,
            address,
            method: method.clone(),
            path: uri.path().to_owned(),
            received,
            caller: Caller::default(),
            answer: None,
            sent: 0,
        }
    }

    /// Writes into the audit log what has changed other than by a request of a user.
    pub(crate) fn note(&self, time: Timestamp, effect: &str) {
        let access = self.access.as_ref().filter(|_| self.is_one);
        if let Some(audit) = self.audit.as_ref().or(access) {
            audit.write(Note { time, effect }.render(self.format));
        }
    }

    /// Opens the files again by their names, after they were moved away.
    pub(crate) fn reopen(&self) {
        self.writers().for_each(Writer::reopen);
    }

    /// Writes the lines that wait, and ends.
    pub(crate) fn close(&self) {
        self.writers().for_each(Writer::close);
    }

    fn writers(&self) -> impl Iterator<Item = &Writer> {
        self.access.iter().chain(&self.audit)
    }
}

impl Caller {
    /// Notes the caller; the first one counts.
    pub(crate) fn is(&self, who: &Arc<Principal>) {
        let _ = self.0.set(Arc::clone(who));
    }
}

impl LoggedRequest {
    /// The place for the caller.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Notes the head of an answer, and takes from it what the handlers have left there for the logs.
    pub(crate) fn answered<B>(&mut self, response: &mut Response<B>) {
        self.answer = Some(LoggedAnswer {
            status: response.status(),
            request_id: response.headers().get(REQUEST_ID).cloned(),
            reason: response.extensions_mut().remove(),
            effect: response.extensions_mut().remove(),
        });
    }

    /// Counts bytes of the body of the answer.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// True if the line is one of the audit log.
    fn is_audited(&self) -> bool {
        let status = self.answer.as_ref().map(|answer| answer.status);
        let is_refused = matches!(
            status,
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        );
        is_refused || !self.method.is_safe()
    }
}

impl Drop for LoggedRequest {
    fn drop(&mut self) {
        let audit = self.log.audit.as_ref().filter(|_| self.is_audited());
        let who = self.caller.0.get();
        let job = who.and_then(|who| who.job.as_ref());
        let answer = self.answer.as_ref();
        let request_id = answer.and_then(|answer| answer.request_id.as_ref());
        let took = self.started.0.elapsed();
        let line = Line {
            time: self.started.1.after(took),
            user: who.map(|who| who.user.as_str()),
            job: job.map(|job| job.as_str()),
            address: self.address,
            method: self.method.as_str(),
            path: &self.path,
            status: answer.map(|answer| answer.status.as_u16()),
            received: self.received,
            sent: self.sent,
            took,
            request_id: request_id.and_then(|id| id.to_str().ok()),
            reason: answer
                .and_then(|answer| answer.reason.as_ref())
                .map(|reason| reason.0.as_str()),
            effect: answer
                .and_then(|answer| answer.effect.as_ref())
                .map(|effect| effect.0.as_str()),
        };
        let text = line.render(self.log.format);
        match (&self.log.access, audit) {
            (Some(access), Some(audit)) => {
                access.write(text.clone());
                audit.write(text);
            }
            (Some(one), None) | (None, Some(one)) => one.write(text),
            (None, None) => {}
        }
    }
}

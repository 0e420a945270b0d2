//! Errors of the cluster, and what they mean for a caller.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::Error;
use prominence_core::StoreError;
use prominence_core::error::Fate;

/// When callers should retry where a queue is full, or another member is being tried.
pub(super) const RETRY_SOON: Duration = Duration::from_secs(1);

/// When callers should retry where an operator has to act first.
pub(super) const RETRY_LATER: Duration = Duration::from_secs(10);

/// The reason why a store over a cluster can't be opened. A cluster that does not answer is no reason: the store waits
/// for it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file for TLS can't be read.
    #[error("{what} holds no {wanted} in PEM; give the path of a file that does")]
    Pem {
        /// The setting.
        what: &'static str,
        /// The content that it should have.
        wanted: &'static str,
    },
    /// TLS was set up, and the endpoints have no TLS.
    #[error("certificates are given, and the endpoints are http; write https")]
    TlsWithoutHttps,
    /// The operating system gives no random number. Each process needs one as its id.
    #[error("the operating system gives no random numbers")]
    NoRandomness(#[source] io::Error),
}

/// The reason why the cluster did not do a read or a transaction.
#[derive(Clone, Debug)]
pub(super) struct Unavailable {
    /// For the log and the caller.
    pub(super) reason: String,
    pub(super) retry_after: Duration,
    pub(super) retry: Retry,
    /// The fate of the transaction. A read applies nothing.
    pub(super) fate: Fate,
    cause: Option<Arc<Error>>,
}

/// The place where a retry may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    AnotherMember,
    /// After a new login.
    NewLogin,
    /// Nowhere until an operator acts.
    Useless,
}

impl Unavailable {
    /// A member that did not answer in time.
    pub(super) fn slow(after: Duration) -> Self {
        Self {
            reason: format!("etcd did not answer within {} s", after.as_secs_f32()),
            retry_after: RETRY_SOON,
            retry: Retry::AnotherMember,
            fate: Fate::Unknown,
            cause: None,
        }
    }

    /// True if a range was read as of a revision that etcd has compacted.
    pub(super) fn is_compacted(&self) -> bool {
        match self.cause.as_deref() {
            Some(Error::GRpcStatus(status)) => status
                .message()
                .contains("required revision has been compacted"),
            _ => false,
        }
    }

    pub(super) fn with_fate(self, fate: Fate) -> Self {
        Self { fate, ..self }
    }
}

impl From<Error> for Unavailable {
    fn from(error: Error) -> Self {
        let (reason, retry_after, retry, fate) = explain(&error);
        Self {
            reason,
            retry_after,
            retry,
            fate,
            cause: Some(Arc::new(error)),
        }
    }
}

impl From<Unavailable> for StoreError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable {
            reason: unavailable.reason,
            fate: unavailable.fate,
            retry_after: unavailable.retry_after,
            cause: unavailable.cause.map(|cause| Box::new(cause) as Box<_>),
        }
    }
}

/// An answer that has nothing to do with the cluster.
pub(super) fn unavailable(reason: &str, fate: Fate, retry_after: Duration) -> StoreError {
    StoreError::Unavailable {
        reason: reason.to_owned(),
        fate,
        retry_after,
        cause: None,
    }
}

/// An answer for a request that was not begun, such as one that a full queue refuses.
pub(super) fn busy(reason: &str) -> StoreError {
    unavailable(reason, Fate::NotApplied, RETRY_SOON)
}

/// The answer of a store that is closed.
pub(super) fn closed() -> StoreError {
    unavailable("the store is closed", Fate::NotApplied, RETRY_LATER)
}

fn explain(error: &Error) -> (String, Duration, Retry, Fate) {
    let Error::GRpcStatus(status) = error else {
        let reason = format!("etcd can't be reached: {error}");
        return (reason, RETRY_SOON, Retry::AnotherMember, Fate::Unknown);
    };
    // Each error of etcd has its own text, while several share a code.
    let text = status.message();
    let detail = text.strip_prefix("etcdserver: ").unwrap_or(text);
    let is = |errors: &[&str]| errors.iter().any(|error| text.contains(error));
    let (reason, retry_after, retry) = if is(&["database space exceeded"]) {
        let reason = "etcd's database is full (NOSPACE): compact, defragment and disarm the alarm, \
            or raise its quota";
        (reason.to_owned(), RETRY_LATER, Retry::Useless)
    } else if is(&["no leader"]) {
        let reason = "the etcd cluster has no leader".to_owned();
        (reason, RETRY_SOON, Retry::AnotherMember)
    } else if is(&["invalid auth token", "revision of auth store is old"]) {
        let reason = format!("etcd asks for a new login: {detail}");
        (reason, RETRY_SOON, Retry::NewLogin)
    } else if is(&[
        "authentication failed",
        "permission denied",
        "user name is empty",
    ]) {
        let reason = format!("etcd refuses this server: {detail}");
        (reason, RETRY_LATER, Retry::Useless)
    } else if is(&["too many requests"]) {
        let reason = "etcd has too many requests waiting".to_owned();
        (reason, RETRY_SOON, Retry::AnotherMember)
    } else if is(&[
        "compacted",
        "future revision",
        "too many operations",
        "too large",
    ]) {
        (
            format!("etcd refuses: {detail}"),
            RETRY_SOON,
            Retry::Useless,
        )
    } else {
        let reason = format!("etcd can't be reached, or has trouble: {detail}");
        let fate = if is_connection_refused(status) {
            Fate::NotApplied
        } else {
            Fate::Unknown
        };
        return (reason, RETRY_SOON, Retry::AnotherMember, fate);
    };
    (reason, retry_after, retry, Fate::NotApplied)
}

/// True if no connection was made, so that nothing can have been sent.
fn is_connection_refused(status: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(status), |error| error.source());
    causes.any(|error| {
        let io = error.downcast_ref::<io::Error>();
        io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused)
    })
}

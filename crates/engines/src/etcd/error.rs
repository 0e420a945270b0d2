//! What can go wrong with a cluster, and what it means for a caller.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::Error;
use prominence_core::StoreError;
use prominence_core::error::Fate;

/// What callers are told to wait where a queue is full, or a member is being looked for.
pub(super) const RETRY_SOON: Duration = Duration::from_secs(1);

/// What callers are told to wait where somebody has to act.
pub(super) const RETRY_LATER: Duration = Duration::from_secs(10);

/// Why a store over a cluster can't be opened. A cluster that does not answer is no reason: it is
/// waited for.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What was given for TLS can't be read.
    #[error("{what} holds no {wanted} in PEM; give the path of a file that does")]
    Pem {
        /// Which setting.
        what: &'static str,
        /// What it should hold.
        wanted: &'static str,
    },
    /// TLS was set up, and the endpoints are in the clear.
    #[error("certificates are given, and the endpoints are http; write https")]
    TlsWithoutHttps,
}

/// Why the cluster did not do what it was asked.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// For the log and the caller.
    pub(super) reason: String,
    pub(super) retry_after: Duration,
    /// Whether another member, or the same a moment later, may do it.
    pub(super) outlook: Outlook,
    /// What is known about a write.
    pub(super) fate: Fate,
    cause: Option<Arc<Error>>,
}

/// What may come of asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Another member may answer.
    Another,
    /// The login has to be renewed before.
    NewLogin,
    /// The same will be answered until somebody acts.
    Same,
}

impl Trouble {
    /// A member that did not answer in time.
    pub(super) fn slow(after: Duration) -> Self {
        Self {
            reason: format!("etcd did not answer within {} s", after.as_secs_f32()),
            retry_after: RETRY_SOON,
            outlook: Outlook::Another,
            fate: Fate::Unknown,
            cause: None,
        }
    }

    /// What a client's error means.
    pub(super) fn of(error: Error) -> Self {
        let (reason, retry_after, outlook, fate) = explain(&error);
        Self {
            reason,
            retry_after,
            outlook,
            fate,
            cause: Some(Arc::new(error)),
        }
    }

    /// Whether a range was asked for as of a revision that is no longer kept.
    pub(super) fn is_compacted(&self) -> bool {
        self.says("required revision has been compacted")
    }

    /// The same where something else is known about a write.
    pub(super) fn with_fate(self, fate: Fate) -> Self {
        Self { fate, ..self }
    }

    fn says(&self, words: &str) -> bool {
        match self.cause.as_deref() {
            Some(Error::GRpcStatus(status)) => status.message().contains(words),
            _ => false,
        }
    }

    /// The answer to a caller.
    pub(super) fn answer(&self, fate: Fate) -> StoreError {
        let cause = self.cause.clone().map(|cause| Box::new(cause) as Box<_>);
        StoreError::Unavailable {
            reason: self.reason.clone(),
            fate,
            retry_after: self.retry_after,
            cause,
        }
    }

    /// The answer to a caller who reads.
    pub(super) fn read(&self) -> StoreError {
        self.answer(Fate::NotApplied)
    }
}

/// An answer for now that has nothing to do with the cluster.
pub(super) fn unavailable(reason: &str, fate: Fate, retry_after: Duration) -> StoreError {
    StoreError::Unavailable {
        reason: reason.to_owned(),
        fate,
        retry_after,
        cause: None,
    }
}

/// An answer for when a queue is full.
pub(super) fn busy(reason: &str) -> StoreError {
    unavailable(reason, Fate::NotApplied, RETRY_SOON)
}

fn explain(error: &Error) -> (String, Duration, Outlook, Fate) {
    let Error::GRpcStatus(status) = error else {
        let reason = format!("etcd can't be reached: {error}");
        return (reason, RETRY_SOON, Outlook::Another, Fate::Unknown);
    };
    // etcd has a text for each of its errors, and a code that several of them share.
    let says = status.message();
    let said = says.strip_prefix("etcdserver: ").unwrap_or(says);
    let is = |words| says.contains(words);
    if is("database space exceeded") {
        let reason = "etcd's database is full (NOSPACE): compact, defragment and disarm the alarm, \
            or raise its quota";
        return (
            reason.to_owned(),
            RETRY_LATER,
            Outlook::Same,
            Fate::NotApplied,
        );
    }
    if is("no leader") {
        let reason = "the etcd cluster has no leader".to_owned();
        return (reason, RETRY_SOON, Outlook::Another, Fate::NotApplied);
    }
    if is("invalid auth token") || is("revision of auth store is old") {
        let reason = format!("etcd asks for a new login: {said}");
        return (reason, RETRY_SOON, Outlook::NewLogin, Fate::NotApplied);
    }
    if is("authentication failed") || is("permission denied") || is("user name is empty") {
        let reason = format!("etcd refuses this server: {said}");
        return (reason, RETRY_LATER, Outlook::Same, Fate::NotApplied);
    }
    if is("too many requests") {
        let reason = "etcd has too many requests waiting".to_owned();
        return (reason, RETRY_SOON, Outlook::Another, Fate::NotApplied);
    }
    if is("compacted") || is("future revision") || is("too many operations") || is("too large") {
        let reason = format!("etcd refuses: {said}");
        return (reason, RETRY_SOON, Outlook::Same, Fate::NotApplied);
    }
    let fate = if is_refused(status) {
        Fate::NotApplied
    } else {
        Fate::Unknown
    };
    let reason = format!("etcd can't be reached, or has trouble: {said}");
    (reason, RETRY_SOON, Outlook::Another, fate)
}

/// Whether no connection was made, so that nothing can have been sent.
fn is_refused(status: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(status);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        cause = error.source();
    }
    false
}

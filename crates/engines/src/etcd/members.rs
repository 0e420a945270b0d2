//! The members of the cluster, of which one is asked until it fails.
//!
//! Every request is a transaction that can be sent again: a read, or a write that compares what it
//! rests on, so that it can't be done twice.

mod tls;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{
    Client, ConnectOptions, Error, Txn, TxnOp, TxnResponse, WatchOptions, WatchStream,
};
use prominence_core::error::Fate;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::counters::Counter;
use super::error::{OpenError, Retry, Unavailable};
use super::keys::Range;
use super::options::{Endpoint, Options};
use super::query::{Answers, RangeQuery};

/// The time limit for the answer of one member, so that another can be asked within the time that
/// a call has. A leader that is lost is replaced in one to two seconds.
const ATTEMPT: Duration = Duration::from_secs(3);

/// The pause before the next member is asked, times the number of those asked so far: an election
/// takes a second or so.
const PAUSE: Duration = Duration::from_millis(20);

/// The longest such pause.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// The interval of keep-alive pings. etcd closes connections on which they come more often than
/// every five seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(6);

/// The time limit for the answer to a ping.
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(3);

/// Bytes of one answer. A page of listings is read in pieces far below this; a transaction of
/// the largest values is not larger.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// Some members of one cluster.
pub(super) struct Members {
    members: Vec<Member>,
    current: watch::Sender<usize>,
    /// Changes to another member.
    pub(super) failovers: Counter,
    /// True if the last call failed.
    is_away: AtomicBool,
    options: ConnectOptions,
}

struct Member {
    endpoint: Endpoint,
    /// Made with the first request, since it may take a login.
    client: Mutex<Option<Client>>,
}

/// The answer to a transaction.
pub(super) struct Response {
    pub(super) response: TxnResponse,
    /// True if an earlier attempt at the same transaction may have been done.
    pub(super) was_unclear: bool,
}

impl Response {
    /// True if the comparisons succeeded in the attempt that was answered.
    pub(super) fn succeeded(&self) -> bool {
        self.response.succeeded()
    }

    /// The cluster's revision after the transaction.
    pub(super) fn revision(&self) -> i64 {
        let header = self.response.header();
        header.map_or(0, |header| header.revision())
    }
}

impl Members {
    /// `first` chooses the member to begin with, so that not all servers use the same one.
    pub(super) fn new(options: &Options, first: u64) -> Result<Self, OpenError> {
        let mut connect = ConnectOptions::new()
            .with_connect_timeout(options.connect_timeout)
            .with_keep_alive(KEEP_ALIVE, KEEP_ALIVE_ANSWER)
            .with_keep_alive_while_idle(true)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some(login) = &options.login {
            connect = connect.with_user(&login.user, &login.password);
        }
        if options.endpoints.are_tls() {
            connect = connect.with_tls(tls::options(&options.tls)?);
        } else if options.tls.authorities.is_some() || options.tls.identity.is_some() {
            return Err(OpenError::TlsWithoutHttps);
        }
        let members = options.endpoints.iter().map(|endpoint| Member {
            endpoint: endpoint.clone(),
            client: Mutex::default(),
        });
        let members: Vec<_> = members.collect();
        let first = usize::try_from(first).unwrap_or(0) % members.len().max(1);
        Ok(Self {
            members,
            current: watch::Sender::new(first),
            failovers: Counter::default(),
            is_away: AtomicBool::new(false),
            options: connect,
        })
    }

    /// Reads all queries as of one moment that is not before this call.
    pub(super) async fn read(
        &self,
        queries: Vec<RangeQuery>,
        deadline: Instant,
    ) -> Result<Answers, Unavailable> {
        let queries: Vec<TxnOp> = queries.into_iter().map(TxnOp::from).collect();
        let done = self.transact(&Txn::new().and_then(queries), deadline).await;
        // A read that fails has applied nothing.
        let done = done.map_err(|error| error.with_fate(Fate::NotApplied))?;
        Ok(Answers::from(done.response))
    }

    /// Does a transaction, which has to be one that can't be done twice.
    pub(super) async fn transact(
        &self,
        txn: &Txn,
        deadline: Instant,
    ) -> Result<Response, Unavailable> {
        let done = self.try_members(txn, deadline).await;
        // Logged once, since every call reports it to its caller.
        match &done {
            Ok(_) if self.is_away.swap(false, Ordering::Relaxed) => {
                tracing::info!("the etcd cluster answers again");
            }
            Err(error) if !self.is_away.swap(true, Ordering::Relaxed) => {
                tracing::warn!(reason = error.reason, "the etcd cluster does not answer");
            }
            Ok(_) | Err(_) => {}
        }
        done
    }

    async fn try_members(&self, txn: &Txn, deadline: Instant) -> Result<Response, Unavailable> {
        let mut was_unclear = false;
        let mut attempts = 0;
        loop {
            let number = *self.current.borrow();
            let until = deadline.min(Instant::now() + ATTEMPT);
            let error = match timeout_at(until, self.try_at(number, txn)).await {
                Ok(Ok(response)) => {
                    return Ok(Response {
                        response,
                        was_unclear,
                    });
                }
                Ok(Err(error)) => error,
                Err(_) => Unavailable::slow(ATTEMPT),
            };
            // Once an attempt may have been done, no later failure makes that certain again.
            was_unclear |= error.fate == Fate::Unknown;
            let fate = if was_unclear {
                Fate::Unknown
            } else {
                Fate::NotApplied
            };
            match error.retry {
                Retry::Useless => return Err(error.with_fate(fate)),
                Retry::NewLogin => self.discard_client(number),
                Retry::AnotherMember => self.fail_over(number),
            }
            attempts += 1;
            let pause = (PAUSE * attempts).min(MAX_PAUSE);
            if Instant::now() + pause >= deadline {
                return Err(error.with_fate(fate));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Watches a range from a revision of the cluster on, or from now on where it is 0, at the
    /// current member.
    pub(super) async fn watch(&self, range: &Range, from: i64) -> Result<WatchStream, Unavailable> {
        let number = *self.current.borrow();
        let mut options = WatchOptions::new()
            .with_range(range.end.clone())
            .with_progress_notify();
        if from > 0 {
            options = options.with_start_revision(from);
        }
        let start = async {
            let client = self.client(number).await?;
            let watch = client.watch_client();
            let mut watch = watch.max_decoding_message_size(MAX_ANSWER_BYTES);
            let watch = watch.watch(range.start.clone(), Some(options)).await;
            watch.map_err(Unavailable::from)
        };
        let started = tokio::time::timeout(ATTEMPT, start).await;
        let started = started.unwrap_or_else(|_| Err(Unavailable::slow(ATTEMPT)));
        started.inspect_err(|error| {
            if error.retry == Retry::NewLogin {
                self.discard_client(number);
            } else {
                self.fail_over(number);
            }
        })
    }

    /// Notifies of each change to another member.
    pub(super) fn subscribe_to_failovers(&self) -> watch::Receiver<usize> {
        self.current.subscribe()
    }

    async fn try_at(&self, number: usize, txn: &Txn) -> Result<TxnResponse, Unavailable> {
        let kv = self.client(number).await?.kv_client();
        let mut kv = kv.max_decoding_message_size(MAX_ANSWER_BYTES);
        kv.txn(txn.clone()).await.map_err(Unavailable::from)
    }

    async fn client(&self, number: usize) -> Result<Client, Unavailable> {
        let member = &self.members[number];
        if let Some(client) = member.lock().clone() {
            return Ok(client);
        }
        let options = Some(self.options.clone());
        let client = Client::connect([member.endpoint.as_str()], options).await;
        // Nothing but a login can have been sent.
        let no_write = |error: Error| Unavailable::from(error).with_fate(Fate::NotApplied);
        let client = client.map_err(no_write)?;
        *member.lock() = Some(client.clone());
        Ok(client)
    }

    /// Changes to the next member, unless another call has done so.
    fn fail_over(&self, number: usize) {
        let next = (number + 1) % self.members.len();
        let is_changed = self.current.send_if_modified(|current| {
            let is_first = *current == number && next != number;
            if is_first {
                *current = next;
            }
            is_first
        });
        if is_changed {
            self.failovers.add(1);
            let endpoint = &self.members[next].endpoint;
            tracing::debug!(%endpoint, "changing to another member of the etcd cluster");
        }
    }

    /// Lets the next request to a member make a new client.
    fn discard_client(&self, number: usize) {
        *self.members[number].lock() = None;
    }
}

impl Member {
    /// The value behind the lock is replaced in one step, so a poisoned lock guards a valid one.
    fn lock(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

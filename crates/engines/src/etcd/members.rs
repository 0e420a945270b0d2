//! The members of the cluster, of which one is asked until it fails.
//!
//! Whatever is asked is a transaction that can be asked again: a read, or a write that compares
//! what it rests on, so that it can't be done twice.

mod questions;
mod tls;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, Txn, TxnOp, TxnResponse, WatchOptions, WatchStream};
use prominence_core::error::Fate;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::error::{OpenError, Outlook, Trouble};
use super::keys::Range;
use super::options::{Endpoint, Options};

pub(super) use questions::{Found, Read, RowContent, Wanted, range, row};

/// How long one member may take to answer, so that another can be asked within the time that a
/// call has. A leader that is lost is replaced in one to two seconds.
const ATTEMPT: Duration = Duration::from_secs(3);

/// The pause before the next member is asked, times the number of those asked so far: an election
/// takes a second or so.
const PAUSE: Duration = Duration::from_millis(20);

/// The longest such pause.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// How often a connection is tried when nothing comes. etcd closes those on which that is done
/// more often than every five seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(6);

/// How long the answer may take.
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(3);

/// Bytes of one answer. A page of listings is read in pieces far below this; a transaction of
/// the largest values is not larger.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// Some members of one cluster.
pub(super) struct Members {
    members: Vec<Member>,
    current: watch::Sender<usize>,
    switches: AtomicU64,
    /// Whether the last answer that a call got was none.
    is_away: AtomicBool,
    options: ConnectOptions,
}

struct Member {
    endpoint: Endpoint,
    /// Made when the member is asked first: it may take a login.
    client: Mutex<Option<Client>>,
}

/// What came of a write.
pub(super) struct Written {
    pub(super) response: TxnResponse,
    /// Whether an earlier try of the same may have been done.
    pub(super) was_unclear: bool,
}

impl Members {
    /// `first` tells which of them is asked first, so that not all servers ask the same.
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
            switches: AtomicU64::new(0),
            is_away: AtomicBool::new(false),
            options: connect,
        })
    }

    /// Reads, all as of one moment that is not before this call.
    pub(super) async fn read(
        &self,
        ranges: Vec<TxnOp>,
        deadline: Instant,
    ) -> Result<Read, Trouble> {
        let wanted = Txn::new().and_then(ranges);
        let done = self.transact(&wanted, deadline).await?;
        Ok(Read::from(done.response))
    }

    /// Does a transaction, which has to be one that can't be done twice.
    pub(super) async fn transact(&self, txn: &Txn, deadline: Instant) -> Result<Written, Trouble> {
        let done = self.try_everywhere(txn, deadline).await;
        // Said once, as every call says it to its caller.
        match &done {
            Ok(_) if self.is_away.swap(false, Ordering::Relaxed) => {
                tracing::info!("the etcd cluster answers again");
            }
            Err(trouble) if !self.is_away.swap(true, Ordering::Relaxed) => {
                tracing::warn!(reason = trouble.reason, "the etcd cluster does not answer");
            }
            Ok(_) | Err(_) => {}
        }
        done
    }

    async fn try_everywhere(&self, txn: &Txn, deadline: Instant) -> Result<Written, Trouble> {
        let mut was_unclear = false;
        let mut tries = 0;
        loop {
            let number = *self.current.borrow();
            let until = deadline.min(Instant::now() + ATTEMPT);
            let trouble = match timeout_at(until, self.try_at(number, txn)).await {
                Ok(Ok(response)) => {
                    return Ok(Written {
                        response,
                        was_unclear,
                    });
                }
                Ok(Err(trouble)) => trouble,
                Err(_) => Trouble::slow(ATTEMPT),
            };
            was_unclear |= trouble.fate == Fate::Unknown;
            match trouble.outlook {
                Outlook::Same => return Err(trouble.with_fate(fate(was_unclear))),
                Outlook::NewLogin => self.forget(number),
                Outlook::Another => self.leave(number),
            }
            tries += 1;
            let pause = (PAUSE * tries).min(MAX_PAUSE);
            if Instant::now() + pause >= deadline {
                return Err(trouble.with_fate(fate(was_unclear)));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Watches a range from a revision of the cluster on, or from now on, at the member that is
    /// asked at present.
    pub(super) async fn watch(&self, range: &Range, from: i64) -> Result<WatchStream, Trouble> {
        let number = *self.current.borrow();
        let mut options = WatchOptions::new()
            .with_range(range.end.clone())
            .with_progress_notify();
        if from > 0 {
            options = options.with_start_revision(from);
        }
        let start = async {
            let client = self.client(number).await?;
            let mut watch = client
                .watch_client()
                .max_decoding_message_size(MAX_ANSWER_BYTES);
            watch
                .watch(range.start.clone(), Some(options))
                .await
                .map_err(Trouble::of)
        };
        let started = tokio::time::timeout(ATTEMPT, start).await;
        started
            .unwrap_or_else(|_| Err(Trouble::slow(ATTEMPT)))
            .inspect_err(|trouble| {
                if trouble.outlook == Outlook::NewLogin {
                    self.forget(number);
                } else {
                    self.leave(number);
                }
            })
    }

    /// Tells when another member is asked from now on.
    pub(super) fn turns(&self) -> watch::Receiver<usize> {
        self.current.subscribe()
    }

    /// How often another member was turned to.
    pub(super) fn switches(&self) -> u64 {
        self.switches.load(Ordering::Relaxed)
    }

    async fn try_at(&self, number: usize, txn: &Txn) -> Result<TxnResponse, Trouble> {
        let client = self.client(number).await?;
        let mut kv = client
            .kv_client()
            .max_decoding_message_size(MAX_ANSWER_BYTES);
        kv.txn(txn.clone()).await.map_err(Trouble::of)
    }

    async fn client(&self, number: usize) -> Result<Client, Trouble> {
        let member = &self.members[number];
        if let Some(client) = member.lock().clone() {
            return Ok(client);
        }
        let options = Some(self.options.clone());
        let client = Client::connect([member.endpoint.as_str()], options)
            .await
            // Nothing but a login can have been sent.
            .map_err(|error| Trouble::of(error).with_fate(Fate::NotApplied))?;
        *member.lock() = Some(client.clone());
        Ok(client)
    }

    /// Turns to the next member, unless somebody has done so.
    fn leave(&self, number: usize) {
        let next = (number + 1) % self.members.len();
        let turned = self.current.send_if_modified(|current| {
            let is_first = *current == number && next != number;
            if is_first {
                *current = next;
            }
            is_first
        });
        if turned {
            self.switches.fetch_add(1, Ordering::Relaxed);
            let endpoint = &self.members[next].endpoint;
            tracing::debug!(%endpoint, "turning to another member of the etcd cluster");
        }
    }

    /// Makes a new client of a member the next time.
    fn forget(&self, number: usize) {
        *self.members[number].lock() = None;
    }
}

impl Member {
    /// What is behind the lock is replaced in one go.
    fn lock(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known about a write after several tries.
fn fate(was_unclear: bool) -> Fate {
    if was_unclear {
        Fate::Unknown
    } else {
        Fate::NotApplied
    }
}

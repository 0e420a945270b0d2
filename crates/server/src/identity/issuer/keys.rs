//! The keys of one issuer: fetched, kept, and fetched again where a token needs it.
//!
//! A token that names an unknown key causes one fetch, which all who wait share, and none within a while of the last.
//! So neither tokens with invented names of keys flood the issuer, nor does a new key wait for long.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prominence_core::{Clock, Timestamp};
use serde_json::Value;
use tokio::sync::watch;

use super::algorithm::Alg;
use super::ask::{Ask, Line};
use super::counters::Endpoint;
use super::discovery::{Endpoints, discover};
use super::jwk::{Fit, KeySet};
use crate::identity::token::Parts;

/// Between the starts of two fetches, whether they succeed or not.
const COOLDOWN: Duration = Duration::from_secs(10);

/// The time for which a name that the issuer does not have is known to be unknown, and how many of them.
const ABSENT_FOR: Duration = Duration::from_secs(10);
const MAX_ABSENT: usize = 1_024;

/// The time for which keys are fresh, by the issuer's word and without it.
const SHORTEST_FRESH: Duration = Duration::from_secs(60);
const LONGEST_FRESH: Duration = Duration::from_secs(3_600);
const USUAL_FRESH: Duration = Duration::from_secs(300);

/// A file of keys is looked at so often.
const FILE_FRESH: Duration = Duration::from_secs(60);

/// The endpoints are asked for again after so long.
const ENDPOINTS_FRESH: Duration = Duration::from_secs(86_400);

/// Keys that were not confirmed for so long verify no token that is new.
const CONFIRMED_FOR: Duration = Duration::from_secs(86_400);

/// Pauses between tries before the issuer is first reached.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The source of the keys.
pub(super) enum Source {
    /// The issuer publishes them.
    Issuer,
    /// They are in a file.
    File(PathBuf),
}

/// The keys of an issuer, and where else it is asked.
pub(super) struct Keys {
    /// For the log.
    name: String,
    issuer: String,
    source: Source,
    line: Arc<Line>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Changes whenever a key was taken away, so that what it has verified is verified again.
    generation: AtomicU64,
}

#[derive(Default)]
struct State {
    set: Arc<KeySet>,
    endpoints: Option<(Arc<Endpoints>, Timestamp)>,
    /// When the issuer last said that these are its keys.
    confirmed: Option<Timestamp>,
    /// When they are fetched again in the background.
    stale_at: Option<Timestamp>,
    /// When the last fetch began.
    began: Option<Timestamp>,
    /// A fetch that others can wait for.
    flight: Option<watch::Receiver<Option<bool>>>,
    /// The reason why the last fetch that failed did.
    failure: String,
    /// Names that the issuer did not have, with the time until which that is known.
    absent: HashMap<String, Timestamp>,
}

/// The reason why a signature is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadSignature {
    /// No key of the issuer made it.
    Invalid,
    /// The issuer has no key of this name.
    UnknownKey,
    /// The issuer can't be asked just now.
    Unavailable(Duration),
}

/// The outcome of a fetch.
enum Fetched {
    /// It has ended: whether with keys.
    Ended(bool),
    /// None was begun, and none can be for so long.
    TooEarly(Duration),
}

impl Keys {
    pub(super) fn new(
        (name, issuer): (&str, &str),
        source: Source,
        line: Arc<Line>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            issuer: issuer.to_owned(),
            source,
            line,
            clock,
            state: Mutex::default(),
            generation: AtomicU64::new(0),
        }
    }

    /// Fetches the keys until that has succeeded once.
    pub(super) async fn start(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        while !self.refresh(true).await {
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Fetches the keys now. Answers their number, or why there are none.
    pub(super) async fn check(self: &Arc<Self>) -> Result<usize, String> {
        match self.refresh(true).await {
            true => Ok(self.state().set.len()),
            false => Err(self.state().failure.clone()),
        }
    }

    /// The generation of the keys; principals that were accepted with another are verified again.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The number of keys, and how long ago the issuer confirmed them.
    pub(super) fn condition(&self) -> (usize, Option<Duration>) {
        let now = self.clock.now();
        let state = self.state();
        let age = state.confirmed.map(|confirmed| {
            Duration::from_millis(now.as_millis().saturating_sub(confirmed.as_millis()))
        });
        (state.set.len(), age)
    }

    /// The endpoints of the issuer, asked for where they are not known.
    pub(super) async fn endpoints(self: &Arc<Self>) -> Option<Arc<Endpoints>> {
        let known = |state: &State| state.endpoints.as_ref().map(|(found, _)| Arc::clone(found));
        if let Some(endpoints) = known(&self.state()) {
            return Some(endpoints);
        }
        self.fetch().await;
        known(&self.state())
    }

    /// Verifies a signature by the keys of the issuer.
    pub(super) async fn verify(
        self: &Arc<Self>,
        parts: &Parts<'_>,
        alg: Alg,
    ) -> Result<(), BadSignature> {
        let kid = parts.header.kid.as_deref();
        self.refresh_if_stale();
        let first = self.current();
        let is_known = match attempt(&first.0, parts, alg) {
            Some(true) if first.1 => return Ok(()),
            Some(is_valid) => Some(is_valid),
            None => None,
        };
        match self.fetch().await {
            Fetched::TooEarly(left) => match is_known {
                Some(true) => Err(BadSignature::Unavailable(left)),
                Some(false) => Err(BadSignature::Invalid),
                None if self.is_absent(kid) => Err(BadSignature::UnknownKey),
                None => Err(BadSignature::Unavailable(left)),
            },
            Fetched::Ended(has_keys) => {
                let (set, is_confirmed) = self.current();
                match attempt(&set, parts, alg) {
                    Some(true) if is_confirmed => Ok(()),
                    Some(false) => Err(BadSignature::Invalid),
                    Some(true) => Err(BadSignature::Unavailable(COOLDOWN)),
                    None if has_keys => {
                        self.note_absent(kid);
                        Err(BadSignature::UnknownKey)
                    }
                    None => Err(BadSignature::Unavailable(COOLDOWN)),
                }
            }
        }
    }

    /// The keys, and whether the issuer has confirmed them lately.
    fn current(&self) -> (Arc<KeySet>, bool) {
        let now = self.clock.now();
        let state = self.state();
        let confirmed = state.confirmed;
        let is_confirmed = confirmed.is_some_and(|confirmed| now < confirmed.after(CONFIRMED_FOR));
        (Arc::clone(&state.set), is_confirmed)
    }

    /// True if the issuer has said lately that it has no key of this name.
    fn is_absent(&self, kid: Option<&str>) -> bool {
        let now = self.clock.now();
        let state = self.state();
        let until = state.absent.get(kid.unwrap_or_default());
        until.is_some_and(|until| now < *until)
    }

    fn note_absent(&self, kid: Option<&str>) {
        let now = self.clock.now();
        let mut state = self.state();
        if state.absent.len() >= MAX_ABSENT {
            state.absent.retain(|_, until| now < *until);
        }
        if state.absent.len() < MAX_ABSENT {
            let name = kid.unwrap_or_default().to_owned();
            state.absent.insert(name, now.after(ABSENT_FOR));
        }
    }

    /// Fetches the keys in the background where they are no longer fresh.
    fn refresh_if_stale(self: &Arc<Self>) {
        let now = self.clock.now();
        let is_stale = self
            .state()
            .stale_at
            .is_some_and(|stale_at| now >= stale_at);
        if is_stale {
            // Whoever needs the outcome waits for it.
            let _ = self.begin(false);
        }
    }

    /// Fetches the keys, or waits for a fetch that has begun.
    async fn fetch(self: &Arc<Self>) -> Fetched {
        match self.begin(false) {
            Ok(flight) => Fetched::Ended(landed(flight).await),
            Err(left) => Fetched::TooEarly(left),
        }
    }

    /// The same at the start, when there is no cooldown.
    async fn refresh(self: &Arc<Self>, at_once: bool) -> bool {
        match self.begin(at_once) {
            Ok(flight) => landed(flight).await,
            Err(_) => false,
        }
    }

    /// Begins a fetch, unless one has begun lately; one that has not ended is shared.
    fn begin(self: &Arc<Self>, at_once: bool) -> Result<watch::Receiver<Option<bool>>, Duration> {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(flight) = &state.flight {
            return Ok(flight.clone());
        }
        let next = state.began.map(|began| began.after(COOLDOWN));
        if let Some(next) = next.filter(|next| !at_once && now < *next) {
            let left = next.as_millis() - now.as_millis();
            return Err(Duration::from_millis(left));
        }
        state.began = Some(now);
        let (tell, flight) = watch::channel(None);
        state.flight = Some(flight.clone());
        drop(state);
        // A task of its own: a caller who hangs up must not leave others without an answer.
        let keys = Arc::clone(self);
        tokio::spawn(async move {
            let has_keys = keys.fetch_now().await;
            keys.state().flight = None;
            let _ = tell.send(Some(has_keys));
        });
        Ok(flight)
    }

    async fn fetch_now(&self) -> bool {
        let fetched = match &self.source {
            Source::File(path) => read(path.clone()).await.map(|set| (set, FILE_FRESH)),
            Source::Issuer => self.ask().await,
        };
        match fetched {
            Ok((set, fresh)) => self.take(&set, fresh),
            Err(cause) => {
                self.state().failure.clone_from(&cause);
                tracing::warn!(
                    issuer = self.name,
                    cause,
                    "the keys of the issuer can't be fetched"
                );
                false
            }
        }
    }

    /// Asks the issuer for its keys, and where to ask if that is not known or was long ago.
    async fn ask(&self) -> Result<(Value, Duration), String> {
        let now = self.clock.now();
        let known = self.state().endpoints.clone();
        let known = known.filter(|(_, at)| now < at.after(ENDPOINTS_FRESH));
        let endpoints = match known {
            Some((endpoints, _)) => endpoints,
            None => {
                let found = discover(&self.line, &self.issuer).await;
                let found = Arc::new(found.map_err(|no_answer| no_answer.cause)?);
                self.state().endpoints = Some((Arc::clone(&found), now));
                found
            }
        };
        let url = endpoints
            .jwks
            .clone()
            .ok_or("its configuration has no jwks_uri")?;
        let ask = Ask {
            endpoint: Endpoint::Jwks,
            url,
            authorization: None,
            form: None,
        };
        let answer = self.line.ask(ask, None).await;
        let answer = answer.map_err(|no_answer| no_answer.cause)?;
        match (answer.status, answer.json) {
            (200, Some(set)) => {
                let fresh = answer.max_age.unwrap_or(USUAL_FRESH);
                Ok((set, fresh.clamp(SHORTEST_FRESH, LONGEST_FRESH)))
            }
            (200, None) => Err("its keys are not JSON".to_owned()),
            (status, _) => Err(format!("its keys have status {status}")),
        }
    }

    /// Takes a set over, unless no key of it can be used: then the old one stays.
    fn take(&self, set: &Value, fresh: Duration) -> bool {
        let set = KeySet::parse(set, &self.name);
        if set.is_empty() {
            let cause = "it has no key that can be used";
            self.state().failure = cause.to_owned();
            tracing::warn!(
                issuer = self.name,
                cause,
                "the keys of the issuer can't be fetched"
            );
            return false;
        }
        let now = self.clock.now();
        let mut state = self.state();
        let is_kept = state.set.is_kept_in(&set);
        state.set = Arc::new(set);
        state.confirmed = Some(now);
        state.stale_at = Some(now.after(fresh));
        state.absent.clear();
        drop(state);
        if !is_kept {
            self.generation.fetch_add(1, Ordering::Release);
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True if a key of the set made the signature; `None` where none of its keys may have.
fn attempt(set: &KeySet, parts: &Parts<'_>, alg: Alg) -> Option<bool> {
    match set.fitting(parts.header.kid.as_deref(), alg) {
        Fit::Unknown => None,
        Fit::Keys(keys) => Some(keys.into_iter().any(|key| {
            let signed = parts.signed.as_bytes();
            let algorithm = alg.of_library();
            let verified = jsonwebtoken::crypto::verify(parts.signature, signed, key, algorithm);
            matches!(verified, Ok(true))
        })),
    }
}

/// Waits for the end of a fetch; one whose task has failed has fetched nothing.
async fn landed(mut flight: watch::Receiver<Option<bool>>) -> bool {
    match flight.wait_for(Option::is_some).await {
        Ok(ended) => *ended == Some(true),
        Err(_) => false,
    }
}

async fn read(path: PathBuf) -> Result<Value, String> {
    let read = tokio::task::spawn_blocking(move || {
        let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
    });
    read.await.map_err(|error| error.to_string())?
}

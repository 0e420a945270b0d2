//! Requests that are held until something happens: waits, barriers, claims and watches.
//!
//! A held request keeps a connection, so there is a bound on how many one user has and on how
//! many there are. It ends when what it waits for has happened; when its time is over; when its
//! token ends; when the server stops; or when the caller hangs up, which drops it with everything
//! it holds.
//!
//! A handler that holds takes a [`Holder`], parses a [`Wait`], and goes round like this:
//!
//! ```text
//! let mut hold = holder.hold(&app, &who, Held::Wait, wait)?;
//! loop {
//!     let signal = permit.listen().await?;          // before looking, so that nothing is missed
//!     if let Some(found) = look().await? { return found }
//!     match hold.sleep(signal, None).await? {
//!         Woken::Look => {}                         // go round again
//!         Woken::Late => return nothing_yet,        // the time is over
//!     }
//! }
//! ```

mod patience;
mod places;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use prominence_api::ErrorCode;
use prominence_api::name::parameter;
use prominence_api::time::{format_duration, parse_duration};
use prominence_core::{Principal, Signal, Timestamp};

use crate::app::App;
use crate::clock::{Timer, from_wall};
use crate::failure::Failure;
use crate::query::Query;
use patience::Paused;
use places::Place;

pub(crate) use patience::Patience;
pub use places::HeldLimits;
pub(crate) use places::{Held, Places};

/// The longest time that a request is held: short enough for what stands in between to keep the
/// connection, long enough that asking again costs next to nothing.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(600);

/// What callers are told to wait where the server stops: about as long as a restart takes.
const RETRY_AFTER_STOP: Duration = Duration::from_secs(2);

/// What callers are told to wait where too many requests are held.
const RETRY_AFTER_CROWD: Duration = Duration::from_secs(5);

/// How long a request may be held: more than nothing, at most [`MAX_WAIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(Duration);

/// The right of a request to be held, once.
pub(crate) struct Holder(Patience);

/// A request that is held. Dropping it gives its place back.
pub(crate) struct Hold {
    place: Place,
    clock: Arc<dyn Timer>,
    deadline: Timestamp,
    /// When the caller's token is not accepted any more, by the server's own clock.
    token_ends: Timestamp,
    /// While this is there, the request's own deadline does not count.
    _paused: Option<Paused>,
}

/// Why a held request goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Something may have changed.
    Look,
    /// The time is over.
    Late,
}

impl Wait {
    /// Takes the parameter `wait`; `None` where it was not given.
    pub(crate) fn asked_for(query: &mut Query<'_>) -> Result<Option<Self>, Failure> {
        query.parsed(parameter::WAIT, |text| {
            let wait = parse_duration(text).map_err(|error| error.to_string())?;
            if wait > MAX_WAIT {
                let limit = format_duration(MAX_WAIT);
                return Err(format!("\"{text}\" is longer than the limit of {limit}"));
            }
            Ok(Self(wait))
        })
    }
}

impl Holder {
    /// Holds the request for a while.
    ///
    /// # Errors
    /// When too many are held, or the server stops.
    pub(crate) fn hold(
        self,
        app: &App,
        who: &Principal,
        held: Held,
        wait: Wait,
    ) -> Result<Hold, Failure> {
        let deadline = app.clock.now().after(wait.0);
        let mut hold = Hold::take(app, who, held)?;
        hold.deadline = deadline;
        hold._paused = Some(self.0.pause());
        Ok(hold)
    }

    /// Holds a watch: its answer begins at once and goes on for as long as the token is good.
    ///
    /// # Errors
    /// When too many are held, or the server stops.
    pub(crate) fn stream(self, app: &App, who: &Principal) -> Result<Hold, Failure> {
        Hold::take(app, who, Held::Watch)
    }
}

impl Hold {
    fn take(app: &App, who: &Principal, held: Held) -> Result<Self, Failure> {
        let place = app.places.take(&who.user, held)?;
        if place.is_stopping() {
            return Err(stopping());
        }
        Ok(Self {
            place,
            clock: Arc::clone(&app.clock),
            deadline: Timestamp::MAX,
            token_ends: from_wall(&*app.clock, app.verifier.end_of(who)),
            _paused: None,
        })
    }

    /// Sleeps until the signal comes, or this instant, or the end of the time.
    ///
    /// # Errors
    /// When the server stops (503) or the token ends (401) meanwhile.
    pub(crate) async fn sleep(
        &mut self,
        signal: Signal,
        wake_at: Option<Timestamp>,
    ) -> Result<Woken, Failure> {
        match self.race(signal, wake_at).await? {
            Raced::Won(()) | Raced::Awake => Ok(Woken::Look),
            Raced::Late => Ok(Woken::Late),
        }
    }

    /// Does something that takes a while; `None` where the time is over before it is done.
    ///
    /// # Errors
    /// As [`Hold::sleep`].
    pub(crate) async fn during<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, Failure> {
        match self.race(work, None).await? {
            Raced::Won(done) => Ok(Some(done)),
            Raced::Awake | Raced::Late => Ok(None),
        }
    }

    async fn race<T>(
        &mut self,
        work: impl Future<Output = T>,
        wake_at: Option<Timestamp>,
    ) -> Result<Raced<T>, Failure> {
        let end = self.deadline.min(self.token_ends);
        let instant = wake_at.map_or(end, |at| at.min(end));
        tokio::select! {
            biased;
            () = self.place.stopped() => return Err(stopping()),
            () = self.clock.reach(instant) => {}
            done = work => return Ok(Raced::Won(done)),
        }
        let now = self.clock.now();
        if now >= self.token_ends {
            let message = "the token ended while the request was held; get a new one";
            return Err(Failure::unauthenticated(message, true));
        }
        Ok(if now >= self.deadline {
            Raced::Late
        } else {
            Raced::Awake
        })
    }
}

/// What came first.
enum Raced<T> {
    /// What was waited for.
    Won(T),
    /// The instant to wake at.
    Awake,
    /// The end of the time.
    Late,
}

impl<S: Sync> FromRequestParts<S> for Holder {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let patience = parts.extensions.get::<Patience>();
        Ok(Self(patience.cloned().unwrap_or_default()))
    }
}

/// Answered rather than leaving a wake-up to get lost with the process. The connection is ended
/// here too: its own task may hear of the stop only after this answer has been written.
fn stopping() -> Failure {
    let message = "the server is stopping; nothing was changed, so just ask again";
    Failure::new(ErrorCode::Unavailable, message)
        .retry_after(RETRY_AFTER_STOP)
        .hang_up()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_longer_than_nothing_and_no_longer_than_the_limit() {
        let of = |raw| Wait::asked_for(&mut Query::parse(raw).unwrap());
        assert_eq!(of("").unwrap(), None);
        assert_eq!(of("wait=90s").unwrap(), Some(Wait(Duration::from_secs(90))));
        assert_eq!(of("wait=10m").unwrap(), Some(Wait(MAX_WAIT)));
        for (raw, reason) in [
            ("wait", "needs a value"),
            ("wait=0", "longer than 0"),
            ("wait=-1", "not a duration"),
            ("wait=NaN", "not a duration"),
            ("wait=1e9", "not a duration"),
            ("wait=601", "\"601\" is longer than the limit of 10m"),
            ("wait=11m", "longer than the limit of 10m"),
            ("wait=99999999999999999999d", "longer than the limit"),
        ] {
            let refused = of(raw).unwrap_err();
            assert_eq!(refused.status(), 400, "{raw}");
            let message = refused.message();
            assert!(message.contains(reason), "{raw}: {message}");
            assert!(message.contains("\"wait\""), "{raw}: {message}");
        }
    }
}

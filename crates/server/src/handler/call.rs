//! The context of a call: what every handler is given of a request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use prominence_core::{Principal, Timestamp};

use crate::app::App;
use crate::failure::Failure;
use crate::identity::auth;
use crate::identity::rate::Meter;
use crate::request::log::Caller;
use crate::request::parameters::Wait;
use crate::request::target::{Target, own_headers};
use crate::wait::clock::from_wall;
use crate::wait::connection::Standing;
use crate::wait::long_poll::{LongPoll, LongPollCaller, LongPollKind, RequestDeadline};

/// A request of a caller that is verified and within its rate, without its body.
///
/// A handler takes it first, so that a request without a good token learns nothing about its other mistakes.
pub(crate) struct Call {
    pub(super) app: App,
    pub(super) who: Arc<Principal>,
    pub(super) target: Target,
    pub(super) headers: HeaderMap,
    /// The address of the client.
    pub(super) from: Option<IpAddr>,
    deadline: RequestDeadline,
}

impl FromRequestParts<App> for Call {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let token = auth::bearer(&parts.headers)?;
        let standing = parts.extensions.get::<Arc<Standing>>().cloned();
        let from = standing
            .as_ref()
            .map(|standing| standing.client(&parts.headers));
        let verifier = app.verifier.load_full();
        let who = auth::verify(&verifier, token, from, app.clock.wall()).await?;
        if let Some(caller) = parts.extensions.get::<Caller>() {
            caller.is(&who);
        }
        if let Some(standing) = standing {
            standing.admit(&who.user)?;
        }
        app.rate.load().admit(&who.user, Instant::now())?;
        let deadline = parts.extensions.get::<RequestDeadline>();
        Ok(Self {
            who,
            target: Target::of(&parts.uri),
            headers: own_headers(parts),
            from,
            deadline: deadline.cloned().unwrap_or_default(),
            app: app.clone(),
        })
    }
}

impl Call {
    /// Charges the caller for what the request costs beyond a small one.
    pub(super) fn meter(&self) -> Meter {
        Meter {
            rate: self.app.rate.load_full(),
            user: self.who.user.clone(),
        }
    }

    /// Starts a long poll for this call.
    ///
    /// # Errors
    /// When there are too many long polls, or the server stops.
    pub(super) fn long_poll(&self, kind: LongPollKind, wait: Wait) -> Result<LongPoll, Failure> {
        let polls = &self.app.long_polls;
        polls.start(kind, self.caller(), wait, self.deadline.clone())
    }

    /// Starts a watch for this call.
    ///
    /// # Errors
    /// As [`Call::long_poll`].
    pub(super) fn start_watch(&self) -> Result<LongPoll, Failure> {
        self.app.long_polls.start_watch(self.caller())
    }

    fn caller(&self) -> LongPollCaller<'_> {
        let verifier = self.app.verifier.load();
        LongPollCaller {
            user: &self.who.user,
            own_limit: self.app.records.own_limits().of(&self.who.user).held,
            token_ends: verifier.end_of(&self.who),
            revocation: verifier.revocation_of(&self.who),
        }
    }
}

/// When the caller's token ends, by the server's own clock.
pub(super) fn end_of_job(app: &App, who: &Principal) -> Timestamp {
    from_wall(&*app.clock, who.expires)
}

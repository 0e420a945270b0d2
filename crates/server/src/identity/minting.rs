//! Tokens for jobs, made for the bearer of another token.
//!
//! A new token never allows more than the one that it is made from. From a login it may last longer: an access token
//! lives for an hour and a job for a day. From the token of a job it may not, so that a job can't lengthen its own life.

use std::time::Duration;

use prominence_api::ErrorCode;
use prominence_api::time::format_duration;
use prominence_core::permit::{Principal, Scopes};
use prominence_core::{Job, Timestamp};

use super::token::{
    ISSUER, MAX_MADE_FROM, MadeFor, NewToken, Secret, digest_of, hexadecimal, mint_for,
};
use crate::failure::Failure;

/// The lifetime of a token that does not ask for one: a working day, or a night of jobs.
const USUAL_LIFETIME: Duration = Duration::from_secs(12 * 3_600);

/// Random bytes of `jti`, which makes two tokens with the same claims different.
const JTI_BYTES: usize = 16;

/// Makes tokens.
pub struct Minter {
    secret: Secret,
    longest: Duration,
}

/// The token that a caller asks for.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The scopes; those of the subject where none are named.
    pub(crate) scopes: Option<Scopes>,
    pub(crate) job: Option<Job>,
    pub(crate) lifetime: Option<Duration>,
}

/// A token that was made.
pub(crate) struct Made {
    pub(crate) token: String,
    pub(crate) id: [u8; 32],
    pub(crate) scopes: Scopes,
    pub(crate) job: Option<Job>,
    /// The names of the tokens that it was made from.
    pub(crate) from: Vec<String>,
    pub(crate) made: u64,
    pub(crate) ends: u64,
}

/// The issuer of the subject's token, and its word about making tokens.
pub(crate) struct Via<'a> {
    /// The issuer's name, which stands in the token.
    pub(crate) name: &'a str,
    /// True if its users may have tokens made.
    pub(crate) may_mint: bool,
    /// Its clock may be ahead by so much.
    pub(crate) leeway: Duration,
}

impl Minter {
    /// Makes tokens that are signed with this secret and last at most so long.
    #[must_use]
    pub fn new(secret: Secret, longest: Duration) -> Self {
        Self { secret, longest }
    }

    /// Makes a token for the user of a subject.
    ///
    /// # Errors
    /// When the subject may not have it.
    pub(crate) fn make(
        &self,
        subject: &Principal,
        via: &Via<'_>,
        wanted: Wanted,
        now: Timestamp,
    ) -> Result<Made, Failure> {
        if !via.may_mint {
            let message = "tokens can't be made from a token of this issuer; ask the operator";
            return Err(Failure::new(ErrorCode::Forbidden, message));
        }
        let scopes = narrowed(&subject.scopes, wanted.scopes)?;
        let job = same_job(subject.job.as_ref(), wanted.job)?;
        let now = now.as_secs();
        let mut ends = now + self.lifetime(wanted.lifetime)?.as_secs();
        // A token of a job must not outlive itself by its children. A login may: it is renewed as long as its user is
        // known to the issuer.
        if subject.issuer == ISSUER || subject.job.is_some() {
            ends = ends.min(subject.expires.as_secs());
        }
        if ends <= now {
            let message = "the token ends now, so none can be made from it; get a new one";
            return Err(Failure::unauthenticated(message, true));
        }
        let token = NewToken {
            user: subject.user.clone(),
            job: job.clone(),
            groups: Vec::new(),
            scopes: scopes.clone(),
            lifetime: Duration::from_secs(ends - now),
        };
        // A revocation is by the clock of a server, and the clock of the issuer may be ahead of it.
        let since = |since: Option<Timestamp>| {
            let since = since.map_or(0, Timestamp::as_secs);
            since.saturating_sub(via.leeway.as_secs())
        };
        let made_for = MadeFor {
            id: random()?,
            via: via.name,
            from: descent(subject)?,
            since: since(subject.since),
            job_since: subject.job.as_ref().map(|_| since(subject.job_since)),
        };
        let token = mint_for(&self.secret, &token, &made_for, Timestamp::from_secs(now))
            .map_err(|_| Failure::surprised())?;
        let signed = token.rsplit_once('.').map_or("", |(signed, _)| signed);
        Ok(Made {
            id: digest_of(signed),
            from: made_for.from,
            token,
            scopes,
            job,
            made: now,
            ends,
        })
    }

    fn lifetime(&self, wanted: Option<Duration>) -> Result<Duration, Failure> {
        match wanted {
            None => Ok(USUAL_LIFETIME.min(self.longest)),
            Some(wanted) if wanted <= self.longest => Ok(wanted),
            Some(wanted) => Err(Failure::bad_request(format!(
                "the token would last {} (expires_in); one that is made here lasts at most {}",
                format_duration(wanted),
                format_duration(self.longest)
            ))),
        }
    }
}

/// The account and the tokens whose revocation ends the new one. Whoever has stolen a token could otherwise go on with one
/// that was made from it, and whoever has lost a name with the tokens of its time. The token of a login is not among them: it
/// ends, and its jobs go on.
fn descent(subject: &Principal) -> Result<Vec<String>, Failure> {
    if subject.made_from.len() >= MAX_MADE_FROM {
        let message = "the token was made from one that was made from another, and so on, too many times; make one \
                       from an earlier one";
        return Err(Failure::new(ErrorCode::Forbidden, message));
    }
    let token = (subject.issuer == ISSUER).then_some(&subject.id);
    let all = subject.made_from.iter().chain(token);
    Ok(all.map(|id| hexadecimal(id)).collect())
}

/// The scopes of the new token: never more than the subject has.
fn narrowed(own: &Scopes, wanted: Option<Scopes>) -> Result<Scopes, Failure> {
    if own.allow_nothing() {
        let message = "the token allows nothing here, so none can be made from it";
        return Err(Failure::new(ErrorCode::Forbidden, message));
    }
    match wanted {
        None => Ok(own.clone()),
        Some(wanted) if own.include(&wanted) => Ok(wanted),
        Some(_) => Err(Failure::new(
            ErrorCode::InvalidScope,
            "the token does not have all of these scopes itself; ask for scopes that it has, or for none to get the same",
        )),
    }
}

/// The job of the new token. One for another job would let a job write in the name of that one.
fn same_job(own: Option<&Job>, wanted: Option<Job>) -> Result<Option<Job>, Failure> {
    match (own, wanted) {
        (None, wanted) => Ok(wanted),
        (Some(own), None) => Ok(Some(own.clone())),
        (Some(own), Some(wanted)) if *own == wanted => Ok(Some(wanted)),
        (Some(own), Some(_)) => Err(Failure::new(
            ErrorCode::Forbidden,
            format!("the token is that of job {own}, so none can be made from it for another job"),
        )),
    }
}

fn random() -> Result<String, Failure> {
    let mut bytes = [0; JTI_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| Failure::surprised())?;
    Ok(hexadecimal(&bytes))
}

#[cfg(test)]
mod tests;

//! The device flow (RFC 8628): a person approves the login in a browser, on any machine.

use std::time::{Duration, Instant};

use prominence_client::{OAuth, OAuthAnswer};

use super::place::Place;
use crate::failure::Failure;

/// The time between two questions, where the issuer does not say one (section 3.5).
const USUAL_INTERVAL: u64 = 5;

/// By how much it grows when the issuer finds that too short (section 3.5).
const SLOWER: u64 = 5;

/// The time in which a login can be approved, if the issuer does not say it.
const USUAL_LIFETIME: u64 = 600;

/// The name of the grant.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A login that waits for its approval.
pub(crate) struct Pending {
    oauth: OAuth,
    code: String,
    interval: u64,
    until: Instant,
    /// The address for the person.
    pub(crate) address: String,
    /// The code to type there.
    pub(crate) user_code: String,
    /// The address with the code in it, if the issuer has one.
    pub(crate) whole_address: Option<String>,
}

impl Pending {
    /// Begins a login.
    pub(crate) fn begin(place: &Place) -> Result<Self, Failure> {
        let endpoint = &place.endpoints.device;
        let oauth = OAuth::new(endpoint)?;
        let scope = place.scopes.join(" ");
        let mut fields = vec![("scope", scope.as_str())];
        fields.extend(parameters(place));
        let answer = oauth
            .form(endpoint, &place.client, &fields)
            .map_err(|error| Failure::Login(error.to_string()))?;
        let text = |name: &str| answer.text(name).map(str::to_owned);
        let (Some(code), Some(user_code), Some(address)) = (
            text("device_code"),
            text("user_code"),
            text("verification_uri").or_else(|| text("verification_url")),
        ) else {
            return Err(refused(place, &answer));
        };
        let lifetime = answer.number("expires_in").unwrap_or(USUAL_LIFETIME);
        Ok(Self {
            oauth,
            code,
            interval: answer.number("interval").unwrap_or(USUAL_INTERVAL),
            until: Instant::now() + Duration::from_secs(lifetime),
            address,
            user_code,
            whole_address: text("verification_uri_complete"),
        })
    }

    /// Waits until the login is approved. Answers the issuer's answer.
    pub(crate) fn wait(mut self, place: &Place) -> Result<OAuthAnswer, Failure> {
        loop {
            std::thread::sleep(Duration::from_secs(self.interval));
            if Instant::now() >= self.until {
                return Err(Failure::No("the login was not approved in time".to_owned()));
            }
            let mut fields = vec![("grant_type", GRANT), ("device_code", self.code.as_str())];
            fields.extend(parameters(place));
            let endpoint = &place.endpoints.token;
            let Ok(answer) = self.oauth.form(endpoint, &place.client, &fields) else {
                // A connection that failed says nothing of the approval (section 3.5).
                self.interval += SLOWER;
                continue;
            };
            if answer.status == 200 {
                // Never asked again: issuers take a code that is used twice for a stolen one.
                return Ok(answer);
            }
            match answer.text("error") {
                Some("authorization_pending") => {}
                Some("slow_down") => self.interval += SLOWER,
                Some("access_denied") => {
                    return Err(Failure::No("the login was refused".to_owned()));
                }
                Some("expired_token") => {
                    return Err(Failure::No("the login was not approved in time".to_owned()));
                }
                _ => return Err(refused(place, &answer)),
            }
        }
    }
}

fn parameters(place: &Place) -> impl Iterator<Item = (&str, &str)> {
    let parameters = place.parameters.iter();
    parameters.map(|(name, value)| (name.as_str(), value.as_str()))
}

fn refused(place: &Place, answer: &OAuthAnswer) -> Failure {
    let why = answer.text("error_description").or(answer.text("error"));
    let issuer = &place.issuer;
    let status = answer.status;
    Failure::Login(match why {
        Some(why) => format!("{issuer} does not let you log in: {why}"),
        None => format!("{issuer} does not let you log in (status {status})"),
    })
}

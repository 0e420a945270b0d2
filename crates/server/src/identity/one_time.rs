//! A sign-in that works once: a trial server prints the address of its page with a code, and the page exchanges the code
//! for the token.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use prominence_core::Timestamp;

/// The time in which a code can be used.
const LASTS: Duration = Duration::from_mins(1);

/// Random bytes of a code.
const RANDOM_BYTES: usize = 32;

/// The one token that is offered, if any.
#[derive(Default)]
pub(crate) struct OneTimeSignIn(Mutex<Option<Offer>>);

struct Offer {
    code: String,
    token: String,
    ends: Timestamp,
}

impl OneTimeSignIn {
    /// Offers a token to whoever has the returned code, instead of any that was offered before.
    pub(crate) fn offer(&self, token: String, now: Timestamp) -> Result<String, getrandom::Error> {
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random)?;
        let code = BASE64_URL_SAFE_NO_PAD.encode(random);
        let offer = Offer {
            code: code.clone(),
            token,
            ends: now.after(LASTS),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(offer);
        Ok(code)
    }

    /// The token for this code, if it was not used before and its time is not over.
    pub(crate) fn redeem(&self, code: &str, now: Timestamp) -> Option<String> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let offer = place.take_if(|offer| {
            verify_slices_are_equal(offer.code.as_bytes(), code.as_bytes()).is_ok()
        })?;
        (now < offer.ends).then_some(offer.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    #[test]
    fn a_code_works_once_and_only_for_a_minute() {
        let offers = OneTimeSignIn::default();
        assert_eq!(offers.redeem("", NOW), None);
        let code = offers.offer("token".to_owned(), NOW).unwrap();
        assert_eq!(code.len(), 43);
        assert_eq!(offers.redeem("other", NOW), None);
        assert_eq!(
            offers.redeem(&code, NOW.after(LASTS / 2)).as_deref(),
            Some("token")
        );
        assert_eq!(offers.redeem(&code, NOW), None);
        let late = offers.offer("token".to_owned(), NOW).unwrap();
        assert_ne!(late, code);
        assert_eq!(offers.redeem(&late, NOW.after(LASTS)), None);
    }
}

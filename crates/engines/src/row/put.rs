//! The state of an entry after a change, as the log and a backup keep it: the same in every engine.

use prominence_core::change::{Cause, PutState};
use prominence_core::{Job, Timestamp};

use super::{Body, put_text};

/// The bits of the first byte that hold the cause.
const CAUSE: u8 = 3;
const SET: u8 = 0;
const CLAIM: u8 = 1;
const RENEW: u8 = 2;
const RELEASE: u8 = 3;

/// Flags of the optional fields that follow.
const HAS_EXPIRES: u8 = 1 << 2;
const HAS_CLAIM: u8 = 1 << 3;
const HAS_CLAIMS: u8 = 1 << 4;
/// The claim is of the job that made the change, which is stored elsewhere.
const IS_CLAIMED_BY_AUTHOR: u8 = 1 << 5;
const HAS_CLAIMED_BY: u8 = 1 << 6;
/// The entry was created before the change.
const HAS_CREATED: u8 = 1 << 7;

/// Writes a state. The time and the job of its change are stored elsewhere and not repeated: a
/// new entry without a lifetime takes one byte.
pub(crate) fn write_state(
    to: &mut Vec<u8>,
    state: &PutState,
    time: Timestamp,
    author: Option<&Job>,
) {
    let flags_at = to.len();
    let mut flags = match state.cause {
        Cause::Set => SET,
        Cause::Claim => CLAIM,
        Cause::Renew => RENEW,
        Cause::Release => RELEASE,
    };
    to.push(flags);
    let created = Some(state.created).filter(|created| *created != time);
    for (instant, flag) in [
        (created, HAS_CREATED),
        (state.expires, HAS_EXPIRES),
        (state.claimed_until, HAS_CLAIM),
    ] {
        if let Some(instant) = instant {
            flags |= flag;
            to.extend_from_slice(&instant.as_millis().to_be_bytes());
        }
    }
    if state.claims > 0 {
        flags |= HAS_CLAIMS;
        to.extend_from_slice(&state.claims.to_be_bytes());
    }
    match &state.claimed_by {
        None => {}
        Some(job) if author == Some(job) => flags |= IS_CLAIMED_BY_AUTHOR,
        Some(job) => {
            flags |= HAS_CLAIMED_BY;
            put_text(to, job.as_str());
        }
    }
    to[flags_at] = flags;
}

/// Reads a state that [`write_state`] wrote, of a change with this time and job.
pub(crate) fn read_state(
    body: &mut Body<'_>,
    time: Timestamp,
    author: Option<&Job>,
) -> Option<PutState> {
    let flags = body.u8()?;
    let mut instant = |flag| match flags & flag {
        0 => Some(None),
        _ => body.instant().map(Some),
    };
    let created = instant(HAS_CREATED)?.unwrap_or(time);
    let expires = instant(HAS_EXPIRES)?;
    let claimed_until = instant(HAS_CLAIM)?;
    let claims = match flags & HAS_CLAIMS {
        0 => 0,
        _ => body.u32()?,
    };
    let claimed_by = match flags & (IS_CLAIMED_BY_AUTHOR | HAS_CLAIMED_BY) {
        0 => None,
        IS_CLAIMED_BY_AUTHOR => Some(author?.clone()),
        HAS_CLAIMED_BY => Some(body.job()?),
        _ => return None,
    };
    Some(PutState {
        cause: match flags & CAUSE {
            SET => Cause::Set,
            CLAIM => Cause::Claim,
            RENEW => Cause::Renew,
            _ => Cause::Release,
        },
        created,
        expires,
        claimed_until,
        claimed_by,
        claims,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const TIME: Timestamp = Timestamp::from_secs(9);

    /// States with and without each of their optional fields, in changes of the job `author`.
    pub(crate) fn states(author: &Job) -> Vec<PutState> {
        let instant = |is_there: bool, second| is_there.then(|| Timestamp::from_secs(second));
        let other = Job::parse("another").unwrap();
        let mut states = Vec::new();
        for cause in [Cause::Set, Cause::Claim, Cause::Renew, Cause::Release] {
            for fields in 0..8 {
                for claimed_by in [None, Some(author.clone()), Some(other.clone())] {
                    states.push(PutState {
                        cause,
                        created: Timestamp::from_secs(if fields & 1 == 0 { 9 } else { 3 }),
                        expires: instant(fields & 2 != 0, 20),
                        claimed_until: instant(fields & 4 != 0, 15),
                        claimed_by,
                        claims: if fields & 4 == 0 { 0 } else { u32::MAX },
                    });
                }
            }
        }
        states
    }

    #[test]
    fn every_state_is_read_back() {
        let author = Job::parse("job-1").unwrap();
        for author in [None, Some(&author)] {
            for state in states(&Job::parse("job-1").unwrap()) {
                let mut bytes = Vec::new();
                write_state(&mut bytes, &state, TIME, author);
                let mut body = Body(&bytes);
                assert_eq!(read_state(&mut body, TIME, author), Some(state));
                assert!(body.0.is_empty());
                for end in 0..bytes.len() {
                    assert_eq!(read_state(&mut Body(&bytes[..end]), TIME, author), None);
                }
            }
        }
    }

    #[test]
    fn the_state_of_a_new_entry_takes_one_byte() {
        let state = PutState {
            cause: Cause::Set,
            created: TIME,
            expires: None,
            claimed_until: None,
            claimed_by: None,
            claims: 0,
        };
        let mut bytes = Vec::new();
        write_state(&mut bytes, &state, TIME, None);
        assert_eq!(bytes, [SET]);
    }
}

//! Which tokens are made from which.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use prominence_core::Namespace;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);

const DAY: u64 = 86_400;

fn minter() -> Minter {
    let secret = Secret::new(None, b"k");
    Minter::new(secret, Duration::from_secs(7 * DAY))
}

fn subject(issuer: &str, scopes: &str, job: Option<&str>) -> Principal {
    Principal {
        user: Namespace::parse("alice").unwrap(),
        job: job.map(|job| Job::parse(job).unwrap()),
        scopes: Scopes::parse(scopes).unwrap(),
        expires: NOW.after(Duration::from_secs(3_600)),
        issued: None,
        since: None,
        job_since: None,
        issuer: issuer.to_owned(),
        id: [0; 32],
        made_from: Vec::new(),
    }
}

/// The lifetime of what is made, or the status of the refusal.
fn lifetime(subject: &Principal, may_mint: bool, wanted: u64) -> Result<u64, u16> {
    let via = Via {
        name: "campus",
        may_mint,
        leeway: Duration::ZERO,
    };
    let wanted = Wanted {
        lifetime: Some(Duration::from_secs(wanted)),
        ..Wanted::default()
    };
    let made = minter().make(subject, &via, wanted, NOW);
    made.map(|made| made.ends - made.made)
        .map_err(|failure| failure.status().as_u16())
}

#[test]
fn only_a_login_may_have_a_token_that_lasts_longer() {
    let login = subject("https://sso", "", None);
    assert_eq!(lifetime(&login, true, DAY), Ok(DAY));
    assert_eq!(lifetime(&login, true, 8 * DAY), Err(400));
    assert_eq!(lifetime(&login, false, DAY), Err(403));
    for bound in [
        subject(ISSUER, "", None),
        subject("https://sso", "", Some("7")),
    ] {
        assert_eq!(lifetime(&bound, true, DAY), Ok(3_600));
        assert_eq!(lifetime(&bound, true, 60), Ok(60));
    }
    let ending = Principal {
        expires: NOW,
        ..subject(ISSUER, "", None)
    };
    assert_eq!(lifetime(&ending, true, 60), Err(401));
}

#[test]
fn two_tokens_with_the_same_claims_are_two() {
    let login = subject("https://sso", "", None);
    let via = Via {
        name: "campus",
        may_mint: true,
        leeway: Duration::ZERO,
    };
    let ids = [(); 2].map(|()| {
        let made = minter().make(&login, &via, Wanted::default(), NOW);
        made.unwrap().id
    });
    assert_ne!(ids[0], ids[1]);
}

/// Fails if the clock of an issuer is taken for that of the servers, by which tokens are revoked.
#[test]
fn a_token_is_as_old_as_its_login_would_be_by_a_clock_that_is_ahead() {
    let via = Via {
        name: "campus",
        may_mint: true,
        leeway: Duration::from_secs(30),
    };
    for (job, names) in [(None, &["since"][..]), (Some("7"), &["since", "job_since"])] {
        let login = Principal {
            since: Some(NOW),
            job_since: Some(NOW),
            ..subject("https://sso", "", job)
        };
        let made = minter().make(&login, &via, Wanted::default(), NOW).unwrap();
        let payload = made.token.split('.').nth(1).unwrap();
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        for name in ["since", "job_since"] {
            let expected = names.contains(&name).then(|| NOW.as_secs() - 30);
            assert_eq!(claims[name].as_u64(), expected, "{name} of {job:?}");
        }
    }
}

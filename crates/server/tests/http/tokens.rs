//! Tokens that are made for jobs and other people, their list, and revocations.

use std::time::{Duration, Instant};

use prominence_core::Timestamp;
use prominence_server::LongPollLimits;
use serde_json::{Value, json};

use crate::auth::{KEY, claims, sign};
use crate::common::{Answer, Client, Server, Setup, TOKEN_LASTS};
use crate::long_poll::LongPoll;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

const HOUR: u64 = 3_600;

fn ask(client: &Client, form: &str) -> Answer {
    client.send("POST", "/token", &[FORM], form.as_bytes())
}

/// A token that is made of a client's, with its description.
#[track_caller]
fn made(client: &Client, form: &str) -> Value {
    let answer = ask(client, form);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

#[track_caller]
fn revoke(client: &Client, what: &Value) -> Answer {
    client.send(
        "POST",
        "/token/revoke",
        &[JSON],
        what.to_string().as_bytes(),
    )
}

#[track_caller]
fn revoked(client: &Client, what: &Value) -> Value {
    let answer = revoke(client, what);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A client with a token that was made.
fn bearer(server: &Server, made: &Value) -> Client {
    server.with_token(text(&made["access_token"]))
}

#[test]
fn a_token_is_made_for_a_job_with_the_scopes_that_are_asked_for() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/in/x", "1");
    let form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
                &scope=storage.read%3A%2Fin+storage.modify%3A%2Fout%2F&job=17&expires_in=15m";
    let token = made(&alice, form);
    assert_eq!(token["expires_in"], 900);
    assert_eq!(token["token_type"], "Bearer");
    assert_eq!(token["scope"], "storage.read:/in storage.modify:/out/");
    let job = bearer(&server, &token);
    let who = job.get("/whoami").json();
    assert_eq!((&who["user"], &who["job"]), (&json!("alice"), &json!("17")));
    assert_eq!(who["id"], token["id"]);
    assert_eq!(job.get("/kv/in/x").text(), "1");
    job.post("/kv/in/x", "2").error(403, "forbidden");
    job.set("/kv/out/x", "3");
    assert_eq!(alice.get("/kv/out/x").header("prominence-job"), "17");
}

#[test]
fn a_request_without_a_body_makes_a_token_with_the_defaults() {
    let server = Server::start();
    let token = server.user("alice").send("POST", "/token", &[], b"");
    assert_eq!(token.status, 200, "{}", token.text());
    // A token of the site ends in an hour, and so does what is made of it.
    assert_eq!(token.json()["expires_in"], TOKEN_LASTS.as_secs());
    assert_eq!(token.json()["scope"], "");
}

/// Fails if the end of the old token does not limit the new one, and if a job may name another job.
#[test]
fn a_job_can_neither_lengthen_its_token_nor_make_one_for_another_job() {
    let server = Server::start();
    let job = server.with_token(&server.token_for("alice", "", Some("7")));
    let token = made(&job, "expires_in=7d");
    assert_eq!(token["expires_in"], HOUR);
    ask(&job, "job=8").error(403, "forbidden");
    let who = bearer(&server, &token).get("/whoami").json();
    assert_eq!(who["job"], "7");
    assert_eq!(made(&job, "job=7&expires_in=60")["expires_in"], 60);
    let why = ask(&job, "expires_in=8d").error(400, "bad_request");
    assert!(why.contains("7d"), "{why}");
}

/// Fails if the scopes of the new token are not compared with those of the old one.
#[test]
fn a_token_never_has_more_scopes_than_the_one_that_it_is_made_of() {
    let server = Server::start();
    let with = |scopes: &str| server.with_token(&server.token_for("alice", scopes, None));
    let form = |scopes: &str| format!("scope={}", prominence_api::path::query_value(scopes));
    for (own, wanted) in [
        ("storage.read:/a", "storage.read:/"),
        ("storage.read:/a", "storage.read:/ab"),
        ("storage.read:/a/", "storage.read:/a"),
        ("storage.read:/a", "storage.modify:/a"),
        ("storage.create:/a", "storage.modify:/a"),
        ("storage.read:/a", "openid"),
        ("storage.read:/a", "prominence.revoke"),
        ("", "prominence.revoke"),
        ("", "storage.read:/ compute.create"),
    ] {
        let answer = ask(&with(own), &form(wanted));
        answer.error(400, "invalid_scope");
    }
    for (own, wanted) in [
        ("storage.read:/a", "storage.read:/a/b"),
        ("storage.modify:/a", "storage.create:/a"),
        ("", "storage.modify:/"),
    ] {
        assert_eq!(made(&with(own), &form(wanted))["scope"], wanted);
    }
    assert_eq!(
        made(&with("storage.read:/a"), "")["scope"],
        "storage.read:/a"
    );
    ask(&with("compute.create"), "").error(403, "forbidden");
}

#[test]
fn a_request_for_a_token_has_known_parameters_once_each() {
    let server = Server::start();
    let alice = server.user("alice");
    for form in [
        "job=1&job=2",
        "grant_type=password",
        "subject_token_type=urn%3Ax",
        "requested_token_type=saml2",
        "audience=x",
        "expires_in=0",
        "job=",
        "note=a%0Ab",
    ] {
        ask(&alice, form).error(400, "bad_request");
    }
    let plain = alice.send(
        "POST",
        "/token",
        &[("content-type", "text/plain")],
        b"job=1",
    );
    plain.error(400, "bad_request");
    ask(&server.anonymous(), "").error(401, "unauthenticated");
    ask(&alice, "subject_token=abc").error(401, "unauthenticated");
    let bob = server.token_for("bob", "storage.read:/x", None);
    let of_bob = made(&alice, &format!("subject_token={bob}"));
    assert_eq!(
        bearer(&server, &of_bob).get("/whoami").json()["user"],
        "bob"
    );
    let off = Server::with(Setup {
        minting: None,
        ..Setup::default()
    });
    ask(&off.user("alice"), "").error(404, "not_found");
}

#[test]
fn the_tokens_of_a_user_are_listed_and_each_can_be_revoked() {
    let server = Server::start();
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let ada = made(&alice, "scope=storage.read%3A%2Fresults%2F&note=for+Ada");
    server.clock.advance(Duration::from_secs(1));
    let job = made(&alice, "job=17&expires_in=60");
    let listed = alice.get("/token").json();
    let ids: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, [&job["id"], &ada["id"]]);
    assert_eq!(listed[0]["job"], "17");
    assert_eq!(listed[1]["note"], "for Ada");
    assert_eq!(listed[1]["scopes"], json!(["storage.read:/results/"]));
    assert_eq!(bob.get("/token").json(), json!([]));
    // One who holds a part must not see or end the other tokens.
    let holder = bearer(&server, &ada);
    holder.get("/token").error(403, "forbidden");
    revoke(&holder, &json!({"id": job["id"]})).error(403, "forbidden");
    // An id of another user's token ends nothing.
    revoked(&bob, &json!({"id": ada["id"]}));
    assert_eq!(holder.get("/kv/results/?list").status, 200);
    let answer = revoked(&alice, &json!({"id": ada["id"]}));
    assert_eq!(answer["revoked"], "id");
    holder
        .get("/kv/results/?list")
        .error(401, "unauthenticated");
    assert_eq!(alice.get("/token").json().as_array().unwrap().len(), 1);
    // It ends, and its record with it.
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(alice.get("/token").json(), json!([]));
}

/// Fails if the new token does not name the one that it was made from.
#[test]
fn a_token_ends_with_the_one_that_it_was_made_from() {
    let server = Server::start();
    let stolen = server.token_for("alice", "storage.read:/x", None);
    let mut tokens = vec![stolen];
    for _ in 0..8 {
        let last = server.with_token(tokens.last().unwrap());
        tokens.push(text(&made(&last, "")["access_token"]).to_owned());
    }
    let last = server.with_token(tokens.last().unwrap());
    ask(&last, "").error(403, "forbidden");
    let status = |token: &String| server.with_token(token).get("/whoami").status;
    assert!(tokens.iter().all(|token| status(token) == 200));
    revoked(&server.anonymous(), &json!({"token": tokens[4]}));
    let statuses: Vec<_> = tokens.iter().map(status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 401, 401, 401, 401, 401]);
    // The list has those that are still good: the first one was not made here.
    let listed = server.user("alice").get("/token").json();
    assert_eq!(listed.as_array().unwrap().len(), 3);
}

/// Fails if a token that was made from another one counts from its own beginning: a server that does not know of a revocation
/// yet could make such a token from one that is revoked.
#[test]
fn a_token_is_as_old_as_the_first_one_that_it_was_made_from() {
    let server = Server::start();
    let began = server.clock_seconds();
    let later = |seconds| server.clock.advance(Duration::from_secs(seconds));
    let child_of = |token: &str, form: &str| {
        let made = made(&server.with_token(token), form);
        text(&made["access_token"]).to_owned()
    };
    let status = |token: &str| server.with_token(token).get("/whoami").status;
    let revoke = |what: &str, name: &str, second: u64| {
        let before = prominence_api::time::rfc3339(Timestamp::from_secs(began + second));
        let site = server.with_token(&server.token_for("site", "prominence.revoke", None));
        revoked(&site, &json!({what: name, "before": before}));
    };
    let login = server.token("alice");
    later(10);
    let job = child_of(&login, "job=7");
    let other = child_of(&login, "");
    later(10);
    let job_of_job = child_of(&job, "");
    let fresh = server.token("alice");
    // The job's tokens are not older than the first of them, which is younger than the login.
    revoke("job", "7", 5);
    assert!([&job, &job_of_job].map(|token| status(token)) == [200, 200]);
    revoke("job", "7", 15);
    let statuses = [&job, &job_of_job, &other, &login, &fresh].map(|token| status(token));
    assert_eq!(statuses, [401, 401, 200, 200, 200]);
    revoke("user", "alice", 5);
    let statuses = [&other, &login, &fresh].map(|token| status(token));
    assert_eq!(statuses, [401, 401, 200]);
}

/// Fails if a part of a second is left out of what is remembered.
#[test]
fn the_instant_of_a_revocation_is_rounded_up_to_whole_seconds() {
    let server = Server::start();
    let token = server.token("alice");
    let began = server.clock_seconds();
    server.clock.advance(Duration::from_secs(5));
    let before = Timestamp::from_millis(began * 1_000 + 900);
    let before = prominence_api::time::rfc3339(before);
    let operator = server.with_token(&server.token_for("site", "prominence.revoke", None));
    let answer = revoked(&operator, &json!({"user": "alice", "before": before}));
    let next = prominence_api::time::rfc3339(Timestamp::from_secs(began + 1));
    assert_eq!(answer["before"], next);
    for _ in 0..2 {
        assert_eq!(server.with_token(&token).get("/whoami").status, 401);
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Fails if a token with scopes can use up the whole of a bound of its user.
#[test]
fn a_token_with_scopes_leaves_its_user_half_of_the_list_and_of_the_revocations() {
    const HALF: usize = 500;
    let server = Server::start();
    let alice = server.user("alice");
    let narrow = made(&alice, "scope=storage.read:/x&note=narrow");
    let holder = bearer(&server, &narrow);
    // With the one that it is itself.
    for _ in 2..HALF {
        assert_eq!(made(&holder, "")["listed"], true);
    }
    // One of those that are made at the same time finds the last place.
    let listed: usize = std::thread::scope(|threads| {
        let makers = [(); 16].map(|()| threads.spawn(|| made(&holder, "")["listed"] == true));
        makers
            .into_iter()
            .map(|one| usize::from(one.join().unwrap()))
            .sum()
    });
    assert_eq!(listed, 1);
    let message = ask(&holder, "note=n").error(507, "quota_exceeded");
    assert!(message.starts_with("500 tokens are listed"), "{message}");
    assert_eq!(made(&alice, "note=n")["listed"], true);

    let children: Vec<_> = (0..=HALF).map(|_| made(&holder, "")).collect();
    for child in &children[..HALF] {
        revoked(
            &server.anonymous(),
            &json!({"token": child["access_token"]}),
        );
    }
    let last = &children[HALF];
    let answer = revoke(&server.anonymous(), &json!({"token": last["access_token"]}));
    answer.error(507, "quota_exceeded");
    revoked(&alice, &json!({"id": last["id"]}));
    revoked(&alice, &json!({"id": narrow["id"]}));
    let listed = alice.get("/token").json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "children end with it");
    // They leave their places to others.
    let second = bearer(&server, &made(&alice, "scope=storage.read:/x"));
    assert_eq!(made(&second, "")["listed"], true);
}

#[test]
fn whoever_holds_a_token_can_end_it() {
    let server = Server::start();
    let token = server.token_for("alice", "storage.read:/x", None);
    let answer = revoked(&server.anonymous(), &json!({"token": token}));
    assert_eq!(answer["revoked"], "token");
    let why = server.with_token(&token).get("/whoami");
    assert!(why.error(401, "unauthenticated").contains("revoked"));
    // Once more, and for what is no token (RFC 7009, section 2.2).
    for token in [token.as_str(), "abc"] {
        assert!(revoked(&server.anonymous(), &json!({"token": token}))["until"].is_null());
    }
    assert_eq!(server.user("alice").get("/whoami").status, 200);
    // One that counts later would be accepted then.
    let now = server.clock_seconds();
    let later = json!({"username": "alice", "iat": now, "nbf": now + 60, "exp": now + 600});
    let long = json!({"username": "alice", "exp": now + 31 * 86_400});
    for claims in [later, long] {
        let token = crate::auth::sign(&claims, crate::auth::KEY);
        revoke(&server.anonymous(), &json!({"token": token})).error(400, "bad_request");
    }
}

/// Fails if a word that means nothing is left out, which would limit the token less or not at all.
#[test]
fn a_misspelt_scope_never_makes_a_token_that_allows_more() {
    let server = Server::start();
    let alice = server.user("alice");
    for odd in [
        "Storage.read:/results/",
        "storage_read:/results/",
        "reed:/results/",
        "storage.read",
        "foo",
        "",
        "+",
        "storage.read:/results/+wrte:/out/",
    ] {
        ask(&alice, &format!("scope={odd}")).error(400, "invalid_scope");
    }
    assert_eq!(alice.get("/token").json(), json!([]));
}

/// Fails if serde's derived implementation reads the body, which takes the fields also from an array.
#[test]
fn a_body_is_an_object_and_no_message_repeats_it() {
    let server = Server::start();
    let token = server.token_for("alice", "storage.read:/", None);
    for odd in [
        json!([token]),
        json!(token),
        json!({"token": {"a": token}}),
        json!({"tokens": token}),
    ] {
        let answer = revoke(&server.anonymous(), &odd);
        let message = answer.error(400, "bad_request");
        assert!(message.contains("a JSON object with one of"), "{message}");
        assert!(!message.contains(&token), "{message}");
    }
    assert_eq!(server.with_token(&token).get("/whoami").status, 200);
}

/// Fails if a remembered token is not compared with later versions of the revocations.
#[test]
fn a_revoked_job_is_out_and_runs_again_with_a_new_token() {
    let server = Server::start();
    let token = |user: &str, job| server.token_for(user, "", Some(job));
    let old = [token("alice", "7"), token("alice", "77"), token("bob", "7")];
    let statuses = || -> Vec<_> {
        let status = |token: &String| server.with_token(token).get("/whoami").status;
        old.iter().map(status).collect()
    };
    assert_eq!(statuses(), [200, 200, 200]);
    let answer = revoked(&server.user("alice"), &json!({"job": "7"}));
    assert_eq!(answer["revoked"], "job");
    assert_eq!(statuses(), [401, 200, 200]);
    server.clock.advance(Duration::from_secs(1));
    let new = server.with_token(&token("alice", "7"));
    assert_eq!(new.get("/whoami").status, 200);
    // A token that does not say when it was issued counts as older.
    let undated = sign(&claims(&json!({"job": "7", "iat": null})), KEY);
    server
        .with_token(&undated)
        .get("/whoami")
        .error(401, "unauthenticated");
}

/// Fails if requests that wait are not told of revocations.
#[test]
fn requests_that_wait_end_when_their_user_is_revoked_and_others_go_on() {
    let mut setup = Setup::default();
    setup.bounds.long_polls = LongPollLimits {
        in_all: 300,
        per_user: 150,
    };
    setup.limits.connections = 400;
    let server = Server::with(setup);
    let mut waits = Vec::new();
    for _ in 0..50 {
        for path in ["/kv/a?wait=10m", "/kv/barrier/?count&at_least=2&wait=10m"] {
            waits.push(LongPoll::begin(&server, path, &[]));
        }
    }
    for _ in 0..5 {
        waits.push(LongPoll::begin_claim(
            &server,
            "/kv/todo/?claim=60s&wait=10m",
        ));
    }
    let watch = || server.user("alice").open("GET", "/kv/?watch", &[], b"");
    let watches: Vec<_> = (0..20).map(|_| watch()).collect();
    let bob = LongPoll::begin_as(server.user("bob"), &server, "/kv/a?wait=10m", &[]);
    let started = Instant::now();
    let alice = server.user("alice");
    assert_eq!(
        revoked(&alice, &json!({"user": "alice"}))["revoked"],
        "user"
    );
    for poll in waits {
        let why = poll.answer().error(401, "unauthenticated");
        assert!(why.contains("revoked"), "{why}");
    }
    for watch in watches {
        watch.into_body().read_to_vec().unwrap();
    }
    // The call itself waits for the end of the second that it names.
    assert!(started.elapsed() < Duration::from_secs(5));
    bob.goes_on();
    alice.get("/whoami").error(401, "unauthenticated");
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.user("alice").get("/whoami").status, 200);
}

#[test]
fn only_the_operator_revokes_tokens_of_others() {
    let server = Server::start();
    let alice = server.user("alice");
    for what in [json!({"user": "bob"}), json!({"job": "7", "user": "bob"})] {
        revoke(&alice, &what).error(403, "forbidden");
    }
    // The word in a token that is limited to keys as well does not matter; it has to be signed with the secret.
    let operator = server.with_token(&server.token_for("site", "prominence.revoke", None));
    let job = server.with_token(&server.token_for("bob", "", Some("7")));
    assert_eq!(job.get("/whoami").status, 200);
    revoked(&operator, &json!({"job": "7"}));
    job.get("/whoami").error(401, "unauthenticated");
    let bob = server.user("bob");
    assert_eq!(bob.get("/whoami").status, 200);
    revoked(&operator, &json!({"user": "bob"}));
    bob.get("/whoami").error(401, "unauthenticated");
    assert_eq!(alice.get("/whoami").status, 200);
    operator.get("/kv/?list").error(403, "forbidden");
    operator.get("/token").error(403, "forbidden");
}

#[test]
fn a_revocation_names_one_kind_and_no_time_to_come() {
    let server = Server::start();
    let alice = server.user("alice");
    for what in [
        json!({}),
        json!({"id": "ab"}),
        json!({"id": "ab", "user": "alice"}),
        json!({"token": "x", "job": "7"}),
        json!({"user": "alice", "before": "2026-01-31"}),
        json!({"user": "alice", "before": "2999-01-01T00:00:00Z"}),
        json!({"users": ["alice"]}),
        json!({"user": ""}),
    ] {
        revoke(&alice, &what).error(400, "bad_request");
    }
    // Tokens that were issued after an instant of the past stay.
    revoked(
        &alice,
        &json!({"user": "alice", "before": "2020-01-01T00:00:00Z"}),
    );
    assert_eq!(alice.get("/whoami").status, 200);
    // One for an earlier instant does not let tokens in again.
    revoked(&alice, &json!({"user": "alice"}));
    alice.get("/whoami").error(401, "unauthenticated");
    server.clock.advance(Duration::from_secs(1));
    let new = server.user("alice");
    revoked(
        &new,
        &json!({"user": "alice", "before": "2020-01-01T00:00:00Z"}),
    );
    alice.get("/whoami").error(401, "unauthenticated");
}

#[test]
fn no_key_and_no_user_leads_to_the_records_of_the_service() {
    let server = Server::start();
    let alice = server.user("alice");
    made(&alice, "note=x");
    for path in [
        "/kv/?list",
        "/kv?list",
        "/kv/tokens/?list",
        "/kv/revoked/?list",
    ] {
        assert_eq!(alice.list(path), json!([]), "{path}");
    }
    assert_eq!(alice.get("/kv?usage").json()["keys"], 0);
    for user in ["\u{1}system", "system", "\\u0001system"] {
        let token = sign(&claims(&json!({"username": user})), KEY);
        let answer = server.with_token(&token).get("/kv/?list");
        assert!(
            answer.status == 401 || answer.json() == json!([]),
            "{user:?}"
        );
    }
}

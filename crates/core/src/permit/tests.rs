//! The permissions of each kind of token.

use std::time::Duration;

use super::*;
use crate::clock::ManualClock;
use crate::commit::Lifetime;
use crate::commit::Operation;
use crate::memory::MemoryStore;
use crate::value::Value;

fn gate() -> Gate {
    Gate::new(Arc::new(MemoryStore::new(
        Arc::new(ManualClock::new(Timestamp::from_secs(1))),
        crate::Quota::UNLIMITED,
    )))
}

fn principal(scopes: &str) -> Principal {
    Principal {
        user: Namespace::parse("alice").unwrap(),
        job: None,
        scopes: Scopes::parse(scopes).unwrap(),
        expires: Timestamp::from_secs(100),
        issued: None,
        since: None,
        job_since: None,
        issuer: "test".into(),
        id: [0; 32],
        made_from: Vec::new(),
    }
}

fn key(raw: &str) -> Key {
    Key::parse(raw).unwrap()
}

fn set(raw: &str) -> Commit {
    Commit::single(
        None,
        Operation::Set {
            key: key(raw),
            value: Value::from_integer(1),
            lifetime: Lifetime::Permanent,
        },
    )
}

#[test]
fn a_token_without_storage_scopes_has_the_whole_namespace() {
    let who = principal("openid profile");
    assert!(gate().read(&who, key("/a")).is_ok());
    assert!(gate().list(&who, Prefix::everything()).is_ok());
    assert!(gate().commit(&who, set("/a")).is_ok());
    assert!(gate().usage(&who).is_ok());
}

#[test]
fn a_read_scope_covers_its_subtree_and_nothing_else() {
    let who = principal("storage.read:/input");
    let gate = gate();
    assert!(gate.read(&who, key("/input")).is_ok());
    assert!(gate.read(&who, key("/input/x")).is_ok());
    assert!(gate.read(&who, key("/inputs")).is_err());
    assert!(gate.list(&who, Prefix::parse("/input/").unwrap()).is_ok());
    // "/input" as a string prefix would show "/inputs" as well.
    assert!(gate.list(&who, Prefix::parse("/input").unwrap()).is_err());
    assert!(gate.list(&who, Prefix::everything()).is_err());
    assert!(gate.commit(&who, set("/input/x")).is_err());
    assert!(gate.usage(&who).is_err());
}

#[tokio::test]
async fn a_create_scope_makes_new_keys_but_never_replaces_one() {
    let who = principal("storage.create:/out");
    let gate = gate();
    assert!(
        gate.commit(&who, set("/out/x"))
            .unwrap()
            .apply()
            .await
            .is_ok()
    );
    let again = gate.commit(&who, set("/out/x")).unwrap().apply().await;
    assert!(matches!(again, Err(CommitError::Forbidden(_))), "{again:?}");
    let delete = Commit::single(None, Operation::Delete { key: key("/out/x") });
    assert!(gate.commit(&who, delete).is_err());
    assert!(gate.read(&who, key("/out/x")).is_err());
}

#[test]
fn a_condition_does_not_leak_what_the_token_may_not_read() {
    let who = principal("storage.modify:/out");
    let guess = Condition {
        key: key("/secret"),
        expect: Precondition::Value(Value::from_integer(7)),
    };
    let commit = Commit::new(vec![guess], vec![Operation::Delete { key: key("/out/x") }]).unwrap();
    assert!(gate().commit(&who, commit).is_err());
}

#[tokio::test]
async fn a_key_that_was_demanded_to_be_absent_is_an_unmet_condition_where_it_exists() {
    let who = principal("storage.create:/out");
    let gate = gate();
    let create = || {
        let absent = Condition {
            key: key("/out/x"),
            expect: Precondition::Absent,
        };
        Commit::single(Some(absent), set("/out/x").operations()[0].clone())
    };
    let first = gate.commit(&who, create()).unwrap().apply().await;
    assert!(first.is_ok(), "{first:?}");
    let again = gate.commit(&who, create()).unwrap().apply().await;
    assert!(
        matches!(
            again,
            Err(CommitError::Store(StoreError::PreconditionFailed { .. }))
        ),
        "{again:?}"
    );
}

#[test]
fn a_refusal_names_the_scope_that_would_be_enough_where_one_would() {
    let gate = gate();
    let scope = |who: &str, commit: Commit| {
        let refused = gate.commit(&principal(who), commit).err().unwrap();
        refused.scope().map(str::to_owned)
    };
    let prefix = |raw: &str| Prefix::parse(raw).unwrap();
    let who = principal("storage.read:/p");
    let read = gate.read(&who, key("/in x")).err().unwrap();
    assert_eq!(read.scope(), Some("storage.read:/in%20x"));
    let list = gate.list(&who, prefix("/a/in")).err().unwrap();
    assert_eq!(list.scope(), Some("storage.read:/a/"));
    let usage = gate.usage(&who).err().unwrap();
    assert_eq!(usage.scope(), Some("storage.read:/"));
    let dry_run = gate.dry_run(&who, prefix("/p/")).err().unwrap();
    assert_eq!(dry_run.scope(), Some("storage.modify:/p/"));
    assert_eq!(
        scope("storage.read:/p", set("/p/x")).as_deref(),
        Some("storage.modify:/p/x")
    );
    let claim = |scopes| {
        let operation = Operation::Claim {
            prefix: prefix("/p/"),
            hold: Duration::from_secs(1),
        };
        scope(scopes, Commit::single(None, operation))
    };
    assert_eq!(
        claim("storage.read:/p").as_deref(),
        Some("storage.modify:/p/")
    );
    assert_eq!(
        claim("storage.modify:/p").as_deref(),
        Some("storage.read:/p/")
    );
    assert_eq!(claim("storage.poll:/p"), None, "two are missing");
    let two = [set("/a"), set("/b")]
        .iter()
        .flat_map(|commit| commit.operations().to_vec())
        .collect();
    let two = Commit::new(Vec::new(), two).unwrap();
    assert_eq!(scope("storage.read:/", two), None, "two are missing");
}

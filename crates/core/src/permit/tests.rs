//! What each kind of token may and may not do.

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
        issuer: "test".into(),
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

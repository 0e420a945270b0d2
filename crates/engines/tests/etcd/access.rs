//! Certificates and logins, as clusters demand them.

use std::sync::Arc;
use std::time::Duration;

use prominence_cluster::certificates::Authority;
use prominence_cluster::etcd::{self, Cluster, Transport};
use prominence_core::clock::ManualClock;
use prominence_core::conformance::START;
use prominence_core::{
    Commit, Interest, Key, Lifetime, Namespace, Operation, Store, StoreError, Value,
};
use prominence_engines::EtcdStore;
use prominence_engines::etcd::{Identity, Login, Options, Root, Tls};

use crate::support::options;

/// The time limit for anything on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time limit of a store that is refused.
const SOON: Duration = Duration::from_secs(3);

fn one(transport: Transport) -> Cluster {
    let options = etcd::Options {
        nodes: 1,
        transport,
        ..etcd::Options::default()
    };
    Cluster::start(&options).unwrap()
}

fn open(options: Options) -> EtcdStore {
    EtcdStore::open(options, Arc::new(ManualClock::new(START))).unwrap()
}

/// Writes, reads, and waits for the change.
async fn use_it(store: &EtcdStore) -> Result<(), StoreError> {
    let alice = Namespace::parse("alice").unwrap();
    let key = Key::parse("/key").unwrap();
    let signal = store.listen(&alice, &Interest::Key(key.clone())).await?;
    let set = Operation::Set {
        key: key.clone(),
        value: Value::stored("value".into()),
        lifetime: Lifetime::Permanent,
    };
    let commit = Commit::single(None, set);
    store.commit(&alice, None, commit).await?;
    assert!(store.get(&alice, &key).await?.is_some());
    tokio::time::timeout(PATIENCE, signal).await.unwrap();
    Ok(())
}

async fn refusal(options: Options) -> String {
    let impatient = Options {
        request_timeout: SOON,
        ..options
    };
    use_it(&open(impatient)).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_tls_is_used_with_the_certificate_that_it_demands() {
    let cluster = one(Transport::Tls);
    let (authority, pair) = cluster.credentials().unwrap();
    let with = |tls| Options {
        tls,
        ..options(&cluster)
    };
    let read = |path| std::fs::read(path).unwrap();
    let authorities = Some(read(&authority));
    let identity = Some(Identity {
        certificate: read(&pair.certificate),
        key: read(&pair.key),
    });
    let known = with(Tls {
        authorities: authorities.clone(),
        identity: identity.clone(),
    });
    use_it(&open(known)).await.unwrap();
    let anonymous = Tls {
        authorities,
        identity: None,
    };
    refusal(with(anonymous)).await;
    let elsewhere = tempfile::tempdir().unwrap();
    Authority::make(elsewhere.path(), "somebody else").unwrap();
    let stranger = Tls {
        authorities: Some(read(&prominence_cluster::certificates::ca(
            elsewhere.path(),
        ))),
        identity,
    };
    refusal(with(stranger)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_demands_a_login_is_used_below_the_root_that_it_allows() {
    let mut cluster = one(Transport::Plain);
    let login = etcd::Login {
        user: "store".to_owned(),
        password: "right".to_owned(),
    };
    cluster.demand_login(&login, "/kv/").unwrap();
    let with = |root: &str, password: &str| Options {
        root: Root::parse(root).unwrap(),
        login: Some(Login {
            user: "store".to_owned(),
            password: password.to_owned(),
        }),
        ..options(&cluster)
    };
    use_it(&open(with("/kv", "right"))).await.unwrap();
    let said = refusal(with("/kv", "wrong")).await;
    assert!(said.contains("refuses this server"), "{said}");
    let said = refusal(with("/elsewhere", "right")).await;
    assert!(said.contains("permission denied"), "{said}");
}

//! Clusters do what the tests that rest on them believe: that what is killed is gone, that what is
//! cut off hears nothing, and that nothing is left behind.
#![allow(clippy::unwrap_used, reason = "tests say what went wrong by failing")]

use std::time::Duration;

use prominence_cluster::etcd::{Alarm, Cluster, Login, Options, Place, Transport};
use prominence_cluster::poll;
use prominence_cluster::process::State;

/// Elections take a second or so; machines that build meanwhile take longer.
const SOON: Duration = Duration::from_secs(60);

fn one(options: Options) -> Cluster {
    Cluster::start(&Options {
        nodes: 1,
        ..options
    })
    .unwrap()
}

#[test]
fn a_killed_leader_is_replaced_and_finds_back_with_what_it_had() {
    let mut cluster = Cluster::start(&Options::default()).unwrap();
    let first = cluster.wait_for_leader(SOON).unwrap();
    cluster.ask(&["put", "a", "1"]).unwrap();

    cluster.node(first).unwrap().kill().unwrap();
    assert_eq!(cluster.nodes()[first].state(), State::Gone);
    let second = cluster.wait_for_leader(SOON).unwrap();
    assert_ne!(first, second);
    cluster.ask_node(second, &["put", "b", "2"]).unwrap();

    cluster.node(first).unwrap().start().unwrap();
    cluster.wait_until_whole(SOON).unwrap();
    let read = cluster.ask_node(first, &["get", "--print-value-only", "--prefix", ""]);
    assert_eq!(read.unwrap(), "1\n2\n");
}

#[test]
fn a_paused_leader_is_replaced_and_follows_when_it_goes_on() {
    let mut cluster = Cluster::start(&Options::default()).unwrap();
    let first = cluster.wait_for_leader(SOON).unwrap();
    cluster.node(first).unwrap().pause().unwrap();
    assert_eq!(cluster.nodes()[first].state(), State::Paused);
    let second = cluster.wait_for_leader(SOON).unwrap();
    assert_ne!(first, second);
    cluster.node(first).unwrap().resume().unwrap();
    cluster.wait_until_whole(SOON).unwrap();
}

#[test]
fn a_leader_is_moved_to_the_node_that_is_named() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let first = cluster.wait_for_leader(SOON).unwrap();
    let other = (first + 1) % 3;
    cluster.move_leader(other).unwrap();
    assert_eq!(cluster.wait_for_leader(SOON).unwrap(), other);
}

#[test]
fn a_cluster_with_tls_lets_in_only_who_shows_a_certificate() {
    let cluster = Cluster::start(&Options {
        transport: Transport::Tls,
        ..Options::default()
    });
    let cluster = cluster.unwrap();
    cluster.ask(&["put", "a", "1"]).unwrap();
    let mut stranger = cluster.etcdctl();
    stranger
        .env_remove("ETCDCTL_CERT")
        .env_remove("ETCDCTL_KEY");
    assert!(
        !stranger
            .args(["get", "a"])
            .output()
            .unwrap()
            .status
            .success()
    );
}

#[test]
fn a_cluster_that_demands_a_login_keeps_a_user_below_the_root_it_was_given() {
    let mut cluster = one(Options::default());
    let login = Login {
        user: "store".to_owned(),
        password: "right".to_owned(),
    };
    cluster.demand_login(&login, "/kv/").unwrap();
    let put = |password: &str, key: &str| {
        let mut command = cluster.etcdctl();
        command
            .env("ETCDCTL_USER", "store")
            .env("ETCDCTL_PASSWORD", password);
        command
            .args(["put", key, "1"])
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(put("right", "/kv/a"));
    assert!(!put("right", "/elsewhere"));
    assert!(!put("wrong", "/kv/a"));
}

#[test]
fn a_full_database_raises_an_alarm_that_compaction_and_defragmentation_let_end() {
    let cluster = one(Options {
        quota_bytes: Some(2 << 20),
        ..Options::default()
    });
    let value = "x".repeat(100_000);
    let filled = poll::holds("a full database", SOON, || {
        Ok(cluster.ask(&["put", "a", &value]).is_err())
    });
    filled.unwrap();
    assert_eq!(cluster.alarms().unwrap(), [Alarm::NoSpace]);

    let revision = cluster.status(0).unwrap().revision;
    cluster.compact(revision).unwrap();
    cluster.defragment().unwrap();
    cluster.disarm().unwrap();
    cluster.ask(&["put", "a", &value]).unwrap();
    assert_eq!(cluster.alarms().unwrap(), []);
}

#[test]
fn a_node_that_is_cut_off_reaches_nobody_until_it_is_joined_again() {
    let cluster = Cluster::start(&Options {
        place: Place::Network,
        ..Options::default()
    });
    let cluster = cluster.unwrap();
    let first = cluster.wait_for_leader(SOON).unwrap();
    let at = u8::try_from(first).unwrap();
    cluster.network().unwrap().cut(at).unwrap();
    assert!(cluster.status(first).is_err(), "nobody reaches it");
    let elected = poll::until("another leader", SOON, || {
        Ok(cluster.leader()?.filter(|leader| *leader != first))
    });
    elected.unwrap();
    cluster.network().unwrap().join(at).unwrap();
    cluster.wait_until_whole(SOON).unwrap();
}

#[test]
fn a_leader_that_is_parted_from_the_others_is_reached_and_leads_no_more() {
    let cluster = Cluster::start(&Options {
        place: Place::Network,
        ..Options::default()
    });
    let cluster = cluster.unwrap();
    let first = cluster.wait_for_leader(SOON).unwrap();
    let others = (0..3).filter(|at| *at != first);
    let pairs: Vec<_> = others
        .map(|other| (u8::try_from(first).unwrap(), u8::try_from(other).unwrap()))
        .collect();
    let network = cluster.network().unwrap();
    for (one, other) in &pairs {
        network.part(*one, *other).unwrap();
    }
    let deposed = poll::until("another leader", SOON, || {
        cluster.status(first)?;
        Ok(cluster.leader()?.filter(|leader| *leader != first))
    });
    deposed.unwrap();
    for (one, other) in &pairs {
        network.reunite(*one, *other).unwrap();
    }
    cluster.wait_until_whole(SOON).unwrap();
}

#[test]
fn another_process_finds_a_cluster_by_its_folder_and_removes_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("cluster");
    let options = Options {
        nodes: 1,
        ..Options::default()
    };
    let made = Cluster::create(&folder, &options).unwrap();
    let mut found = Cluster::open(&folder).unwrap();
    assert_eq!(found.endpoints(), made.endpoints());
    found.ask(&["put", "a", "1"]).unwrap();
    found.remove();
    assert_eq!(made.nodes()[0].state(), State::Gone);
    assert!(!folder.exists());
}

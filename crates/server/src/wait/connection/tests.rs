//! The places that addresses and users get and lose.

use futures_util::FutureExt as _;

use super::*;

fn connections(users: usize) -> Connections {
    Connections::new(PlaceLimits {
        users,
        proxies: ["10.0.0.1".parse().unwrap()].into_iter().collect(),
        head_memory: 0,
        lifetime: Duration::MAX,
    })
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn user(name: &str) -> Namespace {
    Namespace::parse(name).unwrap()
}

fn is_lost(standing: &Standing) -> bool {
    standing.lost().now_or_never().is_some()
}

/// Opens a connection and signs a user in.
fn signed_in(places: &Connections, name: &str) -> Result<Standing, u16> {
    // Long after the last one, so that a guest that has not signed in loses its place.
    let standing = places.try_open(ip("192.0.2.1"), Instant::now() + GUEST_TIME);
    let standing = standing.unwrap();
    standing.set_idle(true);
    match standing.admit(&user(name)) {
        Ok(()) => Ok(standing),
        Err(failure) => Err(failure.status().as_u16()),
    }
}

#[test]
fn an_address_with_most_guests_loses_its_oldest_after_a_while() {
    // 4 are for guests.
    let places = connections(32);
    let begin = Instant::now();
    let open = |address: &str, now| {
        let standing = places.try_open(ip(address), now)?;
        standing.set_idle(true);
        Some(standing)
    };
    let flood: Vec<_> = (0..4).map(|_| open("192.0.2.1", begin).unwrap()).collect();
    // One has a request that is being answered.
    flood[0].set_idle(false);
    let early = begin + GUEST_TIME / 2;
    assert!(open("192.0.2.1", early).is_none() && open("192.0.2.2", early).is_none());
    let late = begin + GUEST_TIME;
    let others: Vec<_> = ["192.0.2.2", "192.0.2.3"]
        .into_iter()
        .map(|address| open(address, late).unwrap())
        .collect();
    let own = open("192.0.2.1", late).unwrap();
    let lost: Vec<_> = flood.iter().map(is_lost).collect();
    assert_eq!(lost, [false, true, true, true]);
    assert!(!others.iter().chain([&own]).any(is_lost));
    drop((flood, others, own));
    assert_eq!(places.guests.taken(), 0);
}

#[test]
fn the_connections_of_a_proxy_are_as_many_as_those_of_users() {
    let places = connections(32);
    let now = Instant::now();
    let open = || places.try_open(ip("10.0.0.1"), now);
    let opened: Vec<_> = std::iter::from_fn(open).collect();
    assert_eq!((opened.len(), places.guests.taken()), (32, 0));
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_waits_for_the_place_of_another() {
    let places = connections(8);
    let first = places.open(ip("192.0.2.1")).await;
    let mut second = std::pin::pin!(places.open(ip("192.0.2.1")));
    tokio::select! {
        biased;
        _ = &mut second => panic!("the only place is taken"),
        () = std::future::ready(()) => {}
    }
    first.admit(&user("alice")).unwrap();
    let second = second.await;
    assert!(!is_lost(&first) && !is_lost(&second));
}

#[test]
fn guests_keep_no_user_out_and_one_user_no_other() {
    // 2 for guests.
    let places = connections(16);
    let now = Instant::now();
    let guests = ["198.51.100.1", "198.51.100.2"];
    let guests = guests.map(|address| places.try_open(ip(address), now).unwrap());
    guests.iter().for_each(|guest| guest.set_idle(true));
    let mut of_alice: Vec<_> = (0..16)
        .map(|_| signed_in(&places, "alice").unwrap())
        .collect();
    assert_eq!(signed_in(&places, "alice").err(), Some(429));
    let of_bob: Vec<_> = (0..8).map(|_| signed_in(&places, "bob").unwrap()).collect();
    // Neither has more than the other with one more.
    for name in ["alice", "bob"] {
        assert_eq!(signed_in(&places, name).err(), Some(429), "{name}");
    }
    let lost: Vec<_> = of_alice.iter().map(is_lost).collect();
    assert_eq!(lost, [[false; 8], [true; 8]].concat());
    assert!(!of_bob.iter().any(is_lost));
    of_alice.truncate(7);
    assert!(signed_in(&places, "bob").is_ok());
    drop((guests, of_alice, of_bob));
    assert_eq!(places.members.taken(), 0);
}

#[test]
fn a_connection_that_several_users_share_counts_for_the_one_that_asked_last() {
    let places = connections(16);
    let shared = signed_in(&places, "alice").unwrap();
    shared.admit(&user("bob")).unwrap();
    shared.admit(&user("bob")).unwrap();
    assert_eq!(places.guests.taken(), 0);
    assert_eq!(places.members.taken(), 1);
    assert!(!is_lost(&shared));
}

#[test]
fn guests_and_users_share_the_files_that_there_are() {
    for open in [1, 9, 100, 20_000] {
        let users = users_among(open);
        assert!(users + guests_of(users) <= open.max(2), "{open}");
    }
    assert_eq!(users_among(9_000), 8_000);
}

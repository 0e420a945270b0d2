//! Who is woken, and who is not.

use std::time::Duration;

use prominence_core::Prefix;

use super::*;

fn namespace(name: &str) -> Namespace {
    Namespace::parse(name).unwrap()
}

fn prefix(text: &str) -> Interest {
    Interest::Prefix(Prefix::parse(text).unwrap())
}

fn key(text: &str) -> Interest {
    Interest::Key(Key::parse(text).unwrap())
}

fn publish(hub: &Hub, name: &str, revision: u64, keys: &[&str]) {
    let keys: Vec<_> = keys.iter().map(|key| Key::parse(key).unwrap()).collect();
    let woken = hub.publish(&namespace(name), Revision::new(revision), keys.iter());
    woken.tell();
}

fn is_woken(listener: &mut Listener) -> Option<Wake> {
    listener.woken.try_recv().ok()
}

#[test]
fn a_change_wakes_those_whose_prefix_it_has_and_nobody_else() {
    let hub = Hub::default();
    let alice = namespace("alice");
    let mut everything = hub.listen(&alice, &prefix("/")).unwrap();
    let mut exact = hub.listen(&alice, &prefix("/é/x")).unwrap();
    let mut sibling = hub.listen(&alice, &prefix("/é/y")).unwrap();
    let mut other = hub.listen(&namespace("alice2"), &prefix("/")).unwrap();
    publish(&hub, "alice", 7, &["/é/x"]);
    let expected = Some(Wake::Changed(Revision::new(7)));
    assert_eq!(is_woken(&mut everything), expected);
    assert_eq!(is_woken(&mut exact), expected);
    assert_eq!(is_woken(&mut sibling), None);
    assert_eq!(is_woken(&mut other), None);
    assert_eq!(hub.waiting(), 2);
}

#[test]
fn one_key_wakes_its_own_waiters_and_not_those_of_keys_that_begin_like_it() {
    let hub = Hub::default();
    let alice = namespace("alice");
    let mut exact = hub.listen(&alice, &key("/job/1")).unwrap();
    let mut twin = hub.listen(&alice, &key("/job/1")).unwrap();
    let mut shorter = hub.listen(&alice, &key("/job")).unwrap();
    let mut other = hub.listen(&namespace("bob"), &key("/job/1")).unwrap();
    publish(&hub, "alice", 1, &["/job/10"]);
    publish(&hub, "alice", 2, &["/job/1/x"]);
    assert_eq!(is_woken(&mut exact), None);
    publish(&hub, "alice", 3, &["/job/1"]);
    let expected = Some(Wake::Changed(Revision::new(3)));
    assert_eq!(is_woken(&mut exact), expected);
    assert_eq!(is_woken(&mut twin), expected);
    assert_eq!(is_woken(&mut shorter), None);
    assert_eq!(is_woken(&mut other), None);
    assert_eq!(hub.waiting(), 2);
    drop((shorter, other));
    assert!(hub.lock().spaces.is_empty());
}

#[test]
fn a_commit_of_many_changes_wakes_the_whole_namespace() {
    let hub = Hub::default();
    let mut listener = hub.listen(&namespace("alice"), &prefix("/none")).unwrap();
    let keys: Vec<_> = (0..=MAX_MATCHED_CHANGES).map(|n| n.to_string()).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    publish(&hub, "alice", 1, &keys);
    assert_eq!(is_woken(&mut listener), Some(Wake::LookAgain));
    assert_eq!(hub.waiting(), 0);
}

#[test]
fn nothing_is_left_when_nobody_waits() {
    let hub = Hub::default();
    let first = hub.listen(&namespace("alice"), &prefix("/a")).unwrap();
    let second = hub.listen(&namespace("alice"), &prefix("/a")).unwrap();
    drop(first);
    assert_eq!(hub.waiting(), 1);
    publish(&hub, "alice", 1, &["/a"]);
    assert!(hub.lock().spaces.is_empty());
    drop(second);
    assert_eq!(hub.waiting(), 0);
    assert!(hub.wake_all().is_empty());
    assert_eq!(hub.waiting(), 0);
}

#[test]
fn a_commit_takes_no_lock_where_nobody_waits() {
    let hub = Hub::default();
    let alice = namespace("alice");
    drop(hub.listen(&alice, &prefix("/")).unwrap());
    let held = hub.lock();
    let (done, is_done) = std::sync::mpsc::channel();
    let committer = hub.clone();
    std::thread::spawn(move || {
        publish(&committer, "alice", 1, &["/a"]);
        done.send(committer.is_listened_to(&alice)).unwrap();
    });
    let listened_to = is_done.recv_timeout(Duration::from_secs(10));
    drop(held);
    assert_eq!(listened_to, Ok(false));
}

#[test]
fn a_key_is_looked_up_once_for_each_length_that_a_prefix_has() {
    let mut prefixes = Prefixes::default();
    let long = format!("/{}", "a/".repeat(500));
    assert!(prefixes.lengths_within(long.len()).is_empty());
    let (wake, _woken) = oneshot::channel();
    prefixes.under("/").insert(0, wake);
    for number in 1..1_000 {
        let (wake, _) = oneshot::channel();
        prefixes
            .under(&format!("/b/{number:03}"))
            .insert(number, wake);
    }
    assert_eq!(prefixes.lengths_within(long.len()), [1, 6]);
    assert_eq!(prefixes.lengths_within(5), [1]);
    let mut found = Vec::new();
    prefixes.take(&long, |waiters| found.extend(waiters.into_keys()));
    assert_eq!(found, [0]);
    assert_eq!(prefixes.lengths_within(long.len()), [6]);
    for number in 1..1_000 {
        assert!(prefixes.remove(&format!("/b/{number:03}"), number));
        assert!(!prefixes.remove(&format!("/b/{number:03}"), number));
    }
    assert!(prefixes.lengths_within(long.len()).is_empty());
}

#[test]
fn every_prefix_of_a_key_is_found_and_no_other_text() {
    let key = "/\u{e9}/job-1/result";
    let ends = (1..=key.len()).filter(|end| key.is_char_boundary(*end));
    let mut prefixes = Prefixes::default();
    let mut expected = Vec::new();
    for end in ends {
        let (wake, _) = oneshot::channel();
        let ticket = end as u64;
        prefixes.under(&key[..end]).insert(ticket, wake);
        expected.push(ticket);
        let (wake, _) = oneshot::channel();
        // No key of this test goes on like this.
        prefixes
            .under(&format!("{}!", &key[..end]))
            .insert(1_000 + ticket, wake);
    }
    let mut found = Vec::new();
    prefixes.take(key, |waiters| found.extend(waiters.into_keys()));
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn waiters_sleep_until_they_are_told_and_wake_where_that_is_dropped() {
    let hub = Hub::default();
    let alice = namespace("alice");
    let mut told = hub.listen(&alice, &prefix("/a")).unwrap();
    let woken = hub.publish(&alice, Revision::new(3), [Key::parse("/a").unwrap()].iter());
    assert_eq!((woken.len(), hub.waiting()), (1, 0));
    assert_eq!(is_woken(&mut told), None);
    woken.tell();
    assert_eq!(is_woken(&mut told), Some(Wake::Changed(Revision::new(3))));
    let mut dropped = hub.listen(&alice, &key("/a")).unwrap();
    drop(hub.wake_namespace(&alice));
    let closed = oneshot::error::TryRecvError::Closed;
    assert_eq!(dropped.woken.try_recv(), Err(closed));
}

#[test]
fn one_namespace_leaves_room_for_the_others() {
    let hub = Hub::default();
    let alice = namespace("alice");
    assert!(!hub.is_listened_to(&alice));
    let listeners: Vec<_> = (0..MAX_WAITING_PER_NAMESPACE)
        .map(|_| hub.listen(&alice, &prefix("/")).unwrap())
        .collect();
    assert!(hub.listen(&alice, &prefix("/")).is_err());
    assert!(hub.listen(&namespace("bob"), &prefix("/")).is_ok());
    assert!(hub.is_listened_to(&alice));
    drop(listeners);
    assert!(hub.listen(&alice, &prefix("/")).is_ok());
}

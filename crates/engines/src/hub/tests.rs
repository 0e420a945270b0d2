//! Who is woken, and who is not.

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
    hub.publish(&namespace(name), Revision::new(revision), keys.iter());
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
    hub.wake_all();
    assert_eq!(hub.waiting(), 0);
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

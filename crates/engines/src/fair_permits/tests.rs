//! The order in which permits are handed out.

use super::*;

fn permits(total: usize, waiting: usize, most: Most) -> FairPermits<char> {
    FairPermits::new(Sharing {
        total,
        waiting,
        most,
    })
}

/// Puts so many requests into the line of an owner.
fn line_up(permits: &FairPermits<char>, owner: char, requests: usize) -> Vec<Waiting<char>> {
    let wait = |_| match permits.take_or_wait(&owner, 1) {
        Ok(Err(waiting)) => waiting,
        Ok(Ok(_)) => panic!("a permit was free"),
        Err(Crowded) => panic!("too many wait"),
    };
    (0..requests).map(wait).collect()
}

/// Takes the permits that were granted, and the owners they were granted to.
fn granted(waiting: &mut Vec<Waiting<char>>) -> Vec<Permit<char>> {
    let mut granted = Vec::new();
    waiting.retain_mut(|waiting| match waiting.ready.try_recv() {
        Ok(permit) => {
            granted.push(permit);
            false
        }
        Err(_) => true,
    });
    granted
}

/// The owners to whom one permit is handed out, one after the other.
fn order(first: Permit<char>, mut waiting: Vec<Waiting<char>>) -> String {
    let mut order = String::new();
    let mut held = vec![first];
    while let Some(permit) = held.pop() {
        drop(permit);
        held.extend(granted(&mut waiting));
        order.extend(held.iter().map(|permit| permit.owner));
    }
    order
}

#[test]
fn owners_who_wait_have_their_turns_whatever_the_length_of_their_lines() {
    let permits = permits(1, 100, Most::All);
    let first = permits.try_acquire(&'a', 1).unwrap();
    let mut waiting = line_up(&permits, 'a', 6);
    waiting.extend(line_up(&permits, 'b', 2));
    waiting.extend(line_up(&permits, 'c', 1));
    assert_eq!(order(first, waiting), "abcabaaaa");
    assert_eq!(permits.held(), 0);
    let state = permits.state();
    assert!(state.holders.is_empty() && state.lines.is_empty() && state.turns.is_empty());
}

#[test]
fn an_owner_who_is_alone_gets_everything_and_another_gets_what_comes_back_first() {
    let permits = permits(4, 100, Most::All);
    let mut held: Vec<_> = (0..4)
        .map(|_| permits.try_acquire(&'a', 1).unwrap())
        .collect();
    assert!(permits.try_acquire(&'a', 1).is_none());
    let mut own = line_up(&permits, 'a', 10);
    let mut other = line_up(&permits, 'b', 4);
    for _ in 0..4 {
        drop(held.remove(0));
        held.extend(granted(&mut own));
        held.extend(granted(&mut other));
    }
    let of_the_other = held.iter().filter(|permit| permit.owner == 'b').count();
    assert_eq!((held.len(), of_the_other), (4, 2));
}

#[test]
fn the_longest_line_gives_up_its_newest_request_for_another_owner() {
    let permits = permits(1, 4, Most::All);
    let first = permits.try_acquire(&'a', 1).unwrap();
    let mut own = line_up(&permits, 'a', 4);
    let more = permits.take_or_wait(&'a', 1);
    assert!(matches!(more, Err(Crowded)));
    let mut others = line_up(&permits, 'b', 2);
    // Neither line is longer by more than one now.
    for owner in ['a', 'b'] {
        let more = permits.take_or_wait(&owner, 1);
        assert!(matches!(more, Err(Crowded)), "{owner}");
    }
    let closed = oneshot::error::TryRecvError::Closed;
    for given_up in &mut own[2..] {
        assert_eq!(given_up.ready.try_recv().map(drop), Err(closed.clone()));
    }
    own.truncate(2);
    own.append(&mut others);
    assert_eq!(order(first, own), "abab");
}

#[test]
fn who_leaves_a_line_is_passed_over_and_a_permit_that_nobody_takes_goes_on() {
    let permits = permits(1, 100, Most::All);
    let first = permits.try_acquire(&'a', 1).unwrap();
    let gone = line_up(&permits, 'b', 3);
    let mut waiting = line_up(&permits, 'c', 2);
    drop(gone);
    drop(first);
    let granted_first = granted(&mut waiting);
    assert_eq!(granted_first.len(), 1);
    // The next one gets its permit, and goes without having taken it.
    let last = line_up(&permits, 'd', 1);
    drop(granted_first);
    drop(waiting);
    drop(last);
    assert_eq!(permits.held(), 0);
    assert!(permits.try_acquire(&'a', 1).is_some());
}

#[test]
fn nobody_holds_more_than_is_left_for_one_more_owner() {
    let permits = permits(120, 100, Most::WhatIsLeft);
    let take = |owner, cost| permits.try_acquire(&owner, cost);
    let all_of_a: Vec<_> = (0..60).map_while(|_| take('a', 1)).collect();
    assert_eq!(all_of_a.len(), 60);
    assert!(take('a', 1).is_none());
    let all_of_b: Vec<_> = (0..120).map_while(|_| take('b', 1)).collect();
    assert_eq!(all_of_b.len(), 30);
    let of_c = take('c', 15).unwrap();
    assert!(take('c', 1).is_none());
    // What one owner can't have is cut down to what it can.
    drop((all_of_a, all_of_b, of_c));
    let large = take('a', 1_000).unwrap();
    assert_eq!(large.cost, 60);
}

#[test]
fn a_permit_that_shrinks_serves_others() {
    let permits = permits(10, 100, Most::WhatIsLeft);
    let mut large = permits.try_acquire(&'a', 5).unwrap();
    let mut waiting = line_up(&permits, 'a', 1);
    let mut none = granted(&mut waiting);
    assert!(none.pop().is_none());
    large.shrink(2);
    assert_eq!(permits.held(), 3);
    assert_eq!(granted(&mut waiting).len(), 1);
    large.shrink(7);
    assert_eq!(permits.held(), 2);
}

#[tokio::test]
async fn long_work_lets_others_have_their_turn_and_goes_on_before_later_work_of_its_owner() {
    let permits = permits(1, 100, Most::All);
    let alone = permits.try_acquire(&'a', 1).unwrap();
    let mut own = line_up(&permits, 'a', 1);
    // Nobody else waits.
    let alone = alone.take_turns().await.unwrap();
    assert!(granted(&mut own).is_empty());
    let mut other = line_up(&permits, 'b', 1);
    let again = tokio::spawn(alone.take_turns());
    tokio::task::yield_now().await;
    let others = granted(&mut other);
    assert_eq!(others.len(), 1);
    assert!(granted(&mut own).is_empty() && !again.is_finished());
    drop(others);
    let again = again.await.unwrap().unwrap();
    assert!(granted(&mut own).is_empty());
    drop(again);
    assert_eq!(granted(&mut own).len(), 1);
}

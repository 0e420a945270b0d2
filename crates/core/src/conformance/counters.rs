//! Additions to decimal integers.

use super::Subject;
use super::shorthand::{add, assert_mismatch, assert_no_number, job, seconds, set, set_for, when};
use super::space::alice;
use crate::clock::Clock;
use crate::commit::{Lifetime, Outcome, Precondition};
use crate::error::Mismatch;

pub async fn an_absent_key_counts_as_zero(subject: &dyn Subject) {
    let now = subject.clock().now();
    let alice = alice(subject).by("job-1");
    assert_eq!(alice.add("/n", -7).await, -7);
    let entry = alice.entry("/n").await;
    assert_eq!(entry.value.as_bytes(), "-7");
    assert_eq!(entry.metadata.created, now);
    assert_eq!(entry.metadata.expires, None);
    assert_eq!(entry.metadata.job, Some(job("job-1")));
    assert_eq!(entry.metadata.size, 2);
    assert_eq!(alice.add("/zero", 0).await, 0);
    assert_eq!(alice.read("/zero").await.as_deref(), Some(&b"0"[..]));
}

pub async fn additions_sum_up_and_are_stored_in_decimal(subject: &dyn Subject) {
    let alice = alice(subject);
    let born = subject.clock().now();
    for (by, sum) in [(1, 1), (98, 99), (1, 100), (-200, -100), (100, 0), (0, 0)] {
        subject.clock().advance(seconds(1));
        assert_eq!(alice.add("/n", by).await, sum);
        let entry = alice.entry("/n").await;
        assert_eq!(entry.value.as_bytes(), &sum.to_string());
        assert_eq!(entry.metadata.size, sum.to_string().len());
        assert_eq!(entry.metadata.created, born.after(seconds(1)));
        assert_eq!(entry.metadata.modified, subject.clock().now());
    }
}

pub async fn adding_zero_is_a_commit_of_its_own(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.add("/n", 5).await;
    let first = alice.entry("/n").await.metadata.revision;
    let committed = alice.commit(vec![add("/n", 0)]).await;
    assert!(committed.revision > first);
    let entry = alice.entry("/n").await;
    assert_eq!(entry.metadata.revision, committed.revision);
}

pub async fn integers_are_read_with_sign_and_white_space(subject: &dyn Subject) {
    let alice = alice(subject);
    let written = [" 5", "5\n", "\t5\r\n", "+5", "005", "4294967301"];
    for (text, sum) in written.into_iter().zip([6, 6, 6, 6, 6, 4_294_967_302]) {
        alice.set("/n", text).await;
        assert_eq!(alice.add("/n", 1).await, sum, "{text:?}");
        let stored = alice.read("/n").await.unwrap();
        assert_eq!(stored, sum.to_string(), "the value is the sum alone");
    }
}

pub async fn anything_else_is_no_number_and_stays(subject: &dyn Subject) {
    let alice = alice(subject);
    let texts: [&[u8]; 12] = [
        b"",
        b" ",
        b"-",
        b"five",
        b"5.0",
        b"1e3",
        b"0x10",
        b"5 5",
        b"--5",
        b"5\0",
        b"\xff",
        b"9223372036854775808",
    ];
    for text in texts {
        let revision = alice.set("/n", text).await;
        assert_no_number(alice.attempt(vec![], vec![add("/n", 1)]).await, "/n");
        let entry = alice.entry("/n").await;
        assert_eq!(entry.value.as_bytes(), text);
        assert_eq!(entry.metadata.revision, revision);
    }
}

pub async fn a_sum_outside_64_bits_is_refused_and_the_limits_are_not(subject: &dyn Subject) {
    let alice = alice(subject);
    for (start, step) in [(i64::MAX, -1), (i64::MIN, 1)] {
        alice.set("/n", (start + step).to_string()).await;
        assert_eq!(alice.add("/n", -step).await, start);
        assert_no_number(alice.attempt(vec![], vec![add("/n", -step)]).await, "/n");
        assert_eq!(alice.add("/n", 0).await, start);
    }
    alice.set("/n", i64::MIN.to_string()).await;
    assert_eq!(alice.add("/n", i64::MAX).await, -1);
}

pub async fn adding_keeps_the_lifetime(subject: &dyn Subject) {
    let alice = alice(subject);
    let end = subject.clock().now().after(seconds(10));
    alice.lend("/n", "1", seconds(10)).await;
    subject.clock().advance(seconds(9));
    assert_eq!(alice.add("/n", 1).await, 2);
    assert_eq!(alice.entry("/n").await.metadata.expires, Some(end));
    subject.clock().advance(seconds(1));
    assert_eq!(alice.get("/n").await, None);
    assert_eq!(
        alice.add("/n", 1).await,
        1,
        "an expired key counts as absent"
    );
    assert_eq!(alice.entry("/n").await.metadata.expires, None);
    subject.sweep().await;
    assert_eq!(alice.add("/n", 1).await, 2, "the sweep keeps the new entry");
}

pub async fn an_addition_heeds_conditions(subject: &dyn Subject) {
    let alice = alice(subject);
    let fresh = || vec![when("/n", Precondition::Absent)];
    let first = alice.attempt(fresh(), vec![add("/n", 1)]).await.unwrap();
    assert_eq!(first.outcomes, [Outcome::Added(1)]);
    let refused = alice.attempt(fresh(), vec![add("/n", 1)]).await;
    assert_mismatch(refused, "/n", Mismatch::Exists(first.revision));
    assert_eq!(alice.add("/n", 0).await, 1);
}

pub async fn several_counters_move_in_one_commit(subject: &dyn Subject) {
    let alice = alice(subject);
    alice
        .commit(vec![set("/from", "10"), set("/to", "0")])
        .await;
    let moved = alice.commit(vec![add("/from", -3), add("/to", 3)]).await;
    assert_eq!(moved.outcomes, [Outcome::Added(7), Outcome::Added(3)]);
    let lent = set_for("/lent", "1", Lifetime::For(seconds(1)));
    alice.commit(vec![lent, add("/to", 1)]).await;
    assert_eq!(alice.read("/to").await.as_deref(), Some(&b"4"[..]));
}

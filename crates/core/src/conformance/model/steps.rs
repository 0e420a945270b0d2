//! The steps of a random sequence: few names, so that many steps use the same key.

use std::collections::HashSet;
use std::num::NonZero;
use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{collection, option, sample};

use crate::commit::{Lifetime, Operation};
use crate::conformance::START;
use crate::conformance::shorthand::{job, key, limit, prefix, value, write_id};
use crate::key::{Key, Prefix};
use crate::namespace::Job;
use crate::scan::{CountScan, Depth, Order, PageLimit, Projection, Scan, Visibility};
use crate::time::Timestamp;
use crate::value::Value;
use crate::write_id::WriteId;

/// One name is a prefix of the other.
pub(super) const NAMESPACES: [&str; 2] = ["alice", "alice2"];

/// The number of steps in the longest sequence.
const MAX_STEPS: usize = 60;

const KEYS: [&str; 11] = [
    "/a",
    "/a-b",
    "/a/b",
    "/a/b/c",
    "/a/c",
    "/a0",
    "/b",
    "/b/_internal_",
    "/b/_internal_/x",
    "/_internal_/y",
    "/é",
];

const PREFIXES: [&str; 10] = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/b",
    "/b/",
    "/b/_internal_",
    "/b/_internal_/",
    "/_internal_/",
    "/z",
];

/// Numbers, texts that look like numbers, and others.
const VALUES: [&[u8]; 9] = [
    b"0",
    b"1",
    b"-7",
    b" 5\n",
    b"+5",
    b"",
    b"text",
    b"\xff\0",
    b"9223372036854775807",
];

/// One operation on a store, its clock or both. Namespaces are given by their number.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Commit {
        space: usize,
        job: Option<Job>,
        conditions: Vec<(Key, Demand)>,
        operations: Vec<Operation>,
        /// Used only if the commit may have one.
        write_id: Option<WriteId>,
    },
    Get(usize, Key),
    Scan(usize, Scan),
    Count(usize, CountScan),
    Usage(usize),
    Advance(Duration),
    Sweep,
}

/// A condition, before the revision of its key is known.
#[derive(Clone, Debug)]
pub(super) enum Demand {
    Absent,
    Present,
    /// The revision of the key; one that no commit has if the key is absent.
    ItsRevision,
    /// A revision that is not the key's.
    AnotherRevision,
    Value(Value),
}

pub(super) fn sequences() -> impl Strategy<Value = Vec<Step>> {
    collection::vec(step(), 1..=MAX_STEPS)
}

/// The listings that are compared at the end of a sequence.
pub(super) fn listings() -> impl Iterator<Item = Scan> {
    let each = |text| [Depth::All, Depth::OneLevel].map(|depth| (text, depth));
    let listings = ["/", "/b/_internal_/"].into_iter().flat_map(each);
    listings.map(|(text, depth)| Scan {
        prefix: prefix(text),
        after: None,
        limit: PageLimit::MAX,
        order: Order::Ascending,
        depth,
        projection: Projection::Entries,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        14 => commit(),
        2 => (spaces(), keys()).prop_map(|(space, key)| Step::Get(space, key)),
        4 => (spaces(), scan()).prop_map(|(space, scan)| Step::Scan(space, scan)),
        1 => (spaces(), count()).prop_map(|(space, count)| Step::Count(space, count)),
        1 => spaces().prop_map(Step::Usage),
        3 => moments(1).prop_map(Step::Advance),
        1 => Just(Step::Sweep),
    ]
}

fn commit() -> impl Strategy<Value = Step> {
    let job = option::of(sample::select(vec![job("job-1"), job("job-2")]));
    // Most commits have no conditions, since most commits with conditions fail.
    let conditions = prop_oneof![
        3 => Just(vec![]),
        1 => collection::vec((keys(), demand()), 1..=2),
    ];
    let any = (conditions, operations(), Just(None));
    prop_oneof![6 => any, 1 => identified()].prop_flat_map(
        move |(conditions, operations, write_id)| {
            (spaces(), job.clone()).prop_map(move |(space, job)| Step::Commit {
                space,
                job,
                conditions: conditions.clone(),
                operations: operations.clone(),
                write_id: write_id.clone(),
            })
        },
    )
}

/// A set of one of two keys with one of two ids, so that repetitions are frequent. Its condition often holds.
fn identified() -> impl Strategy<Value = (Vec<(Key, Demand)>, Vec<Operation>, Option<WriteId>)> {
    let keys = sample::select(&["/a", "/b"][..]).prop_map(key);
    let ids = sample::select(&["1", "2"][..]).prop_map(|id| Some(write_id(id)));
    let demands = prop_oneof![
        1 => Just(Demand::Absent),
        2 => Just(Demand::ItsRevision),
        1 => demand(),
    ];
    (keys, values(), lifetime(), demands, ids).prop_map(|(key, value, lifetime, demand, id)| {
        let conditions = vec![(key.clone(), demand)];
        let set = Operation::Set {
            key,
            value,
            lifetime,
        };
        (conditions, vec![set], id)
    })
}

fn demand() -> impl Strategy<Value = Demand> {
    prop_oneof![
        Just(Demand::Absent),
        Just(Demand::Present),
        Just(Demand::ItsRevision),
        Just(Demand::AnotherRevision),
        values().prop_map(Demand::Value),
    ]
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let if_count = option::of(0..=4_u64);
    let delete = (prefixes(), if_count)
        .prop_map(|(prefix, if_count)| Operation::DeletePrefix { prefix, if_count });
    let claim =
        (prefixes(), moments(0)).prop_map(|(prefix, hold)| Operation::Claim { prefix, hold });
    prop_oneof![
        8 => on_key().prop_map(|operation| vec![operation]),
        2 => collection::vec(on_key(), 2..=4).prop_map(with_each_key_once),
        1 => delete.prop_map(|operation| vec![operation]),
        3 => claim.prop_map(|operation| vec![operation]),
    ]
}

fn on_key() -> impl Strategy<Value = Operation> {
    let set = (keys(), values(), lifetime()).prop_map(|(key, value, lifetime)| Operation::Set {
        key,
        value,
        lifetime,
    });
    let by = prop_oneof![-9..=9_i64, any::<i64>()];
    prop_oneof![
        6 => set,
        2 => (keys(), by).prop_map(|(key, by)| Operation::Add { key, by }),
        2 => keys().prop_map(|key| Operation::Delete { key }),
        2 => (claimed(), moments(0)).prop_map(|(key, hold)| Operation::Renew { key, hold }),
        1 => claimed().prop_map(|key| Operation::Release { key }),
    ]
}

fn with_each_key_once(mut operations: Vec<Operation>) -> Vec<Operation> {
    let mut seen = HashSet::new();
    operations.retain(|operation| operation.key().is_some_and(|key| seen.insert(key.clone())));
    operations
}

fn lifetime() -> impl Strategy<Value = Lifetime> {
    let past = START.as_millis() - 10;
    let instant = (past..past + 200).prop_map(Timestamp::from_millis);
    prop_oneof![
        2 => Just(Lifetime::Permanent),
        2 => moments(0).prop_map(Lifetime::For),
        1 => instant.prop_map(Lifetime::Until),
    ]
}

fn scan() -> impl Strategy<Value = Scan> {
    let names = KEYS.into_iter().chain(PREFIXES).map(prefix);
    let after = option::of(sample::select(Vec::from_iter(names)));
    let limit = prop_oneof![(1..=4_usize).prop_map(limit), Just(PageLimit::MAX)];
    let order = prop_oneof![Just(Order::Ascending), Just(Order::Descending)];
    let depth = prop_oneof![
        Just(Depth::All),
        Just(Depth::OneLevel),
        few().prop_map(Depth::OneLevelCounted),
    ];
    let projection = prop_oneof![
        Just(Projection::Keys),
        Just(Projection::Details),
        Just(Projection::Entries),
    ];
    (prefixes(), after, limit, order, depth, projection).prop_map(
        |(prefix, after, limit, order, depth, projection)| Scan {
            prefix,
            after,
            limit,
            order,
            depth,
            projection,
        },
    )
}

fn count() -> impl Strategy<Value = CountScan> {
    let visibility = prop_oneof![Just(Visibility::Listed), Just(Visibility::All)];
    (prefixes(), visibility, option::of(few())).prop_map(|(prefix, visibility, at_most)| {
        CountScan {
            prefix,
            visibility,
            at_most,
        }
    })
}

/// A limit on a count, which some prefixes and folders reach.
fn few() -> impl Strategy<Value = NonZero<u64>> {
    (1..=4_u64).prop_map(|keys| NonZero::new(keys).unwrap())
}

fn spaces() -> impl Strategy<Value = usize> {
    0..NAMESPACES.len()
}

fn keys() -> impl Strategy<Value = Key> {
    sample::select(&KEYS).prop_map(key)
}

/// Keys that are the first of a prefix, so that a claim is likely to have taken them.
fn claimed() -> impl Strategy<Value = Key> {
    prop_oneof![
        3 => sample::select(&["/a", "/a/b", "/b"][..]).prop_map(key),
        1 => keys(),
    ]
}

fn prefixes() -> impl Strategy<Value = Prefix> {
    sample::select(&PREFIXES).prop_map(prefix)
}

fn values() -> impl Strategy<Value = Value> {
    sample::select(&VALUES).prop_map(value)
}

/// A short time in whole milliseconds, so that lifetimes and claims often end exactly at the present time.
fn moments(least: u64) -> impl Strategy<Value = Duration> {
    (least..20).prop_map(Duration::from_millis)
}

//! What the server costs over an etcd cluster.

use super::{Row, Target, Turns, beside, line};
use crate::bench::figures::Unit::{BytesPerKey, Micros, Millis, PerSecond};
use crate::bench::rows::etcd;

/// Get and set are held against a client without a server in between.
const COST: Target = Target::RatioAtLeast(0.85);

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "etcd-1",
        about: "Gets, sets (values of 1 KB), lists (pages of 100 names) and adds to one number over 64 \
                connections to one server over an etcd cluster of one node, 10,000 keys. The bare \
                client has 64 tasks over 8 connections to etcd: one range, one put, one range of \
                names; to add, a range and as many transactions as it takes. A set is of a key that the \
                server has written before, and once more of one that it knows nothing of, the server \
                having just been started. A key's share of the database is taken after compaction and \
                defragmentation, log included.",
        turns: Turns::EveryRound,
        programs: &["etcd"],
        measure: etcd::one,
        lines: &[
            beside(
                "GET over etcd, 1 node",
                "ours, get",
                PerSecond,
                "bare, get",
                COST,
            ),
            beside(
                "set over etcd, 1 node",
                "ours, set",
                PerSecond,
                "bare, set",
                COST,
            ),
            beside(
                "set over etcd after a start, 1 node",
                "ours, set, started",
                PerSecond,
                "bare, set",
                Target::None,
            ),
            beside(
                "page of names over etcd, 1 node",
                "ours, list",
                PerSecond,
                "bare, list",
                Target::None,
            ),
            beside(
                "adds to one number over etcd, 1 node",
                "ours, add",
                PerSecond,
                "bare, add",
                Target::None,
            ),
            line(
                "GET over etcd, p99, 1 node",
                "ours, get, p99",
                Millis,
                Target::None,
            ),
            line(
                "set over etcd, p99, 1 node",
                "ours, set, p99",
                Millis,
                Target::None,
            ),
            line(
                "a GET over etcd, time of the processor in the server, 1 node",
                "server, get",
                Micros,
                Target::None,
            ),
            line(
                "a set over etcd, time of the processor in the server, 1 node",
                "server, set",
                Micros,
                Target::None,
            ),
            line(
                "a key of 1 KB in the database, 1 node",
                "database",
                BytesPerKey,
                Target::None,
            ),
        ],
    },
    Row {
        name: "etcd-3",
        about: "The same over a cluster of three nodes, which share the machine with the server and the \
                generators; and sets of one user's keys through three servers at once, 21 connections to \
                each.",
        turns: Turns::EveryRound,
        programs: &["etcd"],
        measure: etcd::three,
        lines: &[
            beside(
                "GET over etcd, 3 nodes",
                "ours, get",
                PerSecond,
                "bare, get",
                COST,
            ),
            beside(
                "set over etcd, 3 nodes",
                "ours, set",
                PerSecond,
                "bare, set",
                COST,
            ),
            beside(
                "set over etcd after a start, 3 nodes",
                "ours, set, started",
                PerSecond,
                "bare, set",
                Target::None,
            ),
            beside(
                "set over etcd to one user's keys through three servers, 3 nodes",
                "three servers, set",
                PerSecond,
                "ours, set",
                Target::None,
            ),
            line(
                "– by the server of the three that did the fewest",
                "three servers, least",
                PerSecond,
                Target::None,
            ),
            line(
                "– p99 at the slowest of the three",
                "three servers, p99",
                Millis,
                Target::None,
            ),
            beside(
                "page of names over etcd, 3 nodes",
                "ours, list",
                PerSecond,
                "bare, list",
                Target::None,
            ),
            beside(
                "adds to one number over etcd, 3 nodes",
                "ours, add",
                PerSecond,
                "bare, add",
                Target::None,
            ),
            line(
                "GET over etcd, p99, 3 nodes",
                "ours, get, p99",
                Millis,
                Target::None,
            ),
            line(
                "set over etcd, p99, 3 nodes",
                "ours, set, p99",
                Millis,
                Target::None,
            ),
            line(
                "a GET over etcd, time of the processor in the server, 3 nodes",
                "server, get",
                Micros,
                Target::None,
            ),
            line(
                "a set over etcd, time of the processor in the server, 3 nodes",
                "server, set",
                Micros,
                Target::None,
            ),
            line(
                "a key of 1 KB in the database, 3 nodes",
                "database",
                BytesPerKey,
                Target::None,
            ),
        ],
    },
];

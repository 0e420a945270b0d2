//! Requests a second, their latency, and what one costs.

use super::{Row, Target, Turns, beside, line};
use crate::bench::figures::Unit::{Instructions, Micros, Millis, PerSecond, Times};
use crate::bench::rows::{client, instructions, mixed, reads, writes};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "get-hot",
        about: "Gets one key of 1 KB with a verified token over 64 connections; wrk asks a bare \
                axum server, nginx (a static file of 1 KB, 2 workers) and etcd's gateway (a range \
                of one key) alike, redis-benchmark asks Redis with as many connections.",
        turns: Turns::EveryRound,
        programs: &["nginx", "redis-server", "redis-benchmark", "etcd"],
        measure: reads::hot,
        lines: &[
            beside(
                "GET of a hot key, beside a bare server",
                "ours",
                PerSecond,
                "bare axum",
                Target::RatioAtLeast(0.9),
            ),
            beside(
                "GET of a hot key, beside nginx",
                "ours",
                PerSecond,
                "nginx, static file",
                Target::RatioAtLeast(1.0),
            ),
            beside(
                "GET of a hot key, beside Redis",
                "ours",
                PerSecond,
                "redis-benchmark GET",
                Target::None,
            ),
            beside(
                "GET of a hot key, beside etcd",
                "ours",
                PerSecond,
                "etcd's HTTP gateway",
                Target::None,
            ),
            line("GET of a hot key, p99", "ours, p99", Millis, Target::None),
        ],
    },
    Row {
        name: "get-random",
        about: "Gets random keys out of a million of 1 KB over 64 connections, with the store's \
                files in the operating system's cache; the bare server is asked for as many \
                different paths.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: reads::random,
        lines: &[
            beside(
                "GET of random keys out of 1 million",
                "ours",
                PerSecond,
                "bare axum",
                Target::RatioAtLeast(0.6),
            ),
            line("GET of random keys, p99", "ours, p99", Millis, Target::None),
        ],
    },
    Row {
        name: "set-128",
        about: "Sets random keys out of a million to fresh values of 1 KB over 128 connections, on \
                a server that begins empty. Redis runs with `appendfsync always`, its 128 clients \
                send one request at a time. For bare appends 128 threads hand fresh values to one \
                appender, which writes and syncs whatever waits; a bare axum server that hands it \
                the bodies of its requests shows what HTTP alone takes off that. Time of the \
                processor and bytes written are the kernel's figures of the process.",
        turns: Turns::EveryRound,
        programs: &["redis-server", "redis-benchmark"],
        measure: writes::many,
        lines: &[
            beside(
                "durable set, 128 connections, beside Redis",
                "ours",
                PerSecond,
                "redis-benchmark SET, appendfsync always",
                Target::RatioAtLeast(1.2),
            ),
            beside(
                "durable set, 128 connections, beside bare appends",
                "ours",
                PerSecond,
                "append + fdatasync in groups",
                Target::None,
            ),
            beside(
                "durable set, 128 connections, beside a bare server",
                "ours",
                PerSecond,
                "bare axum that appends",
                Target::None,
            ),
            beside(
                "such a bare server, beside Redis",
                "bare axum that appends",
                PerSecond,
                "redis-benchmark SET, appendfsync always",
                Target::None,
            ),
            beside(
                "durable set, 128 connections, p99",
                "ours, p99",
                Millis,
                "Redis, p99",
                Target::AtMost(25.0),
            ),
            beside(
                "a set, time of the processor in the server",
                "ours, user",
                Micros,
                "bare axum, user",
                Target::None,
            ),
            beside(
                "a set, time of the processor in the kernel",
                "ours, system",
                Micros,
                "bare axum, system",
                Target::None,
            ),
            beside(
                "bytes written for each byte set",
                "ours, written",
                Times,
                "bare axum, written",
                Target::None,
            ),
        ],
    },
    Row {
        name: "set-1",
        about: "The same over one connection, beside a file that is appended to and synced record \
                by record, without preallocation.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: writes::one,
        lines: &[
            beside(
                "durable set, 1 connection",
                "ours",
                PerSecond,
                "append + fdatasync, one by one",
                Target::RatioAtLeast(0.8),
            ),
            beside(
                "the same of a bare server",
                "bare axum that appends",
                PerSecond,
                "append + fdatasync, one by one",
                Target::None,
            ),
        ],
    },
    Row {
        name: "set-16k",
        about: "Sets random keys to fresh values of 16 KiB over 128 connections for at least 20 s, \
                in which compaction has to keep up; beside grouped appends as above.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: writes::large,
        lines: &[
            beside(
                "durable set of 16 KiB, 128 connections",
                "ours",
                PerSecond,
                "append + fdatasync in groups",
                Target::RatioAtLeast(0.5),
            ),
            beside(
                "16 KiB on a bare server",
                "bare axum that appends",
                PerSecond,
                "append + fdatasync in groups",
                Target::None,
            ),
            line(
                "durable set of 16 KiB, p99",
                "ours, p99",
                Millis,
                Target::AtMost(60.0),
            ),
            line(
                "16 KiB on a bare server, p99",
                "bare axum that appends, p99",
                Millis,
                Target::None,
            ),
            beside(
                "a set, time of the processor in the server (16 KiB)",
                "ours, user",
                Micros,
                "bare axum, user",
                Target::None,
            ),
            beside(
                "a set, time of the processor in the kernel (16 KiB)",
                "ours, system",
                Micros,
                "bare axum, system",
                Target::None,
            ),
            beside(
                "bytes written for each byte set (16 KiB)",
                "ours, written",
                Times,
                "bare axum, written",
                Target::None,
            ),
        ],
    },
    Row {
        name: "mixed",
        about: "Gets a hot key over 64 connections, alone and while 32 connections set other keys \
                of 1 KB. The generators share the processor, so a bare server is measured alone \
                and beside 32 threads of bare appends: what could be had at best.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: mixed::beside_sets,
        lines: &[
            beside(
                "GET of a hot key while sets go on",
                "reads beside sets",
                PerSecond,
                "reads alone",
                Target::RatioAtLeast(0.6),
            ),
            beside(
                "the same of a bare server while bare appends go on",
                "bare axum beside bare appends",
                PerSecond,
                "bare axum alone",
                Target::None,
            ),
            line(
                "GET of a hot key while sets go on, p99",
                "reads beside sets, p99",
                Millis,
                Target::None,
            ),
            beside(
                "durable sets meanwhile, 32 connections",
                "sets beside reads",
                PerSecond,
                "bare appends beside reads",
                Target::None,
            ),
        ],
    },
    Row {
        name: "kv-get",
        about: "Runs `prominence kv get` of a key of 1 KB 100 times, from the start of the process \
                to its end.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: client::get,
        lines: &[
            line(
                "`prominence kv get`, whole process",
                "ours",
                Millis,
                Target::AtMost(5.0),
            ),
            line(
                "`prominence kv get`, p99",
                "ours, p99",
                Millis,
                Target::None,
            ),
        ],
    },
    Row {
        name: "kv-load",
        about: "Runs `prominence kv load` of a table of 100,000 rows with three columns, from the start of \
                the process to its end; then a loop that sends the same rows in batches of 100, one \
                after another over one connection, to the same server.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: client::load,
        lines: &[beside(
            "`prominence kv load` of 100,000 rows",
            "ours",
            Millis,
            "batches",
            Target::RatioAtMost(1.0),
        )],
    },
    Row {
        name: "instructions",
        about: "Counts the instructions of the server under valgrind's callgrind for 200 and for \
                2,200 requests over one connection; the difference, divided, is what one costs. A \
                function counts for the crate that it is named after; what a set adds to the \
                journal is read once more at the stop, which is counted too.",
        turns: Turns::Once,
        programs: &["valgrind"],
        measure: instructions::count,
        lines: &[
            line("one GET of 1 KB", "get", Instructions, Target::None),
            line(
                "– of these in HTTP",
                "get: HTTP",
                Instructions,
                Target::None,
            ),
            line(
                "– in the runtime",
                "get: runtime",
                Instructions,
                Target::None,
            ),
            line(
                "– in the storage library",
                "get: storage",
                Instructions,
                Target::None,
            ),
            line(
                "– in the allocator",
                "get: allocator",
                Instructions,
                Target::None,
            ),
            line(
                "– in this project's code",
                "get: own",
                Instructions,
                Target::None,
            ),
            line(
                "– in the system's library",
                "get: rest",
                Instructions,
                Target::None,
            ),
            line("one durable set of 1 KB", "set", Instructions, Target::None),
            line(
                "– of a set in HTTP",
                "set: HTTP",
                Instructions,
                Target::None,
            ),
            line(
                "– of a set in the runtime",
                "set: runtime",
                Instructions,
                Target::None,
            ),
            line(
                "– of a set in the storage library",
                "set: storage",
                Instructions,
                Target::None,
            ),
            line(
                "– of a set in the allocator",
                "set: allocator",
                Instructions,
                Target::None,
            ),
            line(
                "– of a set in this project's code",
                "set: own",
                Instructions,
                Target::None,
            ),
            line(
                "– of a set in the system's library",
                "set: rest",
                Instructions,
                Target::None,
            ),
        ],
    },
];

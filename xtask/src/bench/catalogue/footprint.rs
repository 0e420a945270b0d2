//! Disk, memory and the time to start, also with many users.

use super::{Row, Target, Turns, beside, line};
use crate::bench::figures::Unit::{BytesPerKey, Mebibytes, Millis, PerSecond, Times};
use crate::bench::rows::{namespaces, opening, space};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "disk",
        about: "Writes a million entries of 1 KB that can't be compressed, overwrites each three \
                times, all in random order and in commits of 100, and waits until the folder's \
                size has stayed the same for 10 s, at most 5 minutes, without closing the store. \
                Times the bytes of keys and values.",
        turns: Turns::Once,
        programs: &[],
        measure: space::overwritten,
        lines: &[
            line(
                "disk after overwriting 1 million entries three times",
                "settled",
                Times,
                Target::AtMost(2.0),
            ),
            line(
                "disk when the last one was written",
                "when written",
                Times,
                Target::None,
            ),
            line(
                "time until it has settled",
                "milliseconds to settle",
                Millis,
                Target::AtMost(300_000.0),
            ),
        ],
    },
    Row {
        name: "size-small",
        about: "Memory of a server with 10 million entries of 100 bytes, when it has opened and \
                after random reads over 64 connections, and the disk that they take.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: space::small,
        lines: &[
            line(
                "memory with 10 million keys of 100 bytes, opened",
                "memory when opened",
                Mebibytes,
                Target::None,
            ),
            line(
                "memory with 10 million keys of 100 bytes, in use",
                "memory after reads",
                Mebibytes,
                Target::None,
            ),
            line(
                "memory for each of them",
                "memory for each key",
                BytesPerKey,
                Target::None,
            ),
            line(
                "disk for each of them",
                "disk for each key",
                BytesPerKey,
                Target::None,
            ),
        ],
    },
    Row {
        name: "size-1k",
        about: "The same with a million entries of 1 KB.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: space::kilobytes,
        lines: &[
            line(
                "memory with 1 million keys of 1 KB, opened",
                "memory when opened",
                Mebibytes,
                Target::None,
            ),
            line(
                "memory with 1 million keys of 1 KB, in use",
                "memory after reads",
                Mebibytes,
                Target::None,
            ),
            line(
                "memory for each of them (1 KB)",
                "memory for each key",
                BytesPerKey,
                Target::None,
            ),
            line(
                "disk for each of them (1 KB)",
                "disk for each key",
                BytesPerKey,
                Target::None,
            ),
        ],
    },
    Row {
        name: "open-clean",
        about: "Opens a store of 10 million keys that was closed in good order: from the start of \
                the process until `/readyz` says yes. Files are in the operating system's cache.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: opening::clean,
        lines: &[line(
            "opening 10 million keys, closed before",
            "ready",
            Millis,
            Target::AtMost(1_000.0),
        )],
    },
    Row {
        name: "open-killed",
        about: "The same after kill -9 while 128 connections set keys of 1 KB.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: opening::killed,
        lines: &[line(
            "opening 10 million keys after kill -9",
            "ready",
            Millis,
            Target::AtMost(3_000.0),
        )],
    },
    Row {
        name: "idle",
        about: "Starts a server on an empty folder; its memory after 2 s without a request.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: opening::idle,
        lines: &[
            line(
                "an empty server, ready after",
                "ready",
                Millis,
                Target::AtMost(100.0),
            ),
            line(
                "an empty server, idle, memory",
                "memory",
                Mebibytes,
                Target::AtMost(28.6),
            ),
        ],
    },
    Row {
        name: "many-users",
        about: "100,000 users with 100 keys of 100 bytes each, beside one user with 10 million; \
                every request is by a random user. Gets over 64 connections, sets over 128, pages \
                of 100 keys one at a time, and the server's memory after all that.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: namespaces::many,
        lines: &[
            beside(
                "100,000 users: GET",
                "many: gets",
                PerSecond,
                "one: gets",
                Target::None,
            ),
            beside(
                "100,000 users: durable set",
                "many: sets",
                PerSecond,
                "one: sets",
                Target::None,
            ),
            beside(
                "100,000 users: page",
                "many: page",
                Millis,
                "one: page",
                Target::None,
            ),
            beside(
                "100,000 users: ready after",
                "many: ready",
                Millis,
                "one: ready",
                Target::None,
            ),
            beside(
                "100,000 users: memory",
                "many: memory",
                Mebibytes,
                "one: memory",
                Target::None,
            ),
        ],
    },
];

//! Large stores: listings, deletions, space, starting, many users.

use super::{Row, Target, Turns, beside, line};
use crate::bench::figures::Unit::{BytesPerKey, Mebibytes, Millis, PerSecond, Times};
use crate::bench::rows::{deletes, namespaces, opening, pages, space};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "page",
        about: "Lists 100 keys after a random one, one request at a time, out of 10 million and \
                out of 10,000; median times.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: pages::page,
        lines: &[beside(
            "a page of 100 keys out of 10 million",
            "of many keys",
            Millis,
            "of 10,000 keys",
            Target::RatioAtMost(1.5),
        )],
    },
    Row {
        name: "list-all",
        about: "Lists a million keys without a limit and counts them as they come. The same \
                listing runs once before, so that the cache, which has a limit of its own, is \
                full; growth is the peak of resident memory less what there was.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: pages::listing,
        lines: &[
            line(
                "listing 1 million keys, growth of memory",
                "growth",
                Mebibytes,
                Target::AtMost(16.0),
            ),
            line(
                "listing 1 million keys, first byte",
                "first byte",
                Millis,
                Target::AtMost(50.0),
            ),
            line(
                "listing 1 million keys, keys",
                "rate",
                PerSecond,
                Target::None,
            ),
        ],
    },
    Row {
        name: "one-level",
        about: "Lists one level (`delimiter=/`) above a million keys in 100 folders, one request \
                at a time.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: pages::level,
        lines: &[
            line(
                "one level over 1 million keys in 100 folders",
                "ours",
                Millis,
                Target::AtMost(10.0),
            ),
            line("one level, p99", "ours, p99", Millis, Target::None),
        ],
    },
    Row {
        name: "delete-100k",
        about: "Deletes a prefix of 100,000 keys out of a million, while 8 connections of another \
                user set and get keys of 1 KB. The page of 100 keys that is timed before and after \
                begins where the deleted keys were; the first second after counts.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: deletes::tenth,
        lines: &[
            line(
                "deleting a prefix of 100,000 keys",
                "deletion",
                Millis,
                Target::AtMost(300.0),
            ),
            line(
                "others meanwhile, p99",
                "others, p99",
                Millis,
                Target::AtMost(50.0),
            ),
            beside(
                "a page over what was deleted",
                "page after",
                Millis,
                "page before",
                Target::RatioAtMost(2.0),
            ),
            line(
                "the first such page",
                "first page after",
                Millis,
                Target::None,
            ),
        ],
    },
    Row {
        name: "delete-1m",
        about: "The same with all of the million keys.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: deletes::everything,
        lines: &[
            line(
                "deleting a prefix of 1 million keys",
                "deletion",
                Millis,
                Target::None,
            ),
            line(
                "others meanwhile (1 million), p99",
                "others, p99",
                Millis,
                Target::AtMost(50.0),
            ),
            beside(
                "a page over what was deleted (1 million)",
                "page after",
                Millis,
                "page before",
                Target::RatioAtMost(2.0),
            ),
            line(
                "the first such page (1 million)",
                "first page after",
                Millis,
                Target::None,
            ),
        ],
    },
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

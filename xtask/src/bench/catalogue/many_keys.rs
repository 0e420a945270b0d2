//! Listings and deletions of many keys.

use super::{Row, Target, Turns, beside, line};
use crate::bench::figures::Unit::{Mebibytes, Millis, PerSecond};
use crate::bench::rows::{deletes, pages};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "page",
        about: "Lists 100 keys after a random one, one request at a time, out of 10 million and \
                out of 10,000, with the stores' files in the operating system's cache; median \
                times.",
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
        about: "Lists a million keys without a limit and counts them as they come. All of them are \
                read in pages before, so that the cache, which has a limit of its own, is full; \
                growth is the peak of resident memory less what there was.",
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
];

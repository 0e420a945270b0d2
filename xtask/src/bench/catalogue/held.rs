//! Requests that are held: waits, watches, and workers that claim.

use super::{Row, Target, Turns, beside, line};
use crate::bench::figures::Unit::{Kibibytes, Millis, PerSecond};
use crate::bench::rows::held;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "waits",
        about: "Lets 10,000 requests of one user wait, each for a key of its own; memory is what the \
                server has grown by, connections included. Then 2,000 of the keys are set one after \
                another; each set has to wake its waiter and nobody else, and is timed from being \
                sent to the waiter's answer. Gets one hot key over 64 connections before, and beside \
                them.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: held::waits,
        lines: &[
            line(
                "10,000 requests that wait, memory of each",
                "memory of a wait",
                Kibibytes,
                Target::AtMost(20.0),
            ),
            line(
                "from a set to its waiter among them, median",
                "from a set to its waiter, median",
                Millis,
                Target::None,
            ),
            line(
                "from a set to its waiter among them, p99",
                "from a set to its waiter, p99",
                Millis,
                Target::AtMost(20.0),
            ),
            beside(
                "GET beside 10,000 requests that wait, and alone",
                "reads beside",
                PerSecond,
                "reads alone",
                Target::None,
            ),
            line(
                "GET beside 10,000 requests that wait, p99",
                "reads beside, p99",
                Millis,
                Target::None,
            ),
        ],
    },
    Row {
        name: "watches",
        about: "Lets 1,000 watches listen to 100 prefixes. 200 keys are set in a second, under all of \
                them in turn, and timed from being sent to each event of the ten watches of a prefix; \
                then 32 connections set as many as they can. Every event has to come once. Gets one \
                hot key over 64 connections before, and beside watches that 200 sets in a second are \
                told to.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: held::watches,
        lines: &[
            line(
                "1,000 watches of busy prefixes, memory of each",
                "memory of a watch",
                Kibibytes,
                Target::None,
            ),
            line(
                "from a set to its event, median",
                "from a set to its event, median",
                Millis,
                Target::None,
            ),
            line(
                "from a set to its event, p99",
                "from a set to its event, p99",
                Millis,
                Target::None,
            ),
            line(
                "sets that ten watches each are told, as many as can be",
                "sets",
                PerSecond,
                Target::None,
            ),
            line("events of them", "events", PerSecond, Target::None),
            beside(
                "GET beside 1,000 watches, and alone",
                "reads beside",
                PerSecond,
                "reads alone",
                Target::None,
            ),
            line(
                "GET beside 1,000 watches, p99",
                "reads beside, p99",
                Millis,
                Target::None,
            ),
        ],
    },
    Row {
        name: "claims",
        about: "500 workers claim and delete 20,000 pieces of one queue, and each has to be handed out \
                once. One worker takes pieces alone where 1,000 are taken and 100,000 wait, beside \
                plain sets. 500 workers wait for pieces that come 200 in a second, timed from the set \
                to the worker who has it. Gets one hot key over 64 connections before, and beside that.",
        turns: Turns::EveryRound,
        programs: &[],
        measure: held::claims,
        lines: &[
            line(
                "500 workers, pieces claimed and deleted",
                "pieces",
                PerSecond,
                Target::None,
            ),
            beside(
                "a claim behind 1,000 live ones, beside a set",
                "taking one, median",
                Millis,
                "setting one, median",
                Target::None,
            ),
            line(
                "a claim behind 1,000 live ones, p99",
                "taking one, p99",
                Millis,
                Target::None,
            ),
            line(
                "500 workers that wait, memory of each",
                "memory of a worker",
                Kibibytes,
                Target::None,
            ),
            line(
                "from a set to its worker, median",
                "from a set to its worker, median",
                Millis,
                Target::None,
            ),
            line(
                "from a set to its worker, p99",
                "from a set to its worker, p99",
                Millis,
                Target::None,
            ),
            beside(
                "GET beside 500 workers, and alone",
                "reads beside",
                PerSecond,
                "reads alone",
                Target::None,
            ),
            line(
                "GET beside 500 workers, p99",
                "reads beside, p99",
                Millis,
                Target::None,
            ),
        ],
    },
];

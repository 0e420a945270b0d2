//! Feeds a parser with the inputs of a corpus, as they are and changed at random. It runs on a stable compiler, without
//! measuring which code an input reaches; the corpus has an input for each form that a parser knows.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "only tests use this, and a finding is a panic"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

/// Inputs of a round.
const ROUND: u32 = 3_000;

/// Changes of one input, at most.
const CHANGES: usize = 8;

/// Bytes that often stand for something: ends of texts and of numbers, separators, brackets.
const TELLING: &[u8] = b"\0\x01\x7f\x80\xff\n\r\t \"'%&+,-./:;=?[\\]{}09azAZ\xc3\xed\xf4";

/// A change of an input, at places in it, which count from its beginning again behind its end.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    /// A part of the input, once more at another place.
    Repeat(usize, usize, usize),
}

/// Runs a parser on each input of a corpus and on many that are made of them. The parser panics where something is wrong
/// with what it finds. A round takes a few seconds; `PROMINENCE_FUZZ_SECONDS` has rounds repeated for so long.
///
/// # Panics
/// With the smallest input that was found to fail.
pub fn run(corpus: &str, parse: impl Fn(&[u8])) {
    let inputs = read(corpus);
    for input in &inputs {
        parse(input);
    }
    let seconds = std::env::var("PROMINENCE_FUZZ_SECONDS");
    let seconds = seconds.map_or(0, |seconds| seconds.parse().unwrap());
    let (began, time) = (Instant::now(), Duration::from_secs(seconds));
    let strategy = (select(inputs), vec(changes(), 1..=CHANGES));
    let strategy = strategy.prop_map(|(input, changes)| changes.iter().fold(input, apply));
    loop {
        let mut runner = TestRunner::new(Config {
            cases: ROUND,
            failure_persistence: None,
            ..Config::default()
        });
        let round = runner.run(&strategy, |input| {
            parse(&input);
            Ok(())
        });
        if let Err(finding) = round {
            panic!("{corpus}: {finding}");
        }
        if began.elapsed() >= time {
            return;
        }
    }
}

/// All inputs of a corpus, in the order of their names.
fn read(corpus: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(corpus);
    let files = fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn changes() -> impl Strategy<Value = Change> {
    let place = any::<usize>;
    let byte = || prop_oneof![select(TELLING), any::<u8>()];
    prop_oneof![
        (place(), byte()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (place(), vec(byte(), 1..5)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place(), Just(b'A'), 1..2_000_usize)
            .prop_map(|(at, byte, count)| Change::Insert(at, vec![byte; count])),
        (place(), place()).prop_map(|(from, to)| Change::Remove(from, to)),
        (place(), place(), place()).prop_map(|(from, to, at)| Change::Repeat(from, to, at)),
    ]
}

fn apply(mut input: Vec<u8>, change: &Change) -> Vec<u8> {
    let places = input.len() + 1;
    let range = |from: usize, to: usize| {
        let (from, to) = (from % places, to % places);
        from.min(to)..from.max(to)
    };
    match change {
        Change::Set(at, byte) => {
            if let Some(old) = input.get_mut(at % places) {
                *old = *byte;
            }
        }
        Change::Insert(at, bytes) => {
            let at = at % places;
            input.splice(at..at, bytes.iter().copied());
        }
        Change::Remove(from, to) => _ = input.drain(range(*from, *to)),
        Change::Repeat(from, to, at) => {
            let part = input[range(*from, *to)].to_vec();
            let at = at % places;
            input.splice(at..at, part);
        }
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "key: ")]
    fn a_parser_that_fails_on_some_inputs_is_found() {
        run("key", |input| {
            assert!(!input.windows(2).any(|pair| pair == b"AA"));
        });
    }

    #[test]
    fn a_change_keeps_within_the_input() {
        let text = || b"abc".to_vec();
        assert_eq!(apply(Vec::new(), &Change::Set(usize::MAX, b'x')), b"");
        assert_eq!(apply(text(), &Change::Set(5, b'x')), b"axc");
        assert_eq!(apply(text(), &Change::Insert(3, b"d".to_vec())), b"abcd");
        assert_eq!(apply(text(), &Change::Remove(2, 4)), b"c");
        assert_eq!(apply(text(), &Change::Repeat(0, 2, 3)), b"abcab");
    }
}

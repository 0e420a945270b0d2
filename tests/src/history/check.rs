//! Every check of a round.

use std::fmt;

use super::operation::{Answer, Round};
use super::{claims, counters, fencing, held, isolation, linear, listing, order, watch};

/// The largest number of findings of one kind that are printed; one fault tends to show in many places.
const TOLD: usize = 5;

/// The largest number of characters of a finding that are printed. The history in the file has all of a long listing.
const TOLD_CHARACTERS: usize = 2_000;

/// The extent of a check.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// The number of requests.
    pub requests: usize,
    /// Of these, those that were not answered.
    pub lost: usize,
    /// Keys, and the windows in which they were searched.
    pub linear: linear::Size,
    /// The number of commits.
    pub commits: usize,
    /// The number of events of watches.
    pub events: usize,
    /// The number of additions to counters.
    pub additions: usize,
    /// The number of claims.
    pub claims: usize,
    /// The number of writes with a lock.
    pub fenced: usize,
    /// The number of waits and barriers.
    pub held: usize,
    /// The number of listings and pages.
    pub listings: usize,
}

/// A violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check that found it.
    pub by: Check,
    /// Its description.
    pub what: String,
}

/// The checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Every answer is one that the interface has.
    Answers,
    /// [`linear`].
    Linearizability,
    /// [`order`].
    Order,
    /// [`watch`].
    Watches,
    /// [`counters`].
    Counters,
    /// [`claims`].
    Claims,
    /// [`fencing`].
    Fencing,
    /// [`isolation`].
    Isolation,
    /// [`held`], and the late ends that [`order`] finds.
    Held,
    /// [`listing`].
    Listings,
}

/// Checks a round of one namespace.
#[must_use]
pub fn check(round: &Round) -> (Size, Vec<Finding>) {
    let records = &round.records;
    let mut findings = Vec::new();
    let mut found = |by, what: Vec<String>| {
        for what in what.into_iter().take(TOLD) {
            let what = what.chars().take(TOLD_CHARACTERS).collect();
            findings.push(Finding { by, what });
        }
    };
    let odd = records
        .iter()
        .filter(|record| matches!(record.answer, Answer::Odd(..)))
        .map(|record| format!("{record:?}"));
    found(Check::Answers, odd.collect());
    let order = order::check(round);
    found(Check::Order, order.findings);
    let (held, mut what) = held::check(round);
    what.extend(order.late);
    found(Check::Held, what);
    let (listings, what) = listing::check(round);
    found(Check::Listings, what);
    let (events, what) = watch::check(round);
    found(Check::Watches, what);
    let (additions, what) = counters::check(round);
    found(Check::Counters, what);
    let (claims, what) = claims::check(round);
    found(Check::Claims, what);
    let (fenced, what) = fencing::check(round);
    found(Check::Fencing, what);
    let (_, what) = isolation::check(round);
    found(Check::Isolation, what);
    let (linear, what) = linear::check(round);
    found(Check::Linearizability, what);
    let lost = records.iter().filter(|one| one.answer == Answer::Lost);
    let size = Size {
        requests: records.len(),
        lost: lost.count(),
        linear,
        commits: order.commits,
        events,
        additions,
        claims,
        fenced,
        held,
        listings,
    };
    (size, findings)
}

impl Size {
    /// Adds the extent of another round.
    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.lost += other.lost;
        self.linear.keys = self.linear.keys.max(other.linear.keys);
        self.linear.windows += other.linear.windows;
        self.linear.largest = self.linear.largest.max(other.linear.largest);
        self.commits += other.commits;
        self.events += other.events;
        self.additions += other.additions;
        self.claims += other.claims;
        self.fenced += other.fenced;
        self.held += other.held;
        self.listings += other.listings;
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {} of them lost; {} commits; {} keys in {} windows of at most {}; \
             {} events; {} additions; {} claims; {} fenced writes; {} waits; {} listings",
            self.requests,
            self.lost,
            self.commits,
            self.linear.keys,
            self.linear.windows,
            self.linear.largest,
            self.events,
            self.additions,
            self.claims,
            self.fenced,
            self.held,
            self.listings
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.by, self.what)
    }
}

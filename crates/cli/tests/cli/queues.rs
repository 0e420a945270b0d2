//! `kv claim` by several processes.

mod attempts;
mod reports;
mod until_empty;

use std::collections::BTreeMap;
use std::time::Duration;

use prominence_core::{Key, Prefix};
use serde_json::Value;

use crate::running::{Job, Place};
use crate::support::{Person, Ran};

/// Says where it is and stays there until it is told to go on.
const STAY: &str = "echo $$ > pid; until [ -e go ]; do sleep 0.02; done";

/// Puts pieces of work into the queue.
fn fill(me: &Person<'_>, names: &[&str]) {
    for name in names {
        me.kv(&["set", &format!("/queue/{name}"), "--string", name])
            .text();
    }
}

fn claim(me: &Person<'_>, options: &[&str], script: &str, place: &Place) -> Job {
    let all = [&["claim", "/queue/", "--until-empty"], options].concat();
    Job::start(me, &all, script, place)
}

fn keys(me: &Person<'_>, prefix: &str) -> String {
    me.kv(&["list", prefix]).text()
}

/// The number of times that each line is in a file.
fn counted(place: &Place, name: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in place.read(name).lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

/// Claims a key for somebody who is not heard of again.
fn hold(me: &Person<'_>, time: u64) -> Key {
    let prefix = Prefix::parse("/queue/").unwrap();
    let held = me.client().claim(&prefix, Duration::from_secs(time), None);
    held.unwrap().expect("something is free").key
}

/// The lines that `--json` printed.
fn events(ran: &Ran) -> Vec<Value> {
    let text = String::from_utf8(ran.stdout.clone()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

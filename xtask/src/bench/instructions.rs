//! Instructions of one request, counted by valgrind's callgrind: the measure of its cost that varies least.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use ureq::Agent;

use super::figures::Figures;
use super::lab::{Lab, Names};
use super::subject::{Subject, VALUE_BYTES};
use crate::sh;

/// Numbers of requests in two runs. The difference of their instructions is the cost of the further requests, without
/// start and stop of the server.
const FEW: u32 = 200;
const MANY: u32 = 2_200;

/// The part of functions that belong to no other part: the system's library, the standard library.
const REST: &str = "rest";

/// The beginnings of names of functions, by the part of the program to which these belong.
type Parts = BTreeMap<String, Vec<String>>;

/// Instructions by part.
type Profile<'a> = BTreeMap<&'a str, f64>;

/// Gets the one key, or sets it.
type Ask = fn(&Agent, &str, &str) -> anyhow::Result<Vec<u8>>;

/// Counts a get of a hot key and a durable set, both of 1 KB over one connection; and the same for a bare server, which
/// shows the cost of any server that reads HTTP, appends and syncs.
pub(crate) fn count(lab: &Lab, figures: &mut Figures) -> anyhow::Result<()> {
    if let Some(reason) = lab.lacks("valgrind") {
        bail!(reason);
    }
    let get: Ask = |agent, url, token| {
        let answer = agent.get(url).header("authorization", token).call();
        Ok(answer?.body_mut().read_to_vec()?)
    };
    let set: Ask = |agent, url, token| {
        let request = agent.post(url).header("authorization", token);
        Ok(request
            .send(&[b'x'; VALUE_BYTES][..])?
            .body_mut()
            .read_to_vec()?)
    };
    for (name, ask) in [("get", get), ("set", set)] {
        let ours = cost(lab, "ours", ask)?;
        let bare = cost(lab, "bare-appending", ask)?;
        figures.insert(format!("bare hyper, {name}"), Ok(bare.values().sum()));
        figures.insert(name.to_owned(), Ok(ours.values().sum()));
        for (part, instructions) in ours {
            figures.insert(format!("{name}: {part}"), Ok(instructions));
        }
    }
    Ok(())
}

/// Instructions for each request.
fn cost<'a>(lab: &Lab<'a>, subject: &str, ask: Ask) -> anyhow::Result<Profile<'a>> {
    let few = run(lab, subject, FEW, ask)?;
    let mut many = run(lab, subject, MANY, ask)?;
    for (part, instructions) in &mut many {
        *instructions = (*instructions - few[part]) / f64::from(MANY - FEW);
    }
    Ok(many)
}

/// Instructions of a server that gets this number of requests.
fn run<'a>(lab: &Lab<'a>, of: &str, times: u32, ask: Ask) -> anyhow::Result<Profile<'a>> {
    let folder = lab.folder()?;
    let counted = folder.path().join("callgrind.out");
    let file = format!("--callgrind-out-file={}", counted.display());
    let valgrind = ["valgrind", "--quiet", "--tool=callgrind", &file];
    let valgrind = valgrind.map(str::to_owned);
    let data = folder.path().join("data");
    std::fs::create_dir(&data)?;
    let mut names = Names::new(&data, "");
    names.set("users", 1);
    let server = Subject::start(lab, of, names, &valgrind, &[])?;
    server.post("/hot", &"x".repeat(VALUE_BYTES))?;
    let (agent, url) = (ureq::agent(), server.names.fill("{url}/hot"));
    let token = server.names.fill("Bearer {token}");
    for _ in 0..times {
        ask(&agent, &url, &token)?;
    }
    server.stop()?;
    read(&counted, &lab.catalogue.parts)
}

/// Reads the output file of callgrind.
fn read<'a>(file: &Path, parts: &'a Parts) -> anyhow::Result<Profile<'a>> {
    let mut annotate = Command::new("callgrind_annotate");
    // Every function, and no source lines.
    annotate.args(["--threshold=100", "--auto=no"]).arg(file);
    parse(&sh::output(&mut annotate)?, parts)
}

/// Reads the list of functions, `1,234 (5.60%)  FILE:FUNCTION [OBJECT]`, and skips the headings.
fn parse<'a>(text: &str, parts: &'a Parts) -> anyhow::Result<Profile<'a>> {
    let all = parts.keys().map(String::as_str).chain([REST]);
    let mut profile: Profile<'_> = all.map(|part| (part, 0.0)).collect();
    for line in text.lines() {
        let function = line
            .trim_start()
            .split_once(" (")
            .and_then(|(count, place)| {
                let (_, place) = place.split_once(")  ")?;
                let (_, function) = place.split_once(':')?;
                Some((count, function.split(" [").next().unwrap_or(function)))
            });
        if let Some((count, function)) = function {
            let count = count.replace(',', "").parse::<f64>();
            let count = count.with_context(|| line.to_owned())?;
            *profile.entry(part_of(function, parts)).or_default() += count;
        }
    }
    Ok(profile)
}

/// The part of a function: that of the first crate in its name, the standard library excepted. For `<hyper::Body as
/// core::Future>::poll` it is that of hyper.
fn part_of<'a>(name: &str, parts: &'a Parts) -> &'a str {
    let mut words = name.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let found = words.find_map(|word| {
        let belongs = |starts: &[String]| starts.iter().any(|start| word.starts_with(start));
        parts.iter().find(|(_, starts)| belongs(starts))
    });
    found.map_or(REST, |(part, _)| part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rows::Catalogue;

    #[test]
    fn instructions_count_for_the_part_that_their_function_is_named_after() {
        let text = "\
Profile data file 'callgrind.out' (creator: callgrind-3.19.0)
--------------------------------------------------------------------------------
Ir
1,407 (100.0%)  PROGRAM TOTALS

Ir             file:function
  600 (42.64%)  ???:<hyper::Body as core::future::Future>::poll [/home/prominence]
  500 (35.54%)  ???:prominence_server::front::call'2 [/home/prominence]
  300 (21.32%)  ???:mi_malloc [/home/prominence]
    7 ( 0.50%)  ./string/memcpy.S:memcpy [/usr/lib/libc.so.6]
";
        let parts = Catalogue::read().unwrap().parts;
        let profile = parse(text, &parts).unwrap();
        let counts = ["own", "HTTP", "allocator", "rest", "storage"].map(|part| profile[part]);
        assert_eq!(counts, [500.0, 600.0, 300.0, 7.0, 0.0]);
        assert_eq!(profile.values().sum::<f64>(), 1_407.0);
    }
}

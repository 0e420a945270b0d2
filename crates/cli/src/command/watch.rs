//! `prominence kv watch`: changes as they happen, each printed at once.

use std::io::Write as _;

use prominence_api::name::event;
use prominence_api::{Changed, Reset};
use prominence_client::{Client, Event, Start, Told, WatchOptions};
use prominence_core::Prefix;
use serde::Serialize;

use crate::args::kv::wait::Watch;
use crate::failure::Failure;
use crate::output::{Look, Output};

/// A line that `--json` prints.
#[derive(Serialize)]
struct Line<T> {
    event: &'static str,
    #[serde(flatten)]
    data: T,
}

pub(super) fn run(options: &Watch, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let prefix = options.prefix.clone().unwrap_or(Prefix::everything());
    let watch = client.watch(
        &prefix,
        WatchOptions {
            start: options.since.map_or(Start::Now, Start::After),
            show: if options.values {
                Told::Values
            } else {
                Told::Keys
            },
            ..WatchOptions::default()
        },
    );
    for event in watch {
        let event = event?;
        if options.json {
            json(event, output)?;
        } else {
            plain(event, output)?;
        }
        output.flush()?;
    }
    Ok(())
}

fn json(event: Event, output: &mut Output) -> Result<(), Failure> {
    match event {
        Event::Put(data) => line(event::PUT, data, output),
        Event::Delete(data) => line(event::DELETE, data, output),
        Event::Expire(data) => line(event::EXPIRE, data, output),
        Event::Reset(revision) => {
            let revision = revision.get();
            line(event::RESET, Reset { revision }, output)
        }
    }
}

fn line(event: &'static str, data: impl Serialize, output: &mut Output) -> Result<(), Failure> {
    serde_json::to_writer(&mut *output, &Line { event, data }).map_err(std::io::Error::from)?;
    writeln!(output)?;
    Ok(())
}

/// Time, event, key, size and job, as far as they apply.
fn plain(event: Event, output: &mut Output) -> Result<(), Failure> {
    let (name, changed) = match event {
        Event::Put(changed) => (event::PUT, changed),
        Event::Delete(changed) => (event::DELETE, changed),
        Event::Expire(changed) => (event::EXPIRE, changed),
        Event::Reset(revision) => {
            let name = event::RESET;
            writeln!(
                output,
                "{name}: changes up to revision {revision} are missing; list again"
            )?;
            return Ok(());
        }
    };
    let Changed {
        key,
        time,
        job,
        size,
        ..
    } = changed;
    output.styled(Look::Faint, &time)?;
    write!(output, "  {name:6}  {key}")?;
    if let Some(size) = size {
        write!(output, "  {size}")?;
    }
    if let Some(job) = job {
        write!(output, "  {job}")?;
    }
    writeln!(output)?;
    Ok(())
}

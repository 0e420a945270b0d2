//! `prominence kv watch`: changes as they happen, each printed at once.

use std::io::Write as _;

use prominence_api::name::event;
use prominence_api::{Changed, Listed, Reset};
use prominence_client::{Client, Event, ListOptions, Pages, Show, Start, Told, WatchOptions};
use prominence_core::{Prefix, Revision};
use serde::Serialize;

use super::list::unexpected;
use crate::args::kv::wait::Watch;
use crate::failure::Failure;
use crate::output::{Look, Output, Reader};

/// A line that `--json` prints.
#[derive(Serialize)]
struct Line<T> {
    event: &'static str,
    #[serde(flatten)]
    data: T,
}

/// The event of a key that was there when the watch began. No server sends it.
const EXISTING: &str = "existing";

/// The most repetitions of the listing because changes after it are no longer kept. A log
/// that is shorter than a listing takes would otherwise have them printed without end.
const MAX_LISTINGS: u32 = 5;

/// Prints lines in the form that was asked for.
struct Printer<'a> {
    output: &'a mut Output,
    options: &'a Watch,
}

pub(super) fn run(options: &Watch, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let mut printer = Printer { output, options };
    printer.head()?;
    if options.existing {
        return existing(options, client, &mut printer);
    }
    let start = options.since.map_or(Start::Now, Start::After);
    for event in watch(options, client, start) {
        printer.event(event?)?;
        printer.output.flush()?;
    }
    Ok(())
}

fn watch<'a>(options: &Watch, client: &'a Client, start: Start) -> prominence_client::Watch<'a> {
    let show = if options.values {
        Told::Values
    } else {
        Told::Keys
    };
    let options_of_watch = WatchOptions {
        start,
        show,
        ..WatchOptions::default()
    };
    client.watch(&prefix(options), options_of_watch)
}

fn prefix(options: &Watch) -> Prefix {
    options.prefix.clone().unwrap_or(Prefix::everything())
}

/// Prints what is there and goes on with the changes after it; again from the beginning where
/// changes are missing.
fn existing(options: &Watch, client: &Client, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let mut listings = 0;
    loop {
        listings += 1;
        let pages = list(options, client, printer)?;
        let start = pages.first().ok_or_else(too_old)?;
        let mut is_complete = true;
        for event in watch(options, client, Start::After(start)) {
            match event {
                Err(error) if error.is_compacted() && listings < MAX_LISTINGS => {
                    printer.event(Event::Reset(start))?;
                    is_complete = false;
                    break;
                }
                Ok(event @ Event::Reset(_)) => {
                    printer.event(event)?;
                    is_complete = false;
                    break;
                }
                Ok(Event::Put(changed) | Event::Delete(changed) | Event::Expire(changed))
                    if pages.show(&changed.key, Revision::new(changed.revision)) => {}
                event => {
                    printer.event(event?)?;
                    listings = 0;
                }
            }
            printer.output.flush()?;
        }
        if is_complete {
            return Ok(());
        }
    }
}

/// Prints the keys that are there, and gives the revisions of the pages that showed them.
fn list(options: &Watch, client: &Client, printer: &mut Printer<'_>) -> Result<Pages, Failure> {
    let show = if options.values {
        Show::Entries
    } else {
        Show::Details
    };
    let listing = ListOptions {
        show,
        ..ListOptions::default()
    };
    let mut items = client.list(&prefix(options), listing);
    for item in items.by_ref() {
        let Listed::Detail(detail) = item? else {
            return Err(unexpected());
        };
        printer.change(EXISTING, Changed::existing(*detail))?;
    }
    printer.output.flush()?;
    Ok(items.pages().clone())
}

fn too_old() -> Failure {
    Failure::Usage(
        "the server does not say the revision of a listing, so that changes could be missed; \
         watch without --existing, or ask for a newer server"
            .to_owned(),
    )
}

impl Printer<'_> {
    /// The names of the columns, for a person. A program gets the lines alone.
    fn head(&mut self) -> Result<(), Failure> {
        if self.options.json || self.output.reader() == Reader::Pipe {
            return Ok(());
        }
        let width = self.width();
        let head = format!("{:24}  {:width$}  KEY  SIZE  JOB", "TIME", "EVENT");
        self.output.styled(Look::Heading, &head)?;
        writeln!(self.output)?;
        self.output.flush()?;
        Ok(())
    }

    /// Columns that the name of an event takes.
    fn width(&self) -> usize {
        if self.options.existing {
            EXISTING.len()
        } else {
            event::DELETE.len()
        }
    }

    fn event(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Put(changed) => self.change(event::PUT, changed),
            Event::Delete(changed) => self.change(event::DELETE, changed),
            Event::Expire(changed) => self.change(event::EXPIRE, changed),
            Event::Reset(revision) if self.options.json => {
                let revision = revision.get();
                line(event::RESET, Reset { revision }, self.output)
            }
            Event::Reset(revision) => {
                let next = if self.options.existing {
                    "what is there now follows"
                } else {
                    "list again"
                };
                let name = event::RESET;
                writeln!(
                    self.output,
                    "{name}: changes up to revision {revision} are missing; {next}"
                )?;
                Ok(())
            }
        }
    }

    /// Time, event, key, size and job, as far as they apply.
    fn change(&mut self, name: &'static str, changed: Changed) -> Result<(), Failure> {
        if self.options.json {
            return line(name, changed, self.output);
        }
        let width = self.width();
        let output = &mut self.output;
        output.styled(Look::Faint, &changed.time)?;
        write!(output, "  {name:width$}  {}", changed.key)?;
        if let Some(size) = changed.size {
            write!(output, "  {size}")?;
        }
        if let Some(job) = changed.job {
            write!(output, "  {job}")?;
        }
        writeln!(output)?;
        Ok(())
    }
}

fn line(event: &'static str, data: impl Serialize, output: &mut Output) -> Result<(), Failure> {
    serde_json::to_writer(&mut *output, &Line { event, data }).map_err(std::io::Error::from)?;
    writeln!(output)?;
    Ok(())
}

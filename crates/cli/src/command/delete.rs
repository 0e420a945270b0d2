//! `prominence kv delete`: keys, or every key that begins with a prefix.

use std::io::Write as _;

use prominence_client::{Client, Error};
use prominence_core::key::KeyError;
use prominence_core::{Key, Prefix};
use serde::Serialize;

use super::absent::Absent;
use super::keys as count;
use super::siblings::Siblings;
use crate::args::kv::Delete;
use crate::failure::Failure;
use crate::output::{self, Answer, Output, Reader};

/// The output of `--json`.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Shown {
    Deleted(u64),
    WouldDelete(u64),
}

pub(super) fn run(options: &Delete, client: &Client, output: &mut Output) -> Result<(), Failure> {
    if options.prefix {
        let [text] = options.keys.as_slice() else {
            return Err(Failure::Usage(format!(
                "--prefix takes one prefix, and {} are given; delete one after another",
                options.keys.len()
            )));
        };
        return delete_prefix(options, &prefix(text)?, client, output);
    }
    // All of them are read before any is deleted.
    let keys: Vec<_> = options
        .keys
        .iter()
        .map(|text| Key::parse(text).map_err(|error| unusable(text, error)))
        .collect::<Result<_, _>>()?;
    if options.dry_run {
        let mut there = 0;
        for key in &keys {
            there += u64::from(client.head(key)?.is_some());
        }
        return would_delete(there, options, output);
    }
    let deleted = match (options.if_revision, keys.as_slice()) {
        (Some(revision), [key]) => client.delete_revision(key, revision)?,
        (Some(_), _) => {
            return Err(Failure::Usage(
                "--if-revision is about one key; delete one key at a time".to_owned(),
            ));
        }
        (None, keys) => {
            let mut deleted = 0;
            for key in keys {
                deleted += client.delete(key)?;
            }
            deleted
        }
    };
    if options.json {
        output.json_line(&Shown::Deleted(deleted))?;
    }
    Ok(())
}

fn delete_prefix(
    options: &Delete,
    prefix: &Prefix,
    client: &Client,
    output: &mut Output,
) -> Result<(), Failure> {
    let siblings = Siblings::find(client, prefix)?;
    if let Some(siblings) = &siblings {
        siblings.warn(prefix);
    }
    if options.dry_run {
        let keys = client.dry_run(prefix)?;
        if keys == 0 {
            Absent::tell(client, prefix);
        }
        return would_delete(keys, options, output);
    }
    if (prefix.is_everything() || siblings.is_some()) && !options.yes && output::can_ask() {
        ask(prefix, client)?;
    }
    let deleted = match options.if_count {
        None => client.delete_prefix(prefix)?,
        Some(count) => delete_if_count(prefix, count, client)?,
    };
    if deleted == 0 && options.if_count.is_none() {
        Absent::tell(client, prefix);
    }
    if options.json {
        output.json_line(&Shown::Deleted(deleted))?;
    } else {
        output.remark(format_args!("{} deleted", count(deleted)))?;
    }
    Ok(())
}

fn delete_if_count(prefix: &Prefix, count: u64, client: &Client) -> Result<u64, Failure> {
    client
        .delete_prefix_if_count(prefix, count)
        .map_err(|error| match error {
            Error::PreconditionFailed(refusal) => Failure::No(format!(
                "{refusal}; list them with prominence kv list before the next try"
            )),
            other => other.into(),
        })
}

/// A prefix to delete. Nothing at all is refused, because it is what a variable that is not set
/// looks like.
fn prefix(text: &str) -> Result<Prefix, Failure> {
    if text.is_empty() {
        return Err(Failure::Usage(
            "the prefix is empty; write / to delete every key".to_owned(),
        ));
    }
    Prefix::parse(text).map_err(|error| unusable(text, error))
}

/// Asks the person before more is deleted than may be meant.
fn ask(prefix: &Prefix, client: &Client) -> Result<(), Failure> {
    let keys = count(client.dry_run(prefix)?);
    let answer = if prefix.is_everything() {
        let user = client.whoami()?.user;
        output::ask(format_args!("Delete all {keys} of {user}?"))
    } else {
        output::ask(format_args!("Delete all {keys} that begin with {prefix}?"))
    };
    let why = match answer {
        Answer::Yes => return Ok(()),
        Answer::No => "the answer was not y".to_owned(),
        Answer::Nothing(within) => format!(
            "there was no answer within {}",
            prominence_api::time::format_duration(within)
        ),
    };
    Err(Failure::No(format!(
        "nothing was deleted, because {why}; to delete without a question, add --yes"
    )))
}

fn would_delete(keys: u64, options: &Delete, output: &mut Output) -> Result<(), Failure> {
    match output.reader() {
        _ if options.json => output.json_line(&Shown::WouldDelete(keys))?,
        Reader::Terminal => writeln!(output, "{} would be deleted", count(keys))?,
        Reader::Pipe => writeln!(output, "{keys}")?,
    }
    Ok(())
}

fn unusable(text: &str, error: KeyError) -> Failure {
    let hint = match error {
        KeyError::TrailingSlash => "; to delete all that begins with it, add --prefix",
        _ => "",
    };
    Failure::Usage(format!("{text:?} can't be used: {error}{hint}"))
}

//! `prominence kv delete`: one key, or every key that begins with a prefix.

use std::io::Write as _;

use prominence_client::Client;
use prominence_core::key::KeyError;
use prominence_core::{Key, Prefix};

use crate::args::kv::Delete;
use crate::failure::Failure;
use crate::output::{self, Answer, Output, Reader};

pub(super) fn run(options: &Delete, client: &Client, output: &mut Output) -> Result<(), Failure> {
    if options.prefix {
        return delete_prefix(options, &prefix(&options.key)?, client, output);
    }
    let key = Key::parse(&options.key).map_err(|error| unusable(&options.key, error))?;
    if options.dry_run {
        let keys = u64::from(client.head(&key)?.is_some());
        return would_delete(keys, output);
    }
    client.delete(&key)?;
    Ok(())
}

fn delete_prefix(
    options: &Delete,
    prefix: &Prefix,
    client: &Client,
    output: &mut Output,
) -> Result<(), Failure> {
    if options.dry_run {
        return would_delete(client.dry_run(prefix)?, output);
    }
    if prefix.is_everything() && !options.yes {
        ask(client)?;
    }
    let keys = client.delete_prefix(prefix)?;
    output.remark(format_args!("{} deleted", count(keys)))?;
    Ok(())
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

/// Asks the person, if there is one, before everything goes.
fn ask(client: &Client) -> Result<(), Failure> {
    if !output::can_ask() {
        return Ok(());
    }
    let keys = client.dry_run(&Prefix::everything())?;
    let user = client.whoami()?.user;
    match output::ask(format_args!("Delete all {} of {user}?", count(keys))) {
        Answer::Yes => Ok(()),
        Answer::No => Err(Failure::No("nothing was deleted".to_owned())),
    }
}

fn would_delete(keys: u64, output: &mut Output) -> Result<(), Failure> {
    match output.reader() {
        Reader::Terminal => writeln!(output, "{} would be deleted", count(keys))?,
        Reader::Pipe => writeln!(output, "{keys}")?,
    }
    Ok(())
}

fn count(keys: u64) -> String {
    let noun = if keys == 1 { "key" } else { "keys" };
    format!("{keys} {noun}")
}

fn unusable(text: &str, error: KeyError) -> Failure {
    let hint = match error {
        KeyError::TrailingSlash => "; to delete all that begins with it, add --prefix",
        _ => "",
    };
    Failure::Usage(format!("{text:?} can't be used: {error}{hint}"))
}

//! Results, and the inputs that they belong to.

use std::iter::Peekable;

use prominence_api::Detail;
use prominence_client::Client;
use prominence_core::Prefix;

use super::super::below::folder;
use super::super::export::details;
use crate::failure::Failure;

/// A result, and its input with `--join`, if it exists.
pub(super) struct Entry {
    pub(super) result: Box<Detail>,
    pub(super) input: Option<Box<Detail>>,
}

/// Everything below a prefix, without inputs.
pub(super) fn alone<'a>(
    client: &'a Client,
    prefix: &Prefix,
) -> impl Iterator<Item = Result<Entry, Failure>> + use<'a> {
    details(client, prefix).map(|result| {
        Ok(Entry {
            result: result?,
            input: None,
        })
    })
}

/// Everything in one folder with what has the same name in another. Both listings are in the order of
/// their names, so each is read once and held page by page.
pub(super) fn joined<'a>(
    client: &'a Client,
    results: &Prefix,
    inputs: &Prefix,
) -> impl Iterator<Item = Result<Entry, Failure>> + use<'a> {
    let (results, inputs) = (folder(results), folder(inputs));
    let (result_start, input_start) = (results.as_str().len(), inputs.as_str().len());
    let mut inputs = details(client, &inputs).peekable();
    details(client, &results).map(move |result| {
        let result = result?;
        let name = result.key.get(result_start..).unwrap_or_default();
        let input = input_of(name, &mut inputs, input_start)?;
        Ok(Entry { result, input })
    })
}

/// The input of this name; those before it have no result.
fn input_of(
    name: &str,
    inputs: &mut Peekable<impl Iterator<Item = Result<Box<Detail>, Failure>>>,
    start: usize,
) -> Result<Option<Box<Detail>>, Failure> {
    let is_before = |input: &Result<Box<Detail>, Failure>| {
        input
            .as_ref()
            .is_ok_and(|input| input.key.get(start..).unwrap_or_default() < name)
    };
    while inputs.next_if(is_before).is_some() {}
    // A failure ends the listing, and must not be taken for its end.
    let found = inputs.next_if(|input| match input {
        Ok(input) => input.key.get(start..) == Some(name),
        Err(_) => true,
    });
    found.transpose()
}

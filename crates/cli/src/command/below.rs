//! Keys by their names below a prefix, as two folders with the same names have them: `/in/7` and `/out/7`.

use prominence_api::Listed;
use prominence_client::{Client, Levels, ListOptions, Show};
use prominence_core::Prefix;

use super::list::unexpected;
use crate::failure::Failure;

/// The prefix with a `/` at its end: `/in` is also what `/inside` begins with, `/in/` is not.
pub(super) fn folder(prefix: &Prefix) -> Prefix {
    if prefix.as_str().ends_with('/') {
        return prefix.clone();
    }
    // Below a prefix that is as long as a key may be there is no key, and it can stay as it is.
    Prefix::parse(&format!("{prefix}/")).unwrap_or_else(|_| prefix.clone())
}

/// The names below a folder in byte order, without the folder itself.
pub(super) fn names<'a>(
    client: &'a Client,
    folder: &Prefix,
) -> impl Iterator<Item = Result<String, Failure>> + use<'a> {
    let options = ListOptions {
        levels: Levels::All,
        show: Show::Names,
        ..ListOptions::default()
    };
    let start = folder.as_str().len();
    client.list(folder, options).map(move |item| match item {
        Ok(Listed::Name(key)) => key.get(start..).map(str::to_owned).ok_or_else(unexpected),
        Ok(_) => Err(unexpected()),
        Err(error) => Err(error.into()),
    })
}

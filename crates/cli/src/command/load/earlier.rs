//! Rows of an earlier, longer table below the same prefix.

use prominence_api::{Batch, BatchOperation, Listed};
use prominence_client::{Client, Levels, ListOptions, Show};
use prominence_core::limits::MAX_COMMIT_OPERATIONS;
use prominence_core::{Key, Prefix};

use super::super::below::folder;
use super::super::list::unexpected;
use super::super::parallel::{self, Counter};
use super::naming::RowNames;
use crate::failure::Failure;

/// Rows that are below the prefix and not in the table.
#[derive(Default)]
pub(super) struct Others {
    pub(super) count: u64,
    pub(super) first: Option<Key>,
}

/// Counts the rows below the prefix that the table does not have.
pub(super) fn find(client: &Client, prefix: &Prefix, names: &RowNames) -> Result<Others, Failure> {
    let mut others = Others::default();
    for key in keys(client, prefix, names) {
        let key = key?;
        others.count += 1;
        others.first.get_or_insert(key);
    }
    Ok(others)
}

/// Deletes the rows below the prefix that the table does not have, and answers how many there were.
pub(super) fn remove(
    client: &Client,
    prefix: &Prefix,
    names: &RowNames,
    jobs: u16,
) -> Result<u64, Failure> {
    let removed = Counter::default();
    let mut keys = keys(client, prefix, names);
    let groups = std::iter::from_fn(|| {
        let group: Result<Vec<Key>, Failure> = keys.by_ref().take(MAX_COMMIT_OPERATIONS).collect();
        match group {
            Ok(group) if group.is_empty() => None,
            other => Some(other),
        }
    });
    parallel::for_each(jobs, groups, |group: Vec<Key>| {
        let delete = |key: &Key| BatchOperation {
            delete: Some(key.as_str().to_owned()),
            ..BatchOperation::default()
        };
        client.batch(&Batch {
            conditions: Vec::new(),
            operations: group.iter().map(delete).collect(),
        })?;
        removed.add_many(group.len() as u64);
        Ok(())
    })?;
    Ok(removed.get())
}

fn keys<'a>(
    client: &'a Client,
    prefix: &Prefix,
    names: &'a RowNames,
) -> impl Iterator<Item = Result<Key, Failure>> + use<'a> {
    let options = ListOptions {
        levels: if names.are_flat() {
            Levels::One
        } else {
            Levels::All
        },
        show: Show::Names,
        ..ListOptions::default()
    };
    let is_other = names.of_others(prefix);
    let listed = client
        .list(&folder(prefix), options)
        .map(|item| match item {
            Ok(Listed::Name(name)) => Ok(name),
            Ok(_) => Err(unexpected()),
            Err(error) => Err(error.into()),
        });
    listed.filter_map(move |name| match name {
        // A folder's name ends in / and is not a key.
        Ok(name) => Key::parse(&name).ok().filter(|key| is_other(key)).map(Ok),
        Err(failure) => Some(Err(failure)),
    })
}

//! The keys of a table's rows.

use std::collections::{HashMap, HashSet};

use prominence_core::{Key, Prefix};

use super::super::below::folder;
use super::table::{Row, Table};
use crate::args::kv::table::Load;
use crate::failure::Failure;

/// The names of the keys.
pub(super) enum Naming {
    /// By numbers.
    Numbers(Numbers),
    /// By the cell in a column.
    Column(usize),
}

/// Numbers from a first one on.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    start: u64,
    /// Rows that are numbered.
    count: u64,
    /// Digits of each number, with zeros in front; 1 for none.
    width: usize,
}

/// The names that the rows of a table have, and how other rows would be named.
pub(super) enum RowNames {
    /// Numbers.
    Numbers(Numbers),
    /// Cells: their keys, each with the position of its row.
    Keys(HashMap<Key, u64>),
}

impl Numbers {
    pub(super) fn new(options: &Load, count: u64) -> Self {
        let last = options.start + count.saturating_sub(1);
        Self {
            start: options.start,
            count,
            width: if options.pad {
                last.to_string().len()
            } else {
                1
            },
        }
    }

    pub(super) fn name(self, index: u64) -> String {
        let (number, width) = (self.start + index, self.width);
        format!("{number:0width$}")
    }

    /// The longest name.
    pub(super) fn last(self) -> String {
        self.name(self.count.saturating_sub(1))
    }

    fn has(self, name: &str) -> bool {
        let index = name
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_sub(self.start));
        index.is_some_and(|index| index < self.count && self.name(index) == name)
    }
}

impl Naming {
    /// The name of a row below the prefix.
    pub(super) fn name(&self, row: &Row) -> String {
        match self {
            Self::Numbers(numbers) => numbers.name(row.index),
            Self::Column(column) => row.cell(*column).to_owned(),
        }
    }

    /// The key of a row.
    pub(super) fn key(&self, prefix: &Prefix, row: &Row, table: &Table) -> Result<Key, Failure> {
        let name = self.name(row);
        join(prefix, &name).map_err(|why| {
            table.wrong(
                row.position,
                format_args!("has {name:?} for a key, which can't be one: {why}"),
            )
        })
    }
}

impl RowNames {
    /// Selects, among keys below the prefix, those of rows that this table does not have: named by
    /// numbers as its rows are, or as many levels deep.
    pub(super) fn of_others<'a>(&'a self, prefix: &Prefix) -> impl Fn(&Key) -> bool + use<'a> {
        let folder = folder(prefix).as_str().to_owned();
        let depth = |name: &str| name.matches('/').count();
        let depths: HashSet<usize> = match self {
            Self::Numbers(_) => HashSet::new(),
            Self::Keys(keys) => {
                let names = keys
                    .keys()
                    .filter_map(|key| key.as_str().strip_prefix(&folder));
                names.map(depth).collect()
            }
        };
        move |key| {
            let Some(name) = key.as_str().strip_prefix(&folder) else {
                return false;
            };
            match self {
                Self::Numbers(numbers) => {
                    name.bytes().all(|byte| byte.is_ascii_digit()) && !numbers.has(name)
                }
                Self::Keys(keys) => depths.contains(&depth(name)) && !keys.contains_key(key),
            }
        }
    }

    /// True if all rows are on the level below the prefix.
    pub(super) fn are_flat(&self) -> bool {
        matches!(self, Self::Numbers(_))
    }
}

/// The key of a name below a prefix. Only a name that needs no tidying is taken: two names must not
/// become one key.
pub(super) fn join(prefix: &Prefix, name: &str) -> Result<Key, String> {
    if name.trim() != name {
        return Err("it has blanks around it; remove them, or add --trim".to_owned());
    }
    let path = format!("{}{name}", folder(prefix));
    let key = Key::parse(&path).map_err(|error| match name {
        "" => "it is empty".to_owned(),
        _ => error.to_string(),
    })?;
    if key.as_str() == path {
        Ok(key)
    } else {
        Err("it has a / too many".to_owned())
    }
}

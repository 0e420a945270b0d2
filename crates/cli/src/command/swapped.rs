//! The prefix and the file or folder of `kv load`, `export` and `import`, given in the other order. Every text is a
//! prefix, so the parser of arguments takes them.

use std::path::{Path, PathBuf};

use prominence_client::Client;
use prominence_core::Prefix;

use crate::failure::Failure;

/// Refuses a table that does not exist if the prefix is a file.
pub(super) fn check_load(prefix: &Prefix, table: &Path) -> Result<(), Failure> {
    let is_none = !table.exists() || (table.is_dir() && is_prefix(table));
    match typed(prefix, Path::is_file) {
        Some(file) if is_none && is_prefix(table) => Err(Failure::Usage(format!(
            "{} is not a table, and {} is a file; the prefix comes first, as in prominence kv load {} {}",
            table.display(),
            file.display(),
            table.display(),
            file.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses a folder that does not exist if the prefix is one.
pub(super) fn check_import(folder: &Path, prefix: &Prefix) -> Result<(), Failure> {
    match typed(prefix, Path::is_dir) {
        Some(other) if !folder.exists() && is_prefix(folder) => Err(Failure::Usage(format!(
            "there is no folder {}, and there is one {}; the folder comes first, as in prominence kv import {} {}",
            folder.display(),
            other.display(),
            other.display(),
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses a folder that does not exist and that keys have, if no key begins with the prefix: an export makes
/// the folder, and would succeed without a file in it.
pub(super) fn check_export(client: &Client, prefix: &Prefix, folder: &Path) -> Result<(), Failure> {
    if !is_prefix(folder) || folder.symlink_metadata().is_ok() || client.count(prefix)? > 0 {
        return Ok(());
    }
    let meant = folder.to_str().and_then(|text| Prefix::parse(text).ok());
    // A token that may not count there has no keys there to export.
    let keys = meant.map_or(0, |meant| client.count(&meant).unwrap_or(0));
    if keys == 0 {
        return Ok(());
    }
    let other = typed(prefix, Path::is_dir).unwrap_or_else(|| relative(prefix).to_owned());
    Err(Failure::Usage(format!(
        "no key begins with {prefix}, and {} in {}; the prefix comes first, as in prominence kv export {} {}",
        if keys == 1 {
            "one is".to_owned()
        } else {
            format!("{keys} are")
        },
        folder.display(),
        folder.display(),
        other.display()
    )))
}

/// True if a path looks like a prefix, which begins with a `/` in all documentation.
fn is_prefix(path: &Path) -> bool {
    path.is_absolute() && path.parent().is_some()
}

/// The path that was typed for a prefix, if it exists.
fn typed(prefix: &Prefix, is: fn(&Path) -> bool) -> Option<PathBuf> {
    let paths = [relative(prefix), Path::new(prefix.as_str())];
    let found = paths
        .into_iter()
        .find(|path| path.parent().is_some() && is(path));
    found.map(Path::to_owned)
}

/// A prefix as a path from the current folder: it has a `/` in front that may not have been typed.
fn relative(prefix: &Prefix) -> &Path {
    Path::new(prefix.as_str().trim_start_matches('/'))
}

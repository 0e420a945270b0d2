//! `prominence kv import`: a key for each file. The folder is walked twice: once to see whether all
//! of it can be stored, and once to store it, so that memory doesn't grow with it.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::path::PathBuf;

use prominence_client::{Client, Error, SetOptions};
use prominence_core::{Key, Prefix};
use serde::Serialize;

use super::export;
use super::file_name::key_of;
use super::folder::{self, Found, walk};
use super::parallel::{self, Counter};
use super::siblings::surprises;
use super::swapped;
use super::value_limit::value_limit;
use crate::args::kv::copy::Import;
use crate::failure::Failure;
use crate::output::{Output, Progress, Show, warn};

/// The most names in a message about many files; the rest are only counted.
const MAX_NAMED: usize = 10;

/// The output of `--json`.
#[derive(Serialize)]
struct Shown {
    /// Keys that were stored.
    stored: u64,
    /// Keys that were there already with the same value.
    unchanged: u64,
}

/// The output of `--json --dry-run`, one a line.
#[derive(Serialize)]
struct WouldStore<'a> {
    key: &'a str,
}

/// A file and its key.
struct Source {
    path: PathBuf,
    key: Key,
    bytes: u64,
}

pub(super) fn run(options: &Import, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let prefix = &options.prefix;
    swapped::check_import(&options.folder, prefix)?;
    let length = check(options, value_limit(client)?)?;
    let stored_entries = StoredEntries::list(client, prefix)?;
    let sources = walk(&options.folder)?.filter_map(|found| match found {
        Ok(Found::File { path, names, bytes }) => Some(source(prefix, path, &names, bytes)),
        Ok(Found::Left(_)) => None,
        Err(failure) => Some(Err(failure)),
    });
    if options.dry_run {
        return dry_run(sources, &stored_entries, options, output);
    }
    let progress = Progress::new(Show::unless(options.quiet), "importing", length);
    let (stored, already) = (Counter::default(), Counter::default());
    let outcome = parallel::for_each(options.jobs, sources, |Source { path, key, bytes }| {
        let value = folder::read(&path)?;
        if value.len() as u64 != bytes {
            return Err(Failure::Usage(format!(
                "{} changed while it was imported; wait until its writer is done",
                path.display()
            )));
        }
        if stored_entries.has(&key, &value) {
            already.add();
        } else {
            client.set(&key, &value, &SetOptions::default())?;
            stored.add();
        }
        progress.step();
        Ok(())
    });
    drop(progress);
    let done = format!(
        "{} stored, {} there already",
        super::keys(stored.get()),
        already.get()
    );
    match outcome {
        Ok(()) if options.json => Ok(output.json_line(&Shown {
            stored: stored.get(),
            unchanged: already.get(),
        })?),
        Ok(()) if options.quiet => Ok(()),
        Ok(()) => Ok(output.remark(done)?),
        Err(failure) => Err(failure.after(format!("{done}; run it again to go on"))),
    }
}

/// Prints the keys that would be stored.
fn dry_run(
    sources: impl Iterator<Item = Result<Source, Failure>>,
    stored_entries: &StoredEntries,
    options: &Import,
    output: &mut Output,
) -> Result<(), Failure> {
    for source in sources {
        let Source { path, key, .. } = source?;
        if stored_entries.has(&key, &folder::read(&path)?) {
            continue;
        }
        if options.json {
            output.json_line(&WouldStore { key: key.as_str() })?;
        } else {
            writeln!(output, "{key}")?;
        }
    }
    Ok(())
}

/// Checks that every file can be a value, and counts them.
fn check(options: &Import, limit: u64) -> Result<u64, Failure> {
    let mut left = FirstNames::default();
    let mut large = FirstNames::default();
    let mut misnamed = FirstNames::default();
    let mut siblings = FirstNames::default();
    let mut files = 0;
    for found in walk(&options.folder)? {
        match found? {
            Found::Left(what) => left.add(what),
            Found::File { path, names, bytes } => {
                files += 1;
                if bytes > limit {
                    large.add(format_args!(
                        "{} has {}",
                        path.display(),
                        super::counted(bytes, "byte")
                    ));
                }
                match source(&options.prefix, path, &names, bytes) {
                    Err(failure) => misnamed.add(failure),
                    Ok(source) if surprises(&options.prefix, source.key.as_str()) => {
                        siblings.add(source.key);
                    }
                    Ok(_) => {}
                }
            }
        }
    }
    if large.count > 0 {
        return Err(Failure::Usage(format!(
            "{} than the limit of {limit} bytes for a value: {large}; nothing was stored; leave \
             them out, compress them, or have the server's operator raise value-limit",
            match large.count {
                1 => "1 file has more".to_owned(),
                count => format!("{count} files have more"),
            },
        )));
    }
    if misnamed.count > 0 {
        return Err(Failure::Usage(format!(
            "the names of {} can't be keys: {misnamed}; nothing was stored; rename them",
            super::files(misnamed.count),
        )));
    }
    if left.count > 0 {
        warn(format_args!("left out: {left}"));
    }
    if siblings.count > 0 && !options.quiet {
        let prefix = &options.prefix;
        warn(format_args!(
            "{} outside the folder {prefix}/ {} imported as well ({siblings}); to leave such keys out, remove \
             the files with %+ in their names",
            super::keys(siblings.count),
            if siblings.count == 1 { "is" } else { "are" }
        ));
    }
    Ok(files)
}

fn source(
    prefix: &Prefix,
    path: PathBuf,
    names: &[OsString],
    bytes: u64,
) -> Result<Source, Failure> {
    let texts: Option<Vec<_>> = names.iter().map(|name| name.to_str()).collect();
    let Some(texts) = texts else {
        let name = path.display();
        return Err(Failure::Usage(format!("{name} is not valid UTF-8")));
    };
    match key_of(prefix, &texts) {
        Ok(key) => Ok(Source { path, key, bytes }),
        Err(error) => Err(Failure::Usage(format!("{} {error}", path.display()))),
    }
}

/// Files or keys with the same mistake: the first few names, and their number.
#[derive(Default)]
struct FirstNames {
    first: Vec<String>,
    count: u64,
}

impl FirstNames {
    fn add(&mut self, what: impl fmt::Display) {
        self.count += 1;
        if self.first.len() < MAX_NAMED {
            self.first.push(what.to_string());
        }
    }
}

impl fmt::Display for FirstNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.join(", "))?;
        match self.count - self.first.len() as u64 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// The entries that are stored already and stay: a fingerprint of 128 bits for each key with its value, in some 32
/// bytes of memory.
struct StoredEntries {
    hashers: [RandomState; 2],
    fingerprints: HashSet<u128>,
}

impl StoredEntries {
    /// Reads the entries, in few requests, since values come with the listing. Entries that expire are left out,
    /// because the imported ones stay. With a token that may only write no entry can be read, and every file is stored.
    fn list(client: &Client, prefix: &Prefix) -> Result<Self, Failure> {
        let mut stored_entries = Self {
            hashers: [RandomState::new(), RandomState::new()],
            fingerprints: HashSet::new(),
        };
        for detail in export::details(client, prefix) {
            let detail = match detail {
                Ok(detail) => detail,
                Err(Failure::Request(error)) if matches!(*error, Error::Forbidden(_)) => break,
                Err(failure) => return Err(failure),
            };
            if detail.expires.is_none() {
                let (key, value) = export::pair(*detail)?;
                let fingerprint = stored_entries.fingerprint(&key, &value);
                stored_entries.fingerprints.insert(fingerprint);
            }
        }
        Ok(stored_entries)
    }

    fn has(&self, key: &Key, value: &[u8]) -> bool {
        !self.fingerprints.is_empty() && self.fingerprints.contains(&self.fingerprint(key, value))
    }

    /// Keyed at random in each run, so that no user can choose values that collide.
    fn fingerprint(&self, key: &Key, value: &[u8]) -> u128 {
        let [high, low] = &self.hashers;
        let what = (key, value);
        u128::from(high.hash_one(what)) << 64 | u128::from(low.hash_one(what))
    }
}

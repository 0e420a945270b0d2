//! Keys `/NAME/PATH` with values in base64, as another service keeps them in etcd.
//!
//! The keys don't show where the name ends: `/alice/lab/x` is the key `/lab/x` of `alice`, or `/x` of
//! `alice/lab`. So the operator has to list the names, unless every key is unambiguous.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `owners` | the names, and which namespace each becomes |
//! | `survey` | finds the keys that can't be imported before any is imported |

mod owners;
mod survey;

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prominence_core::entry::{Entry, Metadata};
use prominence_core::key::KeyError;
use prominence_core::limits::DEFAULT_VALUE_BYTES;
use prominence_core::{Cursor, Key, Revision, StoreError, Timestamp, Value};

use super::MigrateError;
use crate::backup::{BackupError, BackupSummary, Record, Space, Writer};
use crate::etcd::Options;
use crate::etcd::transfer::{BlockingCluster, Ranges};

pub use owners::{BadOwners, Owners};
pub use survey::{Problem, Problems, Unfit};

use owners::Owner;

/// The start of all keys.
const START: &[u8] = b"/";

/// The end of the range of keys that begin so.
const END: &[u8] = b"0";

/// The one revision of everything that is imported: an import is one commit.
const REVISION: Revision = Revision::new(1);

/// The cluster, and the owners of the keys.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The settings of the cluster. The root is not used.
    pub options: Box<Options>,
    /// The names; `None` where every key is unambiguous.
    pub owners: Option<Owners>,
    /// The treatment of keys that no listed name owns.
    pub unowned: Unowned,
}

/// The treatment of keys that no listed name owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unowned {
    /// Nothing at all is imported.
    Refuse,
    /// They are not imported.
    Leave,
}

/// The keys of a layout, in a connected cluster.
pub(super) struct OpenLayout {
    cluster: BlockingCluster,
    owners: Option<Owners>,
    unowned: Unowned,
    /// The ranges in the cluster that are known to be of something else.
    left_out: Option<Ranges>,
}

/// The reason why a row can't be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Unreadable {
    /// The path is no key.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// It is one in another form, and might be another's too then.
    #[error("the key has an empty segment")]
    EmptySegment,
    /// The value is not what the service wrote.
    #[error("the value is not base64")]
    NotBase64,
    /// It is longer than any that the service took.
    #[error("the value has {0} bytes; the limit is {DEFAULT_VALUE_BYTES}")]
    TooLarge(usize),
}

impl OpenLayout {
    pub(super) fn connect(layout: &Layout) -> Result<Self, MigrateError> {
        Ok(Self {
            cluster: BlockingCluster::connect((*layout.options).clone())?,
            owners: layout.owners.clone(),
            unowned: layout.unowned,
            left_out: None,
        })
    }

    /// Ignores the rows of the destination, where it is in the same cluster.
    pub(super) fn leave_out(&mut self, destination: &BlockingCluster) {
        if self.cluster.is(destination) {
            self.left_out = Some(destination.ranges());
        }
    }

    fn is_left_out(&self, key: &[u8]) -> bool {
        self.left_out.as_ref().is_some_and(|ours| ours.hold(key))
    }

    /// Writes the stream of a backup: each owner's keys as one commit, made at `made`.
    pub(super) fn export(
        &self,
        made: Timestamp,
        to: impl Write,
    ) -> Result<BackupSummary, BackupError> {
        let revision = self.cluster.revision()?;
        let mut writer = Writer::new(to, made).map_err(BackupError::Write)?;
        for owner in self.owners.iter().flat_map(Owners::by_namespace) {
            self.export_one(owner, revision, made, &mut writer)?;
        }
        writer.finish().map_err(BackupError::Write)
    }

    fn export_one(
        &self,
        owner: &Owner,
        revision: i64,
        made: Timestamp,
        writer: &mut Writer<impl Write>,
    ) -> Result<(), BackupError> {
        let (start, end) = owner.range();
        let mut rows = self.cluster.rows(start, end, revision);
        let mut is_begun = false;
        while let Some((row_key, row)) = rows.next()? {
            let Some((found, path)) = self.owners.as_ref().and_then(|all| all.find(&row_key))
            else {
                continue;
            };
            if found != owner || self.is_left_out(&row_key) {
                continue;
            }
            let (key, value) = read(path, &row).map_err(|how| StoreError::Corrupt {
                what: format!("{}: {how}", row_key.escape_ascii()),
            })?;
            if !is_begun {
                is_begun = true;
                writer.put(&Record::Namespace(Space {
                    namespace: owner.namespace().clone(),
                    revision: REVISION,
                    log_floor: Cursor::after(REVISION),
                }))?;
            }
            let metadata = Metadata {
                revision: REVISION,
                created: made,
                modified: made,
                expires: None,
                job: None,
                claimed_until: None,
                claims: 0,
                claimed_by: None,
                write_id: None,
                size: value.len(),
            };
            writer.put(&Record::Entry(key, Entry { value, metadata }))?;
        }
        Ok(())
    }
}

/// The key and value of a row.
fn read(path: &[u8], row: &[u8]) -> Result<(Key, Value), Unreadable> {
    let key = Key::from_bytes(path)?;
    if key.as_str().as_bytes() != path {
        return Err(Unreadable::EmptySegment);
    }
    let bytes = STANDARD.decode(row).map_err(|_| Unreadable::NotBase64)?;
    let length = bytes.len();
    let value = Value::new(bytes, DEFAULT_VALUE_BYTES).map_err(|_| Unreadable::TooLarge(length))?;
    Ok((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_the_service_wrote_it() {
        let (key, value) = read(b"/_internal_/a b", b"AAH/").unwrap();
        assert_eq!(key.as_str(), "/_internal_/a b");
        assert_eq!(value.as_bytes().as_ref(), [0, 1, 255]);
        assert!(read(b"/marker", b"").unwrap().1.is_empty());
    }

    #[test]
    fn what_can_not_be_kept_as_it_is_is_refused() {
        let long = format!("/{}", "x".repeat(1_024));
        let large = STANDARD.encode([0; DEFAULT_VALUE_BYTES + 1]);
        let too_large = Unreadable::TooLarge(DEFAULT_VALUE_BYTES + 1);
        let cases = [
            ("/a//b", "", Unreadable::EmptySegment),
            ("/a/", "", Unreadable::Key(KeyError::TrailingSlash)),
            ("/", "", Unreadable::Key(KeyError::Empty)),
            (
                &long,
                "",
                Unreadable::Key(KeyError::TooLong { bytes: 1_025 }),
            ),
            ("/a", "plain", Unreadable::NotBase64),
            ("/a", "AAH_", Unreadable::NotBase64),
            ("/a", &large, too_large),
        ];
        for (path, row, how) in cases {
            assert_eq!(read(path.as_bytes(), row.as_bytes()), Err(how), "{path}");
        }
    }
}

//! What readers are given: everything up to a group, and the segments that its rows refer to.

use std::sync::Arc;

use super::index::IndexState;
use crate::embedded::files::group_log::Segments;

/// Everything up to a group.
#[derive(Debug)]
pub(in crate::embedded) struct State {
    /// Rows with a lower sequence number are seen.
    pub(super) visible: u64,
    pub(super) index: Arc<IndexState>,
    /// They stay open as long as somebody has the state, also when they are removed meanwhile.
    pub(super) segments: Arc<Segments>,
}

//! Open files of the process: each connection is one, and the store has its own.
//!
//! Without a descriptor left the store could not open its files either, so connections get what
//! the store can't need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The files that are kept for other uses than connections: the embedded engine has up to 256 files of its index open and
/// one for each 64 MiB of its log, and the process has its listeners and its own log.
const KEPT_FREE: u64 = 1_024;

/// Raises the process's limit as far as it may be raised, and says how many connections there is
/// room for. Shells and service managers set it low (1,024 is usual), for programs that can't cope
/// with more.
pub(crate) fn room_for_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!(%error, "the limit on open files stays as it is");
            limit.current
        }
    };
    room(current)
}

/// The number of connections for so many open files; `None` is no limit. At least half of them,
/// since the store opens and closes files as it needs them.
fn room(open_files: Option<u64>) -> usize {
    let Some(open_files) = open_files else {
        return usize::MAX;
    };
    let room = open_files.saturating_sub(KEPT_FREE).max(open_files / 2);
    usize::try_from(room.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_the_store() {
        assert_eq!(room(None), usize::MAX);
        assert_eq!(room(Some(20_000)), 18_976);
        assert_eq!(room(Some(1_024)), 512);
        assert_eq!(room(Some(1)), 1);
    }

    #[test]
    fn the_limit_is_raised_to_what_is_allowed() {
        let room_found = room_for_connections();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(room_found, room(limit.maximum));
    }
}

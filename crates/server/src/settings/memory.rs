//! The memory that the server may use, and the shares that its caches and requests have of it.

use std::fs;
use std::path::Path;

use bytesize::ByteSize;
use rustix::process::{Resource, getrlimit};

use super::ConfigError;

/// The least that the server can work with.
const LEAST: u64 = 64 << 20;

/// The cache, unless it is set: more helps only stores whose index is larger.
const CACHE_BYTES: u64 = 64 << 20;

/// The shares of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemoryShares {
    /// Entries and blocks of the index.
    pub(super) cache: u64,
    /// Bodies that are read and answers that are made.
    pub(super) requests: usize,
    /// Heads of requests that are larger than usual.
    pub(super) heads: usize,
}

impl MemoryShares {
    /// The shares of the memory that is set, or of half of what there is.
    ///
    /// # Errors
    /// When it is less than the server can work with.
    pub(super) fn of(setting: Option<ByteSize>) -> Result<Self, ConfigError> {
        let limit = match setting.map(|size| size.as_u64()) {
            Some(bytes) if bytes < LEAST => {
                return Err(ConfigError::Range {
                    setting: "memory-limit",
                    given: ByteSize(bytes).to_string(),
                    allowed: "it can be 64MiB or more",
                });
            }
            Some(bytes) => bytes,
            None => (available(Path::new("/")) / 2).max(LEAST),
        };
        Ok(Self {
            cache: CACHE_BYTES.min(limit / 8),
            requests: usize::try_from(limit / 4).unwrap_or(usize::MAX),
            heads: usize::try_from(limit / 16).unwrap_or(usize::MAX),
        })
    }
}

/// The memory that this process can have: the machine's, or what its control groups and its limit on address space
/// allow.
fn available(root: &Path) -> u64 {
    let address_space = getrlimit(Resource::As).current;
    let limits = [machine(root), control_groups(root), address_space];
    limits.into_iter().flatten().min().unwrap_or(u64::MAX)
}

/// The memory of the machine (`proc_meminfo(5)`).
fn machine(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

/// The least that the control groups of this process allow, of both versions (`cgroups(7)`). A group is also bound by
/// those above it.
fn control_groups(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let groups = text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let path = path.trim_start_matches('/');
        let mount = root.join("sys/fs/cgroup");
        match controllers {
            "" => Some((mount, path, "memory.max")),
            _ if controllers.split(',').any(|name| name == "memory") => {
                Some((mount.join("memory"), path, "memory.limit_in_bytes"))
            }
            _ => None,
        }
    });
    let limits = groups.flat_map(|(mount, path, file)| {
        let folders = Path::new(path).ancestors().map(Path::to_path_buf);
        folders.filter_map(move |folder| limit_in(&mount.join(folder).join(file)))
    });
    limits.min()
}

/// The number in a file; `None` for "max".
fn limit_in(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn write(root: &Path, file: &str, text: &str) {
        let file = root.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn the_memory_is_what_the_machine_has_or_what_a_group_above_the_process_allows() {
        let machine = tempfile::tempdir().unwrap();
        let root = machine.path();
        assert_eq!(control_groups(root), None);
        let meminfo = "MemTotal:       16384 kB\nMemFree:         1 kB\n";
        write(root, "proc/meminfo", meminfo);
        assert_eq!(available(root), 16 * MIB);
        write(root, "proc/self/cgroup", "0::/system.slice/kv.service\n");
        let groups = "sys/fs/cgroup/system.slice";
        write(root, &format!("{groups}/kv.service/memory.max"), "max\n");
        assert_eq!(available(root), 16 * MIB);
        write(root, &format!("{groups}/memory.max"), "8388608\n");
        assert_eq!(available(root), 8 * MIB);
        write(
            root,
            &format!("{groups}/kv.service/memory.max"),
            "4194304\n",
        );
        assert_eq!(available(root), 4 * MIB);
        // The first version, as in a container that sees its own group as the topmost.
        write(root, "proc/self/cgroup", "5:cpu,memory:/docker/x\n0::/\n");
        assert_eq!(available(root), 16 * MIB);
        let limit = "sys/fs/cgroup/memory/memory.limit_in_bytes";
        write(root, limit, "2097152\n");
        assert_eq!(available(root), 2 * MIB);
    }

    #[test]
    fn caches_and_requests_have_shares_of_the_memory() {
        let shares = |size| MemoryShares::of(Some(size));
        let small = shares(ByteSize::mib(128)).unwrap();
        assert_eq!((small.cache, small.requests as u64), (16 * MIB, 32 * MIB));
        assert_eq!(small.heads as u64, 8 * MIB);
        let large = shares(ByteSize::gib(8)).unwrap();
        assert_eq!(
            (large.cache, large.requests as u64),
            (64 * MIB, 2_048 * MIB)
        );
        let refused = shares(ByteSize::mib(63)).unwrap_err().to_string();
        assert!(
            refused.contains("memory-limit") && refused.contains("64MiB"),
            "{refused}"
        );
        assert!(MemoryShares::of(None).unwrap().requests as u64 >= LEAST / 4);
    }
}

//! The figures of a side that its programs don't print: counts of the kernel, the disk and the cluster.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use procfs::process::Stat;
use prominence_cluster::etcd::Cluster;
use rustix::fs::{major, minor};

use super::Setup;
use crate::bench::rows::Load;
use crate::bench::stores::{disk, settle_disk};

/// The unit of the kernel's statistics of devices, independent of the device's own (Documentation/block/stat.rst).
const SECTOR_BYTES: f64 = 512.0;

/// The time for which a device is observed before it counts as quiet, and the MiB a second that others may write: a few
/// hundredths of those of a measurement.
const WATCHED: Duration = Duration::from_secs(2);
const OTHERS_MOST: f64 = 1.0;

const MEBIBYTE: f64 = 1_048_576.0;

impl Setup<'_> {
    /// The figures that have a value at any time.
    pub(super) fn gauge(&self, measure: &str) -> anyhow::Result<f64> {
        let status = self.subject()?.kernel()?.status()?;
        let mebibytes = |kibibytes: Option<u64>| {
            let kibibytes = kibibytes.context("the process is gone")?;
            anyhow::Ok(kibibytes as f64 / 1_024.0)
        };
        let contents = self.contents.as_ref().context("nothing is stored");
        Ok(match measure {
            // MiB of memory now, and its peak.
            "resident" => mebibytes(status.vmrss)?,
            "peak" => mebibytes(status.vmhwm)?,
            // Bytes of memory and of disk for each key.
            "resident-each" => mebibytes(status.vmrss)? * MEBIBYTE / contents?.keys as f64,
            "disk-each" => disk(self.data)? / contents?.keys as f64,
            "ready" => self.subject()?.ready_after,
            _ => bail!("there is no {measure}"),
        })
    }

    /// The figures that grow, of which the growth during a load is noted.
    pub(super) fn counter(&self, measure: &str) -> Option<anyhow::Result<f64>> {
        let seconds = |of: fn(&Stat) -> u64| {
            let ticks = of(&self.subject()?.kernel()?.stat()?);
            Ok(ticks as f64 / procfs::ticks_per_second() as f64)
        };
        Some(match measure {
            // Seconds of processor time in the server's own code, in the kernel on its behalf, and both.
            "user" => seconds(|times| times.utime),
            "system" => seconds(|times| times.stime),
            "processor" => seconds(|times| times.utime + times.stime),
            // Bytes written to the block device, read after a sync, so that pages in the system's cache are included.
            "device" => match &self.device {
                Ok(()) => settle_disk().and_then(|()| written(self.data)),
                Err(reason) => Err(anyhow!("{reason}")),
            },
            // Bytes of a member's database without superseded revisions.
            "database-each" => self.cluster.context("no cluster").and_then(database),
            "growth" => self.gauge("peak"),
            _ => return None,
        })
    }

    /// Resets the peak of memory (proc_pid_clear_refs(5)).
    pub(super) fn forget_peak(&self) -> anyhow::Result<()> {
        let file = self.subject()?.names.fill("/proc/{pid}/clear_refs");
        std::fs::write(file, "5").context("the peak of memory can't be reset")
    }

    /// The growth of a count during a load, divided by its unit.
    pub(super) fn per_unit(
        &self,
        measure: &str,
        count: f64,
        answers: Option<f64>,
        load: &Load,
    ) -> anyhow::Result<f64> {
        let answers = answers.context("no rate");
        Ok(match measure {
            "growth" => count,
            "database-each" => count / self.keys(load) as f64,
            "device" => count / (answers? * self.bytes(load) as f64),
            // In microseconds.
            _ => count * 1e6 / answers?,
        })
    }
}

fn database(cluster: &Cluster) -> anyhow::Result<f64> {
    cluster.compact(cluster.status(0)?.revision)?;
    cluster.defragment()?;
    Ok(cluster.status(0)?.size as f64)
}

/// Bytes written to the block device below a folder since the start of the machine, by all processes: those of the
/// server, of its files' metadata and of the file system's journal. File systems in memory, of a network, or over
/// several devices have no device of their own.
fn written(folder: &Path) -> anyhow::Result<f64> {
    let number = std::fs::metadata(folder)?.dev();
    let number = (i32::try_from(major(number))?, i32::try_from(minor(number))?);
    let devices = procfs::diskstats()?;
    let mut devices = devices.iter();
    let device = devices.find(|device| (device.major, device.minor) == number);
    let device =
        device.with_context(|| format!("{} is not on a block device", folder.display()))?;
    Ok(device.sectors_written as f64 * SECTOR_BYTES)
}

/// Observes the device for a moment: its counts include all processes, so they are worthless where others write too.
pub(super) fn ensure_quiet(folder: &Path) -> anyhow::Result<()> {
    let before = written(folder)?;
    std::thread::sleep(WATCHED);
    let by_others = (written(folder)? - before) / WATCHED.as_secs_f64() / MEBIBYTE;
    let is_quiet = by_others <= OTHERS_MOST;
    ensure!(is_quiet, "others write {by_others:.1} MiB/s to the device");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_no_disk_holds_has_no_device() {
        let error = written(Path::new("/proc")).err().unwrap();
        assert_eq!(error.to_string(), "/proc is not on a block device");
    }
}

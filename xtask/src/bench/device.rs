//! Bytes that the block device below a folder has written, as the kernel counts them: what a process, its
//! files' metadata and the file system's journal cost together.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::fs::{major, minor};

/// The kernel's unit in the statistics of a device, whatever the device's own is
/// (Documentation/block/stat.rst).
const SECTOR_BYTES: f64 = 512.0;

/// The place of the written sectors in those statistics.
const SECTORS_WRITTEN: usize = 6;

/// How long it is watched before it counts as quiet, and the mebibytes a second that others may write: a few
/// hundredths of what a measurement writes.
const WATCHED: Duration = Duration::from_secs(2);
const OTHERS_MOST: f64 = 1.0;

const MEBIBYTE: f64 = 1_048_576.0;

/// A block device.
pub(crate) struct Device(PathBuf);

impl Device {
    /// The device that holds a folder. File systems in memory, of a network, or over several devices have
    /// none of their own.
    pub(crate) fn of(folder: &Path) -> anyhow::Result<Self> {
        let number = fs::metadata(folder)?.dev();
        let number = format!("{}:{}", major(number), minor(number));
        let statistics = PathBuf::from(format!("/sys/dev/block/{number}/stat"));
        let is_there = statistics.exists();
        ensure!(is_there, "{} is not on a block device", folder.display());
        Ok(Self(statistics))
    }

    /// The same, once it has been watched for a moment and seen to be quiet. It counts what anybody writes,
    /// so its figures say nothing where others write as well.
    pub(crate) fn quiet(folder: &Path) -> anyhow::Result<Self> {
        let device = Self::of(folder)?;
        let before = device.written()?;
        std::thread::sleep(WATCHED);
        let by_others = (device.written()? - before) / WATCHED.as_secs_f64() / MEBIBYTE;
        let is_quiet = by_others <= OTHERS_MOST;
        ensure!(is_quiet, "others write {by_others:.1} MiB/s to the device");
        Ok(device)
    }

    /// Bytes that it has been given to write since it is there, by whomever.
    pub(crate) fn written(&self) -> anyhow::Result<f64> {
        bytes_written(&fs::read_to_string(&self.0)?)
    }
}

fn bytes_written(statistics: &str) -> anyhow::Result<f64> {
    let sectors = statistics.split_whitespace().nth(SECTORS_WRITTEN);
    let sectors: f64 = sectors.context("the statistics are short")?.parse()?;
    Ok(sectors * SECTOR_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_sectors_are_the_seventh_figure_and_have_512_bytes() {
        let statistics =
            "   27481     4870  2503138    16211    32339    86902 21689712   187706  0 1 2";
        assert_eq!(bytes_written(statistics).unwrap(), 21_689_712.0 * 512.0);
        assert!(bytes_written("1 2 3").is_err());
    }

    #[test]
    fn a_folder_that_no_disk_holds_has_no_device() {
        let error = Device::of(Path::new("/proc")).err().unwrap();
        assert_eq!(error.to_string(), "/proc is not on a block device");
    }
}

//! Bytes that the block device below a folder has written, as the kernel counts them: what a process, its
//! files' metadata and the file system's journal cost together.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::fs::{major, minor};

/// The kernel's unit in the statistics of a device, whatever the device's own is
/// (Documentation/block/stat.rst).
const SECTOR_BYTES: f64 = 512.0;

/// The place of the written sectors in those statistics.
const SECTORS_WRITTEN: usize = 6;

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
        anyhow::ensure!(is_there, "{} is not on a block device", folder.display());
        Ok(Self(statistics))
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

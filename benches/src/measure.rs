//! Figures of processes, folders and times, and their output.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use procfs::process::Process;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use walkdir::WalkDir;

/// Bytes of memory that a process has now (`VmRSS`, proc_pid_status(5)).
pub(crate) fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = Process::new(i32::try_from(pid)?)?.status()?;
    Ok(status.vmrss.context("the process is gone")? * 1_024)
}

/// Bytes of disk that a folder takes, in allocated blocks.
pub(crate) fn disk(folder: &Path) -> anyhow::Result<f64> {
    fs::read_dir(folder).context("the data folder")?;
    // Background work may remove files meanwhile; these are not counted.
    let entries = WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let files = entries.filter(|entry| !entry.file_type().is_dir());
    let blocks = files.filter_map(|file| Some(file.metadata().ok()?.blocks()));
    Ok(blocks.sum::<u64>() as f64 * 512.0)
}

/// Raises this process's limit of open files to the largest that is allowed.
pub(crate) fn raise_open_files() -> anyhow::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit).context("the limit on open files")
}

/// The value that this share of the figures doesn't exceed.
pub(crate) fn percentile(figures: &mut [f64], percent: usize) -> anyhow::Result<f64> {
    figures.sort_by(f64::total_cmp);
    let place = (figures.len() * percent).div_ceil(100);
    let found = figures.get(place.saturating_sub(1));
    found.copied().context("there are no figures")
}

/// Prints a figure.
pub(crate) fn note(name: &str, figure: f64) {
    println!("{name} {figure}");
}

/// Prints the median and the 99th percentile of some times in milliseconds.
pub(crate) fn note_times(name: &str, mut times: Vec<f64>) -> anyhow::Result<()> {
    for (percent, part) in [(50, "median"), (99, "p99")] {
        let name = match name {
            "" => part.to_owned(),
            of => format!("{of}, {part}"),
        };
        note(&name, percentile(&mut times, percent)?);
    }
    Ok(())
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_of_a_process_that_runs() {
        let before = resident(std::process::id()).unwrap();
        let held = vec![1_u8; 64 << 20];
        let after = resident(std::process::id()).unwrap();
        assert!(after > before + (32 << 20), "{before} to {after}");
        assert!(held.iter().all(|byte| *byte == 1));
        assert!(resident(u32::MAX).is_err());
    }

    #[test]
    fn a_percentile_is_that_of_the_sorted_figures() {
        let mut figures: Vec<_> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut figures, 99).unwrap(), 198.0);
        assert_eq!(percentile(&mut figures, 50).unwrap(), 100.0);
        assert!(percentile(&mut [], 50).is_err());
    }
}

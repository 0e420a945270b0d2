//! What the figures are measured on, and when.

use std::process::Command;

use crate::sh;

/// What a run of measurements has in common: the day, its options, the machine.
pub(crate) fn describe(rounds: u32, seconds: u32) -> anyhow::Result<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model
        .unwrap_or(": unknown")
        .trim_start_matches([':', ' ', '\t']);
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let total = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let total = total.unwrap_or("0 kB").trim().trim_end_matches(" kB");
    let kibibytes: u64 = total.parse().unwrap_or_default();
    let cores = std::thread::available_parallelism()?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let day = sh::output(Command::new("date").args(["-u", "+%F"]))?;
    Ok(format!(
        "{}, `--rounds {rounds} --seconds {seconds}`, {cores} cores ({model}), {} GiB of memory, Linux {}",
        day.trim(),
        kibibytes >> 20,
        kernel.trim()
    ))
}

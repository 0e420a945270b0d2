//! What the figures are measured on, and when.

use std::process::Command;

use procfs::{CpuInfo, Current as _, Meminfo};

use crate::sh;

/// What a run of measurements has in common: the day, its options, the machine.
pub(crate) fn describe(rounds: u32, seconds: u32) -> anyhow::Result<String> {
    let cpu = CpuInfo::current()?;
    let model = cpu.model_name(0).unwrap_or("unknown");
    let memory = Meminfo::current()?.mem_total;
    let cores = std::thread::available_parallelism()?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let day = sh::output(Command::new("date").args(["-u", "+%F"]))?;
    Ok(format!(
        "{}, `--rounds {rounds} --seconds {seconds}`, {cores} cores ({model}), {} GiB of memory, Linux {}",
        day.trim(),
        memory >> 30,
        kernel.trim()
    ))
}

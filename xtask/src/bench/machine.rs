//! What the figures were measured on.

use std::path::Path;

/// One sentence.
pub(crate) fn describe() -> anyhow::Result<String> {
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
    let kernel = std::fs::read_to_string(Path::new("/proc/sys/kernel/osrelease"))?;
    Ok(format!(
        "Machine: {cores} cores ({model}), {} GiB of memory, Linux {}.",
        kibibytes >> 20,
        kernel.trim()
    ))
}

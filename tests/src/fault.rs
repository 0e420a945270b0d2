//! Disks that answer errors or take their time, for a process that is running.
//!
//! strace attaches to the process and changes what chosen system calls on chosen paths answer;
//! when it lets go, the disk is as it was.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// A fault that lasts until the value is dropped.
pub struct Fault {
    strace: Child,
}

impl Fault {
    /// Makes a process's calls of one name that concern one of these files or folders go wrong,
    /// in a way as strace's option `--inject` has it: `error=EIO`, `delay_enter=1s`.
    pub fn inject(pid: u32, call: &str, paths: &[&Path], how: &str) -> Self {
        let mut strace = Command::new("strace");
        strace
            .args(["--follow-forks", "--output=/dev/null"])
            .arg(format!("--attach={pid}"))
            .arg(format!("--trace={call}"))
            .arg(format!("--inject={call}:{how}"));
        for path in paths {
            strace.arg("--trace-path").arg(path);
        }
        let mut strace = strace
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace can be run");
        let mut said = BufReader::new(strace.stderr.take().unwrap()).lines();
        let attached = said.find_map(|line| {
            let line = line.unwrap();
            assert!(!line.contains("Operation not permitted"), "{line}");
            line.contains("attached").then_some(())
        });
        attached.expect("strace attaches to the process");
        // Nobody reads on; a full pipe must not stop it.
        std::thread::spawn(move || said.count());
        Self { strace }
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let pid = self.strace.id().to_string();
        // Asked to end, it lets the process go; killed, it might take it along.
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let _ = self.strace.wait();
    }
}

/// Tells the threads that write during a fault to stop, also where their test fails.
pub struct StopAtEnd<'a>(pub &'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

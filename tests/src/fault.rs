//! Failing and slow disks, for a process that is running.
//!
//! strace attaches to the process, and changes the results of chosen system calls on chosen paths. When it detaches,
//! the disk works as before.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// A fault that lasts until the value is dropped.
pub struct Fault {
    strace: Child,
}

impl Fault {
    /// Injects a fault into a process's calls of one name on any of these files or folders, written as in strace's
    /// option `--inject`: `error=EIO`, `delay_enter=1s`.
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
        // Read to the end, since a full pipe would block it.
        std::thread::spawn(move || said.count());
        Self { strace }
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let pid = self.strace.id().to_string();
        // At SIGINT it detaches; killed, it could end the process too.
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let _ = self.strace.wait();
    }
}

/// Tells the threads that write during a fault to stop, even where their test fails.
pub struct StopAtEnd<'a>(pub &'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

//! Writes lines to a file or to a standard stream, on a thread of its own, so that no request waits for a disk.

use std::convert::Infallible;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Lines that wait to be written, and their bytes; more are left out and counted.
const MAX_WAITING: usize = 16_384;
const MAX_WAITING_BYTES: usize = 8 << 20;

/// Bytes that are written at once, in whole lines. A pipe takes so many without those of others in between (`PIPE_BUF`).
const BUFFER_BYTES: usize = 4_096;

/// The time between two lines of the server's log about lines that were left out.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// The destination of a log: `stdout`, `stderr`, or a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, to which lines are appended.
    File(PathBuf),
}

/// A log.
pub(super) struct Writer {
    messages: SyncSender<Message>,
    /// Bytes of the lines that wait. A path can be as long as a head, so their number alone is no bound.
    waiting: Arc<AtomicUsize>,
    left_out: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Message {
    Line(String),
    Reopen,
    Close,
}

/// The end of the thread.
struct Output {
    target: LogTarget,
    stream: BufWriter<Box<dyn Write + Send>>,
    waiting: Arc<AtomicUsize>,
    left_out: Arc<AtomicU64>,
    complained: Option<Instant>,
}

impl LogTarget {
    fn open(&self) -> io::Result<BufWriter<Box<dyn Write + Send>>> {
        let stream: Box<dyn Write + Send> = match self {
            Self::Stdout => Box::new(io::stdout()),
            Self::Stderr => Box::new(io::stderr()),
            Self::File(path) => {
                // It names users and keys, so it is for the server's user alone.
                let file = OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o600)
                    .open(path)?;
                Box::new(file)
            }
        };
        Ok(BufWriter::with_capacity(BUFFER_BYTES, stream))
    }
}

impl Writer {
    /// Opens a log, and starts the thread that writes it.
    pub(super) fn open(target: LogTarget) -> io::Result<Self> {
        let waiting = Arc::new(AtomicUsize::new(0));
        let left_out = Arc::new(AtomicU64::new(0));
        let output = Output {
            stream: target.open()?,
            target,
            waiting: Arc::clone(&waiting),
            left_out: Arc::clone(&left_out),
            complained: None,
        };
        let (messages, received) = sync_channel(MAX_WAITING);
        let thread = std::thread::Builder::new()
            .name("request log".to_owned())
            .spawn(move || output.run(&received))?;
        Ok(Self {
            messages,
            waiting,
            left_out,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Has a line written, or counts it as left out where too many wait.
    pub(super) fn write(&self, line: String) {
        let bytes = line.len();
        let waiting = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let has_room = waiting + bytes <= MAX_WAITING_BYTES;
        if !has_room || self.messages.try_send(Message::Line(line)).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has the file opened again, after the lines before.
    pub(super) fn reopen(&self) {
        // An error says that the thread has ended.
        let _ = self.messages.send(Message::Reopen);
    }

    /// Waits until all lines before are written; later ones are left out.
    pub(super) fn close(&self) {
        let _ = self.messages.send(Message::Close);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

impl Output {
    fn run(mut self, messages: &Receiver<Message>) {
        let mut next = messages.recv().ok();
        while let Some(message) = next {
            let done = match message {
                Message::Line(line) => {
                    let written = self.stream.write_all(line.as_bytes());
                    self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
                    written
                }
                Message::Reopen => self.reopen(),
                Message::Close => break,
            };
            if let Err(error) = done {
                self.fail(&error);
            }
            next = messages.try_recv().ok();
            if next.is_none() {
                if let Err(error) = self.stream.flush() {
                    self.fail(&error);
                }
                self.complain();
                next = messages.recv().ok();
            }
        }
        if let Err(error) = self.stream.flush() {
            self.fail(&error);
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.stream.flush()?;
        self.stream = self.target.open()?;
        Ok(())
    }

    /// Counts a line that could not be written.
    fn fail(&mut self, error: &io::Error) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
        if self.may_complain() {
            tracing::warn!(%error, log = %self.target, "a log of requests can't be written");
        }
    }

    /// Says how many lines were left out.
    fn complain(&mut self) {
        if self.left_out.load(Ordering::Relaxed) > 0 && self.may_complain() {
            let lines = self.left_out.swap(0, Ordering::Relaxed);
            tracing::warn!(lines, log = %self.target, "lines of a log of requests were left out");
        }
    }

    fn may_complain(&mut self) -> bool {
        let is_due = self
            .complained
            .is_none_or(|last| last.elapsed() >= COMPLAIN_EVERY);
        if is_due {
            self.complained = Some(Instant::now());
        }
        is_due
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl From<String> for LogTarget {
    fn from(text: String) -> Self {
        match text.as_str() {
            "stdout" => Self::Stdout,
            "stderr" => Self::Stderr,
            _ => Self::File(text.into()),
        }
    }
}

impl FromStr for LogTarget {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.to_owned().into())
    }
}

impl From<LogTarget> for String {
    fn from(target: LogTarget) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::process::Command;

    #[test]
    fn lines_go_to_the_file_of_the_name_after_the_former_was_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let (file, moved) = (folder.path().join("log"), folder.path().join("log.1"));
        let writer = Writer::open(LogTarget::File(file.clone())).unwrap();
        writer.write("one\n".to_owned());
        // Whatever is written before the file is opened again goes with the former file.
        fs::rename(&file, &moved).unwrap();
        writer.write("two\n".to_owned());
        writer.reopen();
        writer.write("three\n".to_owned());
        writer.close();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&file).unwrap(), "three\n");
        let again = Writer::open(LogTarget::File(file.clone())).unwrap();
        again.write("four\n".to_owned());
        again.close();
        assert_eq!(fs::read_to_string(&file).unwrap(), "three\nfour\n");
    }

    #[test]
    fn lines_that_wait_for_a_slow_reader_are_bounded_by_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("log");
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        // Nobody reads from the other end, which is open so that the log can be opened.
        let reader = File::options().read(true).write(true).open(&pipe).unwrap();
        let writer = Writer::open(LogTarget::File(pipe)).unwrap();
        for _ in 0..1_000 {
            writer.write("x".repeat(64 << 10));
        }
        let waiting = writer.waiting.load(Ordering::Relaxed);
        assert!((1..=MAX_WAITING_BYTES).contains(&waiting), "{waiting}");
        assert!(writer.left_out.load(Ordering::Relaxed) > 800);
        // The thread of the writer waits for the pipe, and ends with the process.
        std::mem::forget(writer);
        drop(reader);
    }

    #[test]
    fn lines_are_left_out_and_counted_after_the_end_of_the_thread() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::open(LogTarget::File(folder.path().join("log"))).unwrap();
        writer.close();
        writer.write("late\n".to_owned());
        assert_eq!(writer.left_out.load(Ordering::Relaxed), 1);
    }
}

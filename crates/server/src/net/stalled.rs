//! Closes connections of clients that stop reading, or read too slowly.
//!
//! The memory of an answer is limited, but a client that stops reading would keep its connection, its slot of a long
//! poll and a snapshot of the store for ever: while nothing can be written the answer's body is not polled, so no
//! time limit within it is checked. A client that reads a few bytes now and then would keep them almost as long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// The pace that a client has to keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The time over which it is measured. Only time counts in which bytes wait for the client.
    pub(super) within: Duration,
    /// Bytes in that time.
    pub(super) bytes: u64,
}

/// A stream that fails if bytes wait to be sent and the client reads too slowly.
pub(super) struct Stalled<S> {
    stream: S,
    pace: Pace,
    /// The time in which bytes have waited since the pace was measured last, without the current wait.
    waited: Duration,
    /// The bytes that were written since then.
    written: u64,
    /// The current wait.
    waiting: Option<Waiting>,
}

/// A write that waits. Boxed, because few connections need the timer.
struct Waiting {
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<S> Stalled<S> {
    pub(super) fn new(stream: S, pace: Pace) -> Self {
        Self {
            stream,
            pace,
            waited: Duration::ZERO,
            written: 0,
            waiting: None,
        }
    }

    /// Notes that bytes were written.
    fn went_on(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(bytes as u64);
        if let Some(waiting) = self.waiting.take() {
            self.waited += waiting.since.elapsed();
        }
    }

    /// Lets the time run while a write waits.
    fn check<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            return written;
        }
        if self.waiting.is_none() && self.waited.is_zero() {
            // What was written without a wait says nothing about the client.
            self.written = 0;
        }
        loop {
            let left = self.pace.within.saturating_sub(self.waited);
            let waiting = self.waiting.get_or_insert_with(|| Waiting {
                since: Instant::now(),
                timer: Box::pin(sleep(left)),
            });
            ready!(waiting.timer.as_mut().poll(context));
            if self.written < self.pace.bytes.max(1) {
                return Poll::Ready(Err(self.too_slow()));
            }
            // It has kept the pace so far, and is measured anew.
            (self.waited, self.written, self.waiting) = (Duration::ZERO, 0, None);
        }
    }

    fn too_slow(&self) -> io::Error {
        let seconds = self.pace.within.as_secs_f64();
        let reason = match self.written {
            0 => format!("the client read nothing for {seconds} seconds"),
            bytes => format!("the client read {bytes} bytes in {seconds} seconds"),
        };
        io::Error::new(io::ErrorKind::TimedOut, reason)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalled<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(bytes)) = written {
            self.went_on(bytes);
        }
        self.check(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        if let Poll::Ready(Ok(bytes)) = written {
            self.went_on(bytes);
        }
        self.check(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        // A flush without waiting bytes says nothing about the client.
        if flushed.is_ready() {
            return flushed;
        }
        self.check(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.check(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::advance;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(60);

    /// A byte in two seconds.
    const PACE: Pace = Pace {
        within: WITHIN,
        bytes: 30,
    };

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_reading_ends_the_connection() {
        let (ours, _theirs) = duplex(16);
        let mut stream = Stalled::new(ours, PACE);
        stream.write_all(&[0; 16]).await.unwrap();
        let full = Instant::now();
        let error = stream.write_all(&[0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(
            error.to_string().contains("nothing for 60 seconds"),
            "{error}"
        );
        assert_eq!(full.elapsed().as_secs(), WITHIN.as_secs());
    }

    /// Reads a byte after each pause until the end; says how many were read.
    async fn read_slowly(mut theirs: tokio::io::DuplexStream, pause: Duration) -> u64 {
        let mut read = 0;
        loop {
            tokio::time::sleep(pause).await;
            match theirs.read_u8().await {
                Ok(_) => read += 1,
                Err(_) => return read,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_dribbles_ends_the_connection_and_one_that_keeps_the_pace_does_not() {
        for (pause, is_served) in [(2_500, false), (1_500, true)] {
            let (ours, theirs) = duplex(16);
            let mut stream = Stalled::new(ours, PACE);
            let reader = tokio::spawn(read_slowly(theirs, Duration::from_millis(pause)));
            let written = stream.write_all(&[0; 500]).await;
            assert_eq!(written.is_ok(), is_served, "{pause} ms");
            drop(stream);
            let read = reader.await.unwrap();
            assert_eq!(read == 500, is_served, "{read} bytes at {pause} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_time_counts_in_which_bytes_wait() {
        let (ours, mut theirs) = duplex(16);
        let mut stream = Stalled::new(ours, PACE);
        let sent = tokio::spawn(async move {
            for _ in 0..10 {
                stream.write_all(&[0; 17]).await?;
                // A long time without bytes to send.
                tokio::time::sleep(10 * WITHIN).await;
            }
            Ok::<_, io::Error>(())
        });
        for _ in 0..170 {
            advance(Duration::from_millis(100)).await;
            theirs.read_u8().await.unwrap();
        }
        sent.await.unwrap().unwrap();
    }
}

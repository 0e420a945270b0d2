//! Closes connections of clients that stop reading.
//!
//! The memory of an answer is limited, but a client that stops reading would keep its connection, its slot of a long
//! poll and a snapshot of the store for ever: while nothing can be written the answer's body is not polled, so no
//! time limit within it is checked.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream that fails if bytes wait to be sent and the client has read none for too long. A slow client starts the
/// time again with every byte.
pub(super) struct Stalled<S> {
    stream: S,
    within: Duration,
    /// When the client has to have read something; `None` unless a write is waiting. Boxed, because few connections
    /// need it.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Stalled<S> {
    pub(super) fn new(stream: S, within: Duration) -> Self {
        Self {
            stream,
            within,
            deadline: None,
        }
    }

    /// Lets the time run while a write is waiting.
    fn check<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let within = self.within;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(within)));
        deadline.as_mut().poll(context).map(|()| {
            let seconds = within.as_secs_f64();
            let reason = format!("the client read nothing for {seconds} seconds");
            Err(io::Error::new(io::ErrorKind::TimedOut, reason))
        })
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
        self.check(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
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
    use tokio::time::{Instant, advance};

    use super::*;

    const WITHIN: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_reading_ends_the_connection() {
        let (ours, _theirs) = duplex(16);
        let mut stream = Stalled::new(ours, WITHIN);
        stream.write_all(&[0; 16]).await.unwrap();
        let full = Instant::now();
        let error = stream.write_all(&[0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("60 seconds"), "{error}");
        assert_eq!(full.elapsed().as_secs(), WITHIN.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_and_a_silent_server_keep_the_connection() {
        let (ours, mut theirs) = duplex(16);
        let mut stream = Stalled::new(ours, WITHIN);
        let sent = tokio::spawn(async move {
            let sent = stream.write_all(&[0; 32]).await;
            // A long time without bytes to send does not count.
            tokio::time::sleep(10 * WITHIN).await;
            sent.and(stream.write_all(&[0; 1]).await)
        });
        for _ in 0..32 {
            advance(WITHIN - Duration::from_secs(1)).await;
            theirs.read_u8().await.unwrap();
        }
        theirs.read_u8().await.unwrap();
        sent.await.unwrap().unwrap();
    }
}

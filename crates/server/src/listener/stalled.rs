//! Breaks off connections whose other end takes nothing any more.
//!
//! What is read from the store for an answer is bounded, but a reader that never reads would keep
//! its connection, its place among the held requests and a snapshot of the store for ever: while
//! nothing can be written, nobody asks the answer's body for more, so nothing in it notices that
//! time goes by.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream that fails once its other end has taken nothing for too long although there was
/// something to send. A reader that is merely slow starts the time again with every byte.
pub(super) struct Stalled<S> {
    stream: S,
    within: Duration,
    /// Ends when the other end has to have taken something; there while it takes nothing. Boxed,
    /// because hardly any connection needs it.
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

    /// Lets the time run while a write can't go on.
    fn judge<T>(
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
            let reason = format!("the other end took nothing for {seconds} seconds");
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
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        // Where nothing waits to be written, being flushed says nothing about the other end.
        if flushed.is_ready() {
            return flushed;
        }
        self.judge(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::{Instant, advance};

    use super::*;

    const WITHIN: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_breaks_the_connection_off() {
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
    async fn a_slow_reader_and_a_silent_writer_are_left_alone() {
        let (ours, mut theirs) = duplex(16);
        let mut stream = Stalled::new(ours, WITHIN);
        let sent = tokio::spawn(async move {
            let sent = stream.write_all(&[0; 32]).await;
            // Nothing to send for long is nobody's fault.
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

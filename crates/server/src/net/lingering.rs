//! Closes a connection so that its last answer arrives.
//!
//! A client that still sends a body when its request is refused may not look at the answer before it
//! has sent everything. A socket that is closed with bytes unread resets the connection, and the client
//! sees the reset instead of the answer. So the sending half is closed first, and arriving bytes are read and
//! discarded until the client closes too (RFC 9112, section 9.6), within limits.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::http::exchange::Exchange;

/// The most bytes that are read and discarded: a large file that a user sends as a value by mistake is less, and
/// reading it costs less than a second of one core.
const MAX_BYTES: u64 = 1 << 30;

/// The longest time that a connection lingers. Meanwhile it counts as an open connection.
const WITHIN: Duration = Duration::from_secs(30);

/// The longest time without bytes from the client: several round trips, as TCP repeats a lost packet.
const SILENCE: Duration = Duration::from_secs(5);

/// Bytes that are discarded at a time.
const PART_BYTES: usize = 64 << 10;

/// A stream that lingers when it is shut down, if its [`Exchange`] demands it.
pub(super) struct Lingering<S> {
    stream: S,
    exchange: Arc<Exchange>,
    /// `None` unless it lingers. Boxed, because few connections need it.
    state: Option<Box<State>>,
}

struct State {
    bytes: u64,
    ends: Instant,
    timer: Pin<Box<Sleep>>,
    part: Box<[u8]>,
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S, exchange: Arc<Exchange>) -> Self {
        Self {
            stream,
            exchange,
            state: None,
        }
    }
}

impl<S: AsyncRead + Unpin> Lingering<S> {
    /// Reads until the other end closes or a limit is reached.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let state = self.state.get_or_insert_with(|| {
            Box::new(State {
                bytes: 0,
                ends: now + WITHIN,
                timer: Box::pin(sleep_until(now + SILENCE)),
                part: vec![0; PART_BYTES].into_boxed_slice(),
            })
        });
        loop {
            let mut part = ReadBuf::new(&mut state.part);
            match Pin::new(&mut self.stream).poll_read(context, &mut part) {
                Poll::Ready(Ok(())) if !part.filled().is_empty() => {
                    state.bytes += part.filled().len() as u64;
                    let now = Instant::now();
                    if state.bytes > MAX_BYTES || now >= state.ends {
                        return Poll::Ready(());
                    }
                    state.timer.as_mut().reset((now + SILENCE).min(state.ends));
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return state.timer.as_mut().poll(context),
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.state.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            if !self.exchange.lingers() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_rest(context).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    fn lingering<S>(stream: S) -> Lingering<S> {
        let exchange = Arc::new(Exchange::default());
        exchange.linger();
        Lingering::new(stream, exchange)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_on_sees_the_answer_and_then_the_end() {
        let (ours, mut theirs) = duplex(1_024);
        let mut stream = lingering(ours);
        let closing = tokio::spawn(async move {
            stream.write_all(b"the answer").await.unwrap();
            stream.shutdown().await.unwrap();
        });
        // Far more than fits into the pipe: it is read away.
        theirs.write_all(&vec![0; 100_000]).await.unwrap();
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "the answer");
        assert!(
            !closing.is_finished(),
            "it reads on until the client closes"
        );
        drop(theirs);
        closing.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_and_a_slow_one_are_given_up() {
        let (ours, theirs) = duplex(16);
        let began = Instant::now();
        lingering(ours).shutdown().await.unwrap();
        assert_eq!(began.elapsed().as_secs(), SILENCE.as_secs());
        drop(theirs);

        let (ours, mut theirs) = duplex(16);
        let slow = tokio::spawn(async move {
            while theirs.write_all(&[0; 1]).await.is_ok() {
                tokio::time::sleep(SILENCE / 2).await;
            }
        });
        let began = Instant::now();
        let mut stream = lingering(ours);
        stream.shutdown().await.unwrap();
        assert_eq!(began.elapsed().as_secs(), WITHIN.as_secs());
        drop(stream);
        slow.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_without_end_is_given_up() {
        let (ours, mut theirs) = duplex(PART_BYTES);
        let endless = tokio::spawn(async move {
            let part = vec![0; PART_BYTES];
            let mut sent = 0;
            while theirs.write_all(&part).await.is_ok() {
                sent += part.len() as u64;
            }
            sent
        });
        let mut stream = lingering(ours);
        stream.shutdown().await.unwrap();
        drop(stream);
        assert!(endless.await.unwrap() >= MAX_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_requests_were_read_closes_at_once() {
        let (ours, _theirs) = duplex(16);
        let began = Instant::now();
        let exchange = Arc::new(Exchange::default());
        Lingering::new(ours, exchange).shutdown().await.unwrap();
        assert!(began.elapsed().is_zero());
    }
}

//! Watches changes over any number of connections.

mod lines;

use std::io::BufReader;
use std::time::Duration;

use prominence_api::name::{self, event, parameter};
use prominence_api::{Changed, Reset, path};
use prominence_core::{Prefix, Revision};
use ureq::BodyReader;
use ureq::http::HeaderName;

use crate::error::{Error, Fate};
use crate::reply::{MAX_SMALL, Reply, is_marked};
use crate::request::{Client, Request};
use crate::retry::Backoff;
use crate::transport::cut_off;
use lines::{Block, Lines};

/// The options of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    /// The start of the watch.
    pub start: Start,
    /// The parts of a change in its events.
    pub show: Told,
    /// The action when the connection is lost.
    pub reconnect: Reconnect,
}

/// The start of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the next change.
    Now,
    /// With the first change after this revision.
    After(Revision),
}

/// The parts of a change in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The key and its metadata.
    Keys,
    /// The value as well, unless a later change has replaced it.
    Values,
}

/// The action of a watch when its connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// It ends with the error.
    Never,
    /// It connects again and continues after the last event, unless the server is unreachable for longer than this.
    Within(Duration),
}

/// A change, or a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key was written.
    Put(Changed),
    /// A key was deleted.
    Delete(Changed),
    /// An entry expired.
    Expire(Changed),
    /// Changes up to this revision are missing. A new listing has the state before the next event.
    Reset(Revision),
}

/// The changes under a prefix, in order, none repeated or missing. Ends after the first error.
pub struct Watch<'a> {
    client: &'a Client,
    prefix: Prefix,
    options: WatchOptions,
    lines: Option<Lines<BufReader<BodyReader<'static>>>>,
    /// The id of the last event, after which the server continues.
    last_id: Option<String>,
    /// Set if the server's log no longer has the last event; the reader then gets a reset.
    gap: Gap,
    outage: Option<Outage>,
    ended: bool,
}

/// A time without a connection.
struct Outage {
    /// The time of its beginning, by the client's clock.
    since: Duration,
    backoff: Backoff,
}

/// The changes after the last event are complete, or some are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    None,
    Untold,
}

impl Default for WatchOptions {
    /// From now on, without values; the watch reconnects after an outage of up to five minutes.
    fn default() -> Self {
        Self {
            start: Start::Now,
            show: Told::Keys,
            reconnect: Reconnect::Within(Duration::from_secs(300)),
        }
    }
}

impl Client {
    /// Watches the keys that begin with a prefix. Nothing is sent before the first event is requested.
    pub fn watch(&self, prefix: &Prefix, options: WatchOptions) -> Watch<'_> {
        Watch {
            client: self,
            prefix: prefix.clone(),
            options,
            lines: None,
            last_id: None,
            gap: Gap::None,
            outage: None,
            ended: false,
        }
    }
}

impl Watch<'_> {
    fn step(&mut self) -> Result<Option<Event>, Error> {
        let Some(lines) = &mut self.lines else {
            return self.connect().map(|()| None);
        };
        let block = match lines.block() {
            Ok(Some(block)) => block,
            Ok(None) => {
                let ended = self.client.bad_answer("it ended", Fate::NotApplied);
                return self.broken(ended, None);
            }
            Err(error) => {
                let cause = cut_off(ureq::Error::Io(error));
                return self.broken(self.client.failed(&self.request(), cause), None);
            }
        };
        self.outage = None;
        if let Some(id) = &block.id {
            self.last_id = Some(id.clone());
        }
        if self.gap == Gap::Untold
            && let Some(id) = &block.id
        {
            self.gap = Gap::None;
            return Ok(Some(Event::Reset(Revision::new(id.parse().unwrap_or(0)))));
        }
        self.event(block)
    }

    /// Opens a connection that continues after the last event.
    fn connect(&mut self) -> Result<(), Error> {
        let request = self.request();
        // The server sends data at least every 15 s; the usual time limit detects a server that does not.
        let mut retry_after = None;
        let opened = self.client.open(&request).and_then(|response| {
            if response.status().is_success() && is_marked(response.headers()) {
                return Ok(response);
            }
            let reply = Reply::read(response, &request);
            let reply = reply.map_err(|cause| self.client.failed(&request, cut_off(cause)))?;
            retry_after = reply.retry_after();
            Err(match self.client.judge(reply, &request) {
                Ok(_) => self
                    .client
                    .bad_answer("it is no stream of events", Fate::NotApplied),
                Err(failed) => failed.error,
            })
        });
        match opened {
            Ok(response) => {
                let body = response.into_body().into_reader();
                self.lines = Some(Lines::new(BufReader::new(body)));
                Ok(())
            }
            Err(error) if error.is_compacted() && self.last_id.is_some() => {
                self.last_id = None;
                self.options.start = Start::Now;
                self.gap = Gap::Untold;
                Ok(())
            }
            Err(error) if error.is_transient() => self.broken(error, retry_after).map(|_| ()),
            Err(error) => Err(error),
        }
    }

    /// Waits before the next connection, or returns the error of the lost one.
    fn broken(
        &mut self,
        error: Error,
        retry_after: Option<Duration>,
    ) -> Result<Option<Event>, Error> {
        let told = self.lines.take().is_some();
        let Reconnect::Within(patience) = self.options.reconnect else {
            return Err(error);
        };
        let now = self.client.clock().now();
        let outage = self.outage.get_or_insert_with(|| Outage {
            since: now,
            backoff: Backoff::new(),
        });
        let left = patience.saturating_sub(now.saturating_sub(outage.since));
        let Some(pause) = outage.backoff.pause(left, retry_after) else {
            return Err(error.after_giving_up(retry_after, left));
        };
        let since = outage.since;
        // The end of a stream, such as by a proxy that closes idle ones, is no failure if the next one begins.
        if !told {
            self.client.notify(&error, (left, pause), since);
        }
        self.client.clock().sleep(pause);
        Ok(None)
    }

    fn request(&self) -> Request<'static> {
        let mut target = format!("{}?{}", path::of_prefix(&self.prefix), parameter::WATCH);
        if self.options.show == Told::Values {
            target.push('&');
            target.push_str(parameter::VALUES);
        }
        if let Start::After(revision) = self.options.start {
            target.push_str(&format!("&{}={revision}", parameter::SINCE));
        }
        let mut request = Request::read(target, MAX_SMALL);
        if let Some(id) = &self.last_id {
            let last = HeaderName::from_static(name::LAST_EVENT_ID);
            request.headers.push((last, id.clone()));
        }
        request
    }

    /// The event of a block; `None` for a comment, and for an event that only later versions know.
    fn event(&self, block: Block) -> Result<Option<Event>, Error> {
        let odd =
            |error: serde_json::Error| self.client.bad_answer(error.to_string(), Fate::NotApplied);
        let changed = || serde_json::from_str::<Changed>(&block.data).map_err(odd);
        Ok(match block.event.as_str() {
            event::PUT => Some(Event::Put(changed()?)),
            event::DELETE => Some(Event::Delete(changed()?)),
            event::EXPIRE => Some(Event::Expire(changed()?)),
            event::RESET => {
                let Reset { revision } = serde_json::from_str(&block.data).map_err(odd)?;
                Some(Event::Reset(Revision::new(revision)))
            }
            _ => None,
        })
    }
}

impl Iterator for Watch<'_> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.step() {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => {}
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

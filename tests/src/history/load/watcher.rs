//! A client that watches a prefix, and resumes after every lost connection.

use std::io::{BufRead as _, BufReader};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize as _;
use serde_json::Value;

use super::connection::Network;
use crate::history::operation::{Cause, Event, EventKind, Put, Text, Watch};

/// The time limit for a watcher to see the end of a round.
const WITHIN: Duration = Duration::from_secs(60);

/// The pause of a watcher before it tries another server.
const PAUSE: Duration = Duration::from_millis(5);

/// The largest number of events after which a watcher closes its connection.
const PATIENCE: usize = 2_000;

/// A watcher.
pub(crate) struct Watcher {
    network: Arc<Network>,
    token: Text,
    agent: ureq::Agent,
    random: fastrand::Rng,
    prefix: Text,
    /// The revision up to which earlier rounds have seen every event.
    since: u64,
    /// The last event identifier of the stream.
    last: Option<String>,
}

/// The meaning of a part of a stream.
#[derive(Default)]
struct Part {
    id: Option<String>,
    event: String,
    data: String,
}

impl Watcher {
    /// A watcher of every change after the namespace's first revision.
    pub(crate) fn new(
        network: &Arc<Network>,
        token: &Text,
        prefix: &str,
        random: &mut fastrand::Rng,
    ) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(WITHIN))
            .timeout_recv_body(Some(WITHIN));
        Self {
            network: Arc::clone(network),
            token: token.clone(),
            agent: config.build().into(),
            random: random.fork(),
            prefix: prefix.into(),
            since: 0,
            last: None,
        }
    }

    /// The key that is written to tell this watcher that a round is over.
    pub(crate) fn sentinel(prefix: &str) -> Text {
        format!("{prefix}sentinel").into()
    }

    /// Watches until the round is over.
    pub(crate) fn run(&mut self) -> Watch {
        let mut watch = Watch {
            prefix: self.prefix.clone(),
            since: self.since,
            until: self.since,
            events: Vec::new(),
        };
        let started = Instant::now();
        let sentinel = Self::sentinel(&self.prefix);
        loop {
            self.connect(&mut watch.events, &sentinel);
            let last = watch.events.last();
            if let Some(last) = last.filter(|event| event.ends(&sentinel)) {
                watch.until = last.revision;
                self.since = last.revision;
                return watch;
            }
            // A round may take long; a watcher that receives events is not late.
            assert!(
                started.elapsed() < WITHIN * 10,
                "the watcher of {} was not told of the end of the round",
                self.prefix
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// Reads from one connection until it is lost, is closed, or has the event of the sentinel.
    fn connect(&mut self, events: &mut Vec<Event>, sentinel: &Text) {
        let url = self.network.url(&mut self.random);
        let mut request = self
            .agent
            .get(format!("{url}/kv{}", self.prefix))
            .query("watch", "")
            .query("values", "")
            .header("authorization", format!("Bearer {}", self.token));
        request = match &self.last {
            Some(last) => request.header("last-event-id", last),
            None => request.query("since", self.since.to_string()),
        };
        let Ok(response) = request.call() else {
            return;
        };
        if response.status() == 503 {
            return;
        }
        assert_eq!(response.status(), 200, "watching {}", self.prefix);
        let patience = events.len() + self.random.usize(1..PATIENCE);
        let mut part = Part::default();
        for line in BufReader::new(response.into_body().into_reader()).lines() {
            let Ok(line) = line else { return };
            if !line.is_empty() {
                part.read(&line);
                continue;
            }
            let whole = std::mem::take(&mut part);
            if let Some(id) = &whole.id {
                self.last = Some(id.clone());
            }
            if let Some(event) = whole.event() {
                let is_last = event.ends(sentinel);
                events.push(event);
                if is_last || events.len() >= patience {
                    return;
                }
            }
        }
    }
}

impl Event {
    /// True if the event says that the round is over. Clients may delete the sentinel with its folder.
    fn ends(&self, sentinel: &Text) -> bool {
        self.kind == EventKind::Put && self.key == *sentinel
    }
}

impl Part {
    /// A line of an event stream as in the HTML standard: field, colon, at most one space, value.
    fn read(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.event),
            "data" => self.data.push_str(value),
            _ => {}
        }
    }

    /// The change that an event describes.
    fn event(&self) -> Option<Event> {
        if self.data.is_empty() {
            return None;
        }
        let kind = match &*self.event {
            "put" => EventKind::Put,
            "delete" => EventKind::Delete,
            "expire" => EventKind::Expire,
            other => panic!("a watcher was told of {other}: {}", self.data),
        };
        let data: Value = serde_json::from_str(&self.data).expect("data are JSON");
        Some(Event {
            revision: data["revision"].as_u64().expect("an event has a revision"),
            key: data["key"].as_str().expect("an event has a key").into(),
            kind,
            value: data["value"].as_str().map(Text::from),
            put: (kind == EventKind::Put).then(|| Put {
                cause: Cause::deserialize(&data["change"]).expect("a put has its cause"),
                claims: data["claims"].as_u64().unwrap_or_default(),
            }),
        })
    }
}

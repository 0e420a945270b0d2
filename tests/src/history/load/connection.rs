//! Sends one client's requests, and reads their answers.

use std::io::{self, ErrorKind};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prominence_api::time::parse_rfc3339;
use serde_json::{Value, json};
use ureq::http::{Request, Response, request};

use crate::history::operation::{
    Answer, Barrier, Call, Change, Entry, Expect, Follows, Moment, NEVER, Record, Snapshot, Text,
};
use crate::history::record::Clock;

/// The time limit for each step of a request (sending, answer, body) before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time for which a claim lasts: shorter than a round, so that claims run out within it.
const CLAIM: &str = "1s";

/// Shared by all connections of a run.
pub struct Network {
    /// The present addresses of the servers.
    pub urls: RwLock<Vec<String>>,
    /// The run's clock.
    pub clock: Clock,
    /// True if a request can no longer take effect once its connection is broken.
    pub forgets_broken_requests: bool,
}

impl Network {
    /// One of the servers.
    pub fn url(&self, random: &mut fastrand::Rng) -> String {
        let urls = self.urls.read().unwrap_or_else(PoisonError::into_inner);
        let chosen = random.choice(urls.iter());
        chosen.cloned().expect("there is a server")
    }
}

/// One client.
pub struct Connection {
    network: Arc<Network>,
    token: Text,
    agent: ureq::Agent,
    random: fastrand::Rng,
    url: String,
    client: u64,
}

impl Connection {
    /// A client with a token.
    #[must_use]
    pub fn new(network: &Arc<Network>, token: &Text, random: &mut fastrand::Rng) -> Self {
        let mut random = random.fork();
        // The limits are for each step: with a limit for the whole request, ureq starts a thread for each request to
        // look up the server's name.
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_send_request(Some(PATIENCE))
            .timeout_send_body(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_recv_body(Some(PATIENCE));
        Self {
            network: Arc::clone(network),
            token: token.clone(),
            agent: config.build().into(),
            url: network.url(&mut random),
            client: network.clock.name(),
            random,
        }
    }

    /// Sends requests to this server from now on, until one is lost.
    pub fn turn_to(&mut self, url: &str) {
        url.clone_into(&mut self.url);
    }

    /// Sends a request and waits for its answer. `None` where it had no effect and its answer says nothing.
    pub fn send(&mut self, call: Call) -> Option<Record> {
        let start = self.network.clock.now();
        let outcome = self.exchange(&call);
        let end = self.network.clock.now();
        let (end, answer) = match outcome {
            Ok(Some(Answer::Lost)) => (NEVER, Answer::Lost),
            Ok(answer) => (end, answer?),
            Err(error) => {
                self.url = self.network.url(&mut self.random);
                if error.kind() == ErrorKind::ConnectionRefused {
                    return None;
                }
                let settled =
                    self.network.forgets_broken_requests && error.kind() != ErrorKind::TimedOut;
                (if settled { end } else { NEVER }, Answer::Lost)
            }
        };
        let client = self.client;
        if answer == Answer::Lost {
            if !call.is_write() {
                return None;
            }
            self.client = self.network.clock.name();
        }
        Some(Record {
            client,
            start,
            end,
            call,
            answer,
        })
    }

    fn exchange(&self, call: &Call) -> io::Result<Option<Answer>> {
        let (request, body) = self.request(call);
        let request = request.body(body).map_err(io::Error::other)?;
        let mut response = self.agent.run(request).map_err(ureq::Error::into_io)?;
        let body = response.body_mut().with_config().limit(u64::MAX);
        let body = body.read_to_string().map_err(ureq::Error::into_io)?;
        Ok(match response.status().as_u16() {
            // The server did not accept the connection.
            429 => None,
            // The server says that nothing was done. If that is wrong, the rest of the history shows it.
            503 if body.contains("nothing was changed") => None,
            503 => Some(Answer::Lost),
            status => Some(
                self.answer(call, status, &response, &body)
                    .unwrap_or(Answer::Odd(status, body)),
            ),
        })
    }

    fn request(&self, call: &Call) -> (request::Builder, Vec<u8>) {
        let nothing = Vec::new();
        let (method, path, expect, body) = match call {
            Call::Get(key) => ("GET", key.to_string(), &Expect::Anything, nothing),
            Call::List(prefix) => {
                let path = format!("{prefix}?list&detail&values&limit=10000");
                ("GET", path, &Expect::Anything, nothing)
            }
            Call::Page { .. } | Call::Wait { .. } | Call::Count { .. } => {
                ("GET", query(call), &Expect::Anything, nothing)
            }
            Call::Set {
                key,
                value,
                expect,
                ttl,
            } => {
                let ttl = ttl.map(|ttl| format!("ttl={}s", ttl / 1_000_000_000));
                let prev = match expect {
                    Expect::Value(value) => Some(format!("prev={value}")),
                    _ => None,
                };
                let query: Vec<_> = ttl.into_iter().chain(prev).collect();
                let path = format!("{key}?{}", query.join("&"));
                ("POST", path, expect, value.as_bytes().to_vec())
            }
            Call::Add(key, by) => (
                "POST",
                format!("{key}?add={by}"),
                &Expect::Anything,
                nothing,
            ),
            Call::Delete(key, expect) => ("DELETE", key.to_string(), expect, nothing),
            Call::DeletePrefix(prefix) => {
                let path = format!("{prefix}?prefix");
                ("DELETE", path, &Expect::Anything, nothing)
            }
            Call::Batch {
                conditions,
                changes,
            } => {
                let body = batch(conditions, changes).to_string().into_bytes();
                ("POST", String::new(), &Expect::Anything, body)
            }
            Call::Claim(prefix) => {
                let path = format!("{prefix}?claim={CLAIM}");
                ("POST", path, &Expect::Anything, nothing)
            }
            Call::Renew(key, revision) => {
                let path = format!("{key}?renew={CLAIM}");
                ("POST", path, &Expect::Revision(*revision), nothing)
            }
            Call::Release(key, revision) => {
                let path = format!("{key}?release");
                ("POST", path, &Expect::Revision(*revision), nothing)
            }
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/kv{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token));
        request = match expect {
            Expect::Absent => request.header("if-none-match", "*"),
            Expect::Revision(revision) => request.header("if-match", format!("\"{revision}\"")),
            Expect::Anything | Expect::Value(_) => request,
        };
        if let Call::Wait {
            unlike: Some(revision),
            ..
        } = call
        {
            request = request.header("if-none-match", format!("\"{revision}\""));
        }
        if matches!(call, Call::Batch { .. }) {
            request = request.header("content-type", "application/json");
        }
        (request, body)
    }

    /// The answer, or `None` where the interface has no such answer to this request.
    fn answer<B>(
        &self,
        call: &Call,
        status: u16,
        response: &Response<B>,
        body: &str,
    ) -> Option<Answer> {
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        let etag = || header("etag")?.trim_matches('"').parse::<u64>().ok();
        let moment = |text: &str| {
            let nanoseconds = parse_rfc3339(text)?.as_millis().checked_mul(1_000_000)?;
            Some::<Moment>(self.network.clock.told(nanoseconds))
        };
        let json = || serde_json::from_str::<Value>(body).ok();
        Some(match (call, status) {
            (Call::Get(_) | Call::Wait { .. }, 404) => Answer::Absent,
            (Call::Wait { .. }, 304) => Answer::Unchanged,
            (Call::Get(_) | Call::Wait { .. }, 200) => Answer::Found(Entry {
                value: body.into(),
                revision: etag()?,
            }),
            (Call::List(_), 200) if header("link").is_none() => Answer::Listed(listed(&json()?)?),
            (Call::Page { .. }, 200) => {
                let follows = header("link").map_or(Follows::Nothing, |_| Follows::More);
                Answer::Page(listed(&json()?)?, follows)
            }
            (Call::Count { .. }, 200) => Answer::Counted(json()?["count"].as_u64()?),
            (Call::Set { .. }, 200 | 201) => {
                let revision = json()?["revision"].as_u64()?;
                (etag()? == revision).then_some(Answer::Written(revision))?
            }
            (Call::Add(..), 200) => {
                let answer = json()?;
                Answer::Sum(answer["value"].as_i64()?, answer["revision"].as_u64()?)
            }
            (Call::Delete(..) | Call::DeletePrefix(_), 200) => {
                Answer::Deleted(json()?["deleted"].as_u64()?)
            }
            (Call::Batch { .. }, 200) => {
                let answer = json()?;
                let results = answer["results"].as_array()?;
                let sums = results.iter().map(|result| result["value"].as_i64());
                Answer::Done(answer["revision"].as_u64()?, sums.collect())
            }
            (Call::Claim(_), 204) => Answer::Nothing,
            (Call::Claim(_), 200) => Answer::Claimed {
                key: header("prominence-key")?.into(),
                entry: Entry {
                    value: body.into(),
                    revision: etag()?,
                },
                until: moment(header("prominence-claimed-until")?)?,
                claims: Some(header("prominence-claims")?.parse().ok()?),
            },
            (Call::Renew(..), 200) => {
                let answer = json()?;
                Answer::Renewed(etag()?, moment(answer["claimed_until"].as_str()?)?)
            }
            (Call::Release(..), 200) => Answer::Written(etag()?),
            (call, _) if !call.is_write() => return None,
            (Call::Add(..), _) => return None,
            (_, 412) => Answer::Failed,
            // There is nothing to renew or to release.
            (Call::Renew(..) | Call::Release(..), 404) => Answer::Failed,
            _ => return None,
        })
    }
}

/// The path and query of a read that has several parts.
fn query(call: &Call) -> String {
    let time = |nanoseconds: &Moment| format!("wait={}s", nanoseconds / 1_000_000_000);
    match call {
        Call::Page {
            prefix,
            after,
            limit,
        } => {
            let after = after.iter().map(|after| format!("&after={after}"));
            let after: String = after.collect();
            format!("{prefix}?list&detail&values&limit={limit}{after}")
        }
        Call::Wait { key, within, .. } => format!("{key}?{}", time(within)),
        Call::Count { prefix, barrier } => {
            let barrier = barrier.iter().map(|Barrier { at_least, within }| {
                format!("&at_least={at_least}&{}", time(within))
            });
            format!("{prefix}?list&count{}", barrier.collect::<String>())
        }
        _ => String::new(),
    }
}

/// The body of a batch.
fn batch(conditions: &[(Text, Expect)], changes: &[(Text, Change)]) -> Value {
    let conditions = conditions.iter().filter_map(|(key, expect)| match expect {
        Expect::Anything => None,
        Expect::Absent => Some(json!({"key": key, "absent": true})),
        Expect::Revision(revision) => Some(json!({"key": key, "revision": revision})),
        Expect::Value(value) => Some(json!({"key": key, "value": value})),
    });
    let changes = changes.iter().map(|(key, change)| match change {
        Change::Set(value) => json!({"set": key, "value": value}),
        Change::Add(by) => json!({"add": key, "by": by}),
        Change::Delete => json!({"delete": key}),
    });
    json!({"if": conditions.collect::<Vec<_>>(), "do": changes.collect::<Vec<_>>()})
}

/// The entries of a listing with details and values.
fn listed(answer: &Value) -> Option<Snapshot> {
    let entries = answer.as_array()?;
    let keys = entries.iter().map(|entry| entry["key"].as_str());
    // A map would hide keys that are listed twice or out of order.
    if !keys.is_sorted_by(|one, next| one < next) {
        return None;
    }
    let entries = entries.iter().map(|entry| {
        let shown = Entry {
            value: entry["value"].as_str()?.into(),
            revision: entry["revision"].as_u64()?,
        };
        Some((Text::from(entry["key"].as_str()?), shown))
    });
    entries.collect()
}

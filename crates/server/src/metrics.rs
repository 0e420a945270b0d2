//! Metrics: requests by method and status, the time until their answers begin, connections, long polls, the memory of
//! requests, and the operations of the engine.
//!
//! Labels have a fixed set of values, so the number of series can't grow, and none of them names a
//! user or a key.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::identity::issuer::{Issuers, Outcome, Verdict};
use crate::identity::records::Revocations;
use crate::wait::budget::MemoryBudget;
use crate::wait::clock::Timer;
use crate::wait::long_poll::{LongPollKind, LongPolls};

const REQUESTS: &str = "prominence_http_requests_total";
const DURATION: &str = "prominence_http_request_duration_seconds";
const CONNECTIONS: &str = "prominence_connections";
const LONG_POLLS: &str = "prominence_held_requests";
const MEMORY: &str = "prominence_request_memory_bytes";
const CLOCK: &str = "prominence_clock_ahead_seconds";
const OPERATIONS: &str = "prominence_engine_operations_total";
const VERIFICATIONS: &str = "prominence_token_verifications_total";
const MADE_TOKENS: &str = "prominence_tokens_minted_total";
const REVOCATIONS: &str = "prominence_revocations";
const ISSUER_REQUESTS: &str = "prominence_issuer_requests_total";
const ISSUER_KEYS: &str = "prominence_issuer_keys";
const ISSUER_CONFIRMED: &str = "prominence_issuer_confirmed_seconds";
const ISSUER_CIRCUITS: &str = "prominence_issuer_circuit_open";

/// Upper ends of the histogram's buckets, in seconds: from a read out of memory to a stuck disk.
const BUCKETS: [f64; 10] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0,
];

/// The interval at which recorded durations are put into their buckets. Until then each one takes memory.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);

/// The values of the label `method`; the last one counts all other methods.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "DELETE", "other"];

/// Classes of status codes, 1xx to 5xx.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The server's metrics.
pub(crate) struct Metrics {
    /// By method, then by class of status.
    requests: Vec<Vec<Counter>>,
    /// By method.
    durations: Vec<Histogram>,
    connections: Gauge,
    memory: Gauge,
    clock: Gauge,
    /// In the order of [`LongPollKind::ALL`].
    long_polls: Vec<Gauge>,
    engine: OnceLock<Operations>,
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

/// Reads the engine's counters, each with the value of its label `operation`. The values are always the same.
pub(crate) type Operations = Box<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>;

/// Describes what is told of issuers.
fn describe_issuers(recorder: &PrometheusRecorder) {
    let what = "Tokens of an issuer that were verified, without those remembered.";
    recorder.describe_counter(VERIFICATIONS.into(), None, what.into());
    let what = "Tokens that were made from others, by the issuer of those.";
    recorder.describe_counter(MADE_TOKENS.into(), None, what.into());
    let what = "Revocations of tokens that are remembered.";
    recorder.describe_gauge(REVOCATIONS.into(), None, what.into());
    let what = "Requests to an issuer.";
    recorder.describe_counter(ISSUER_REQUESTS.into(), None, what.into());
    let what = "Keys of an issuer that can be used.";
    recorder.describe_gauge(ISSUER_KEYS.into(), None, what.into());
    let what = "Time since an issuer last confirmed its keys.";
    recorder.describe_gauge(ISSUER_CONFIRMED.into(), None, what.into());
    let what = "Whether an endpoint is not asked, because it has not answered lately.";
    recorder.describe_gauge(ISSUER_CIRCUITS.into(), None, what.into());
}

/// An open connection, which is counted until this is dropped.
pub(crate) struct Connected(Gauge);

impl Metrics {
    pub(crate) fn new() -> Self {
        let builder = PrometheusBuilder::new();
        // Only an empty list of buckets is refused.
        let builder = builder.set_buckets(&BUCKETS).unwrap_or_default();
        let recorder = builder.build_recorder();
        recorder.describe_counter(REQUESTS.into(), None, "Requests answered.".into());
        recorder.describe_histogram(
            DURATION.into(),
            None,
            "Time from a request's head to the head of its answer.".into(),
        );
        recorder.describe_gauge(CONNECTIONS.into(), None, "Open connections.".into());
        recorder.describe_gauge(
            LONG_POLLS.into(),
            None,
            "Requests that wait or watch, each with a connection.".into(),
        );
        recorder.describe_gauge(
            MEMORY.into(),
            None,
            "Memory for bodies that are read and answers that are sent.".into(),
        );
        recorder.describe_gauge(
            CLOCK.into(),
            None,
            "By how much the server's own clock is ahead of the machine's.".into(),
        );
        describe_issuers(&recorder);
        let what = "Operations of the engine since the server was started.";
        recorder.describe_counter(OPERATIONS.into(), None, what.into());
        let requests = METHODS.map(|method| counters(&recorder, method)).into();
        let durations = METHODS.map(|method| {
            let labels = vec![Label::from_static_parts("method", method)];
            recorder.register_histogram(&Key::from_parts(DURATION, labels), &METADATA)
        });
        Self {
            requests,
            durations: durations.into(),
            connections: recorder.register_gauge(&Key::from_name(CONNECTIONS), &METADATA),
            memory: recorder.register_gauge(&Key::from_name(MEMORY), &METADATA),
            clock: recorder.register_gauge(&Key::from_name(CLOCK), &METADATA),
            long_polls: LongPollKind::ALL
                .map(|kind| long_polls(&recorder, kind))
                .into(),
            engine: OnceLock::new(),
            handle: recorder.handle(),
            recorder,
        }
    }

    /// Counts an answered request.
    pub(crate) fn answered(&self, method: &Method, status: StatusCode, took: Duration) {
        let method = index_of(method);
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self
            .requests
            .get(method)
            .and_then(|classes| classes.get(class))
        {
            counter.increment(1);
        }
        if let Some(histogram) = self.durations.get(method) {
            histogram.record(took);
        }
    }

    /// Counts a connection until the returned value is dropped.
    pub(crate) fn connected(&self) -> Connected {
        self.connections.increment(1.0);
        Connected(self.connections.clone())
    }

    /// Counts a token that was made from one of this issuer, or from a token that is signed with a secret.
    pub(crate) fn made_token(&self, via: &str) {
        let labels = vec![Label::new("issuer", via.to_owned())];
        let key = Key::from_parts(MADE_TOKENS, labels);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }

    /// Adds the engine's own counters.
    pub(crate) fn add_engine(&self, engine: Operations) {
        // There is one engine, and it is added once.
        let _ = self.engine.set(engine);
    }

    /// All metrics in the text format of Prometheus. Long polls, memory and clocks are read now; everything else was
    /// recorded before.
    pub(crate) fn render(
        &self,
        long_polls: &LongPolls,
        memory: &MemoryBudget,
        issuers: &Issuers,
        revocations: &Revocations,
        clock: &dyn Timer,
    ) -> String {
        self.memory.set(memory.held() as f64);
        let (now, wall) = (clock.now().as_millis(), clock.wall().as_millis());
        let ahead = Duration::from_millis(now.abs_diff(wall)).as_secs_f64();
        self.clock.set(if now < wall { -ahead } else { ahead });
        for (kind, gauge) in LongPollKind::ALL.into_iter().zip(&self.long_polls) {
            let taken = u32::try_from(long_polls.count_of(kind)).unwrap_or(u32::MAX);
            gauge.set(taken);
        }
        for (operation, count) in self.engine.get().map(|read| read()).into_iter().flatten() {
            let labels = vec![Label::from_static_parts("operation", operation)];
            let key = Key::from_parts(OPERATIONS, labels);
            self.recorder
                .register_counter(&key, &METADATA)
                .absolute(count);
        }
        self.show_issuers(issuers);
        for (kind, count) in revocations.by_kind() {
            let key = Key::from_parts(REVOCATIONS, vec![Label::from_static_parts("kind", kind)]);
            let gauge = self.recorder.register_gauge(&key, &METADATA);
            gauge.set(count as f64);
        }
        self.handle.render()
    }

    /// The counts and the condition of each issuer.
    fn show_issuers(&self, issuers: &Issuers) {
        for issuer in issuers.conditions() {
            let key = |name: &'static str, more: &[(&'static str, &'static str)]| {
                let mut labels = vec![Label::new("issuer", issuer.name.to_owned())];
                labels.extend(
                    more.iter()
                        .map(|(name, value)| Label::from_static_parts(name, value)),
                );
                Key::from_parts(name, labels)
            };
            let count = |key: &Key, count| {
                self.recorder
                    .register_counter(key, &METADATA)
                    .absolute(count);
            };
            let show = |key: &Key, value: f64| {
                self.recorder.register_gauge(key, &METADATA).set(value);
            };
            for verdict in Verdict::ALL {
                let key = key(VERIFICATIONS, &[("result", verdict.name())]);
                count(&key, issuer.counters.verdicts(verdict));
            }
            for (endpoint, is_open) in issuer.open {
                for outcome in Outcome::ALL {
                    let labels = [("endpoint", endpoint.name()), ("result", outcome.name())];
                    let key = key(ISSUER_REQUESTS, &labels);
                    count(&key, issuer.counters.requests(endpoint, outcome));
                }
                let key = key(ISSUER_CIRCUITS, &[("endpoint", endpoint.name())]);
                show(&key, if is_open { 1.0 } else { 0.0 });
            }
            let keys = u32::try_from(issuer.keys).unwrap_or(u32::MAX);
            show(&key(ISSUER_KEYS, &[]), keys.into());
            if let Some(age) = issuer.confirmed {
                show(&key(ISSUER_CONFIRMED, &[]), age.as_secs_f64());
            }
        }
    }
}

impl Metrics {
    /// Puts recorded durations into their buckets, again and again. Without it they would take more and more memory
    /// while nobody reads the metrics.
    pub(crate) fn upkeep(&self) -> impl Future<Output = ()> + use<> {
        let handle = self.handle.clone();
        async move {
            let mut ticks = tokio::time::interval(UPKEEP_EVERY);
            loop {
                ticks.tick().await;
                handle.run_upkeep();
            }
        }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// The index of a method in [`METHODS`]. Methods are compared as they were parsed, not as text.
fn index_of(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::DELETE => 4,
        _ => METHODS.len() - 1,
    }
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

fn counters(recorder: &PrometheusRecorder, method: &'static str) -> Vec<Counter> {
    let counter = |class| {
        let labels = vec![
            Label::from_static_parts("method", method),
            Label::from_static_parts("status", class),
        ];
        recorder.register_counter(&Key::from_parts(REQUESTS, labels), &METADATA)
    };
    CLASSES.map(counter).into()
}

fn long_polls(recorder: &PrometheusRecorder, kind: LongPollKind) -> Gauge {
    let labels = vec![Label::from_static_parts("kind", kind.name())];
    recorder.register_gauge(&Key::from_parts(LONG_POLLS, labels), &METADATA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_is_counted_under_its_own_name() {
        for name in METHODS {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(METHODS[index_of(&method)], name);
        }
        assert_eq!(METHODS[index_of(&Method::PATCH)], "other");
    }
}

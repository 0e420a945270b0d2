//! `prominence demo`: example data that arrives as that of jobs does, to look at on the page and to try commands on.

use std::thread;
use std::time::{Duration, Instant};

use prominence_api::{Batch, BatchOperation, BatchTtl};
use prominence_client::{Client, Error, Lifetime, SetOptions};
use prominence_core::{Key, Prefix};

use super::below::folder;
use crate::args::demo::Demo;
use crate::failure::Failure;
use crate::output::Output;

/// Rows of the sweep.
const ROWS: u32 = 300;

/// Pieces of work in the queue.
const WORK: u32 = 24;

/// Operations of a batch.
const IN_A_BATCH: u32 = 100;

/// Workers that do their work to the end; one more is lost with its first piece.
const WORKERS: u32 = 2;

/// The time for which a claim of theirs lasts without a renewal.
const HOLD: Duration = Duration::from_secs(20);

/// Everything is gone after this time.
const LASTS: Duration = Duration::from_secs(86_400);

/// The golden ratio's fraction: its multiples are spread evenly between 0 and 1.
const SPREAD: f64 = 0.618_033_988_749_895;

pub(super) fn run(options: &Demo, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let demo = DemoData {
        client,
        below: folder(&options.prefix),
        lasts: options.duration,
    };
    demo.prepare()?;
    output.remark(format_args!(
        "{ROWS} results, {WORK} pieces of work and a counter arrive below {} for {} s; look at them on the page, or \
         with prominence kv watch {}",
        demo.below,
        options.duration.as_secs(),
        demo.below
    ))?;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(|| demo.work())).collect();
        let lost = scope.spawn(|| demo.take_and_vanish());
        let arrived = demo.results_arrive();
        let worked = workers
            .into_iter()
            .chain([lost])
            .map(|worker| worker.join().unwrap_or(Ok(())));
        arrived.and(worked.collect::<Result<(), Error>>())
    })?;
    output.remark("the example data is complete; it is deleted after a day")?;
    Ok(())
}

/// The example data below a folder.
struct DemoData<'a> {
    client: &'a Client,
    below: Prefix,
    /// The time for which its results take to arrive.
    lasts: Duration,
}

impl DemoData<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.below)
    }

    /// The inputs and the queue, which are there at once.
    fn prepare(&self) -> Result<(), Failure> {
        let inputs = (1..=ROWS).map(|row| (format!("sweep/in/{row}"), input(row)));
        let work = (1..=WORK).map(|number| {
            (
                format!("queue/{number:02}"),
                format!("{{\"part\":{number}}}"),
            )
        });
        let all: Vec<_> = inputs.chain(work).collect();
        for some in all.chunks(IN_A_BATCH as usize) {
            let operations = some.iter().map(|(name, value)| BatchOperation {
                set: Some(self.key(name)),
                value: Some(value.clone()),
                ttl: Some(BatchTtl::Seconds(LASTS.as_secs())),
                ..BatchOperation::default()
            });
            self.client.batch(&Batch {
                conditions: Vec::new(),
                operations: operations.collect(),
            })?;
        }
        Ok(())
    }

    fn set(&self, name: &str, value: &str) -> Result<(), Error> {
        let how = SetOptions {
            lifetime: Lifetime::For(LASTS),
            condition: None,
            write_id: None,
        };
        if let Ok(key) = Key::parse(&self.key(name)) {
            self.client.set(&key, value.as_bytes(), &how)?;
        }
        Ok(())
    }

    /// The results, one after the other, and the counter of them.
    fn results_arrive(&self) -> Result<(), Error> {
        let started = Instant::now();
        for row in 1..=ROWS {
            let due = self.lasts * row / ROWS;
            thread::sleep(due.saturating_sub(started.elapsed()));
            self.set(&format!("sweep/out/{row}"), &result(row))?;
            if let Ok(key) = Key::parse(&self.key("done")) {
                self.client.add(&key, 1)?;
            }
        }
        Ok(())
    }

    /// Takes one piece of work after the other, until none is left or the results are complete.
    fn work(&self) -> Result<(), Error> {
        let started = Instant::now();
        let queue = self.queue();
        let one = self.lasts / (WORK + WORKERS);
        while started.elapsed() < self.lasts {
            let Some(claimed) = self.client.claim(&queue, HOLD, None)? else {
                thread::sleep(Duration::from_millis(500));
                continue;
            };
            thread::sleep(one);
            let held = self
                .client
                .renew(&claimed.key, claimed.entry.metadata.revision, HOLD)?;
            thread::sleep(one / 4);
            self.client.delete_revision(&claimed.key, held.revision)?;
        }
        Ok(())
    }

    /// A worker that is lost: its claim runs out, and another one takes the work.
    fn take_and_vanish(&self) -> Result<(), Error> {
        self.client.claim(&self.queue(), HOLD, None).map(drop)
    }

    fn queue(&self) -> Prefix {
        Prefix::parse(&self.key("queue/")).unwrap_or_else(|_| self.below.clone())
    }
}

/// The learning rate and depth of a row.
fn parameters(row: u32) -> (f64, u32) {
    let part = (f64::from(row) * SPREAD).fract();
    (10_f64.powf(-4.0 + 3.0 * part), 2 + row % 6)
}

fn input(row: u32) -> String {
    let (rate, depth) = parameters(row);
    format!("{{\"rate\":{rate:.6},\"depth\":{depth}}}")
}

/// A loss with its lowest value at a rate of 0.004 and a depth of 4, and some noise.
fn result(row: u32) -> String {
    let (rate, depth) = parameters(row);
    let noise = (f64::from(row) * 12.9898).sin().abs() * 0.06;
    let distance = (rate.log10() + 2.4).abs() * 0.22 + (f64::from(depth) - 4.0).abs() * 0.03;
    let loss = 0.04 + distance + noise;
    format!(
        "{{\"rate\":{rate:.6},\"depth\":{depth},\"loss\":{loss:.4},\"seconds\":{}}}",
        18 + row % 23
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_and_results_are_json_objects_with_the_same_parameters() {
        for row in 1..=ROWS {
            let input: serde_json::Value = serde_json::from_str(&input(row)).unwrap();
            let result: serde_json::Value = serde_json::from_str(&result(row)).unwrap();
            for name in ["rate", "depth"] {
                assert_eq!(input[name], result[name]);
            }
            assert!(result["loss"].as_f64().unwrap() > 0.0);
        }
    }
}

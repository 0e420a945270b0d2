//! Requests that wait, each for its own key, and sets that wake one of them each.

use std::time::Instant;

use anyhow::ensure;

use super::{Event, Events, Listeners, keep_up, wait_until_held};
use crate::Load;
use crate::client::Connection;
use crate::measure::{milliseconds, note_times};
use crate::names::shuffled;

pub(crate) async fn run(load: &Load, requests: usize, sets: usize) -> anyhow::Result<()> {
    ensure!(sets <= requests, "more sets than requests");
    let kind = ("wait", "memory of a wait");
    let mut waiters = Listeners::start(load, kind, requests, wait).await?;

    // Opened only now, since the server closes a connection without a request after some time.
    let client = load.client()?;
    let mut writer = client.connect().await?;
    let mut delays = Vec::with_capacity(sets);
    for place in 0..sets {
        // Waiters are woken out of order, each once.
        let number = usize::try_from(shuffled(place as u64, requests as u64))?;
        let begun = Instant::now();
        writer.set(&key(number, 0), "woken").await?;
        let woken = waiters.next().await?;
        ensure!(woken.number == number, "another waiter was woken");
        delays.push(milliseconds(woken.at - begun));
    }
    note_times("from a set to its waiter", delays)?;
    // The woken ones wait again, for another key.
    wait_until_held(&client, "wait", requests).await?;
    ensure!(waiters.0.is_empty(), "a waiter was woken without a set");
    keep_up(std::future::pending::<anyhow::Result<()>>()).await
}

/// Waits for a key, then for the next one, and so on.
async fn wait(mut connection: Connection, number: usize, tell: Events) -> anyhow::Result<()> {
    for generation in 0.. {
        let path = format!("{}?wait=10m", key(number, generation));
        connection.get(&path).await?;
        let at = Instant::now();
        // After the measurement nobody receives this, and the waiter goes on.
        let _ = tell.send(Ok(Event { number, at }));
    }
    Ok(())
}

fn key(number: usize, generation: u32) -> String {
    format!("/wait/{number:06}/{generation}")
}

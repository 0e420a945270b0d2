//! Fills a server's list of revoked tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::ensure;
use hyper::Method;
use hyper::header::CONTENT_TYPE;
use prominence_core::permit::Scopes;

use crate::Load;
use crate::client::{Client, all};
use crate::measure::note;
use crate::names;

/// The scope of a token with which the tokens of any user can be revoked.
const MAY_REVOKE: &str = "prominence.revoke";

/// Revokes so many tokens that nobody has.
pub(crate) async fn run(load: &Load, count: u64) -> anyhow::Result<()> {
    let token = names::token_for(&load.data, "operator", Scopes::parse(MAY_REVOKE)?)?;
    let client = Client::new(&load.url.replace("/kv", "/token"), &token)?;
    let next = Arc::new(AtomicU64::new(0));
    let workers = client.start(usize::try_from(load.connections)?, |mut connection| {
        let next = Arc::clone(&next);
        async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(());
                }
                let body = format!("{{\"id\":\"{number:064x}\"}}");
                let json = Some((CONTENT_TYPE, "application/json"));
                let answer = connection.ask(Method::POST, "/revoke", json, body).await?;
                ensure!(answer.status().is_success(), "{answer:?}");
            }
        }
    });
    all(workers.await?).await?;
    note("revocations", count as f64);
    Ok(())
}

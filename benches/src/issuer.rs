//! Callers whose tokens can't be verified just now, because their issuer takes questions and never answers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Load;
use crate::held::keep_up;
use crate::measure::note;

/// The time limit for the first question to the issuer. Before it the server may wait, because it has not found the issuer.
const PATIENCE: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Bytes of a head; neither the server nor this program sends longer ones.
const MAX_HEAD_BYTES: usize = 8 << 10;

/// The pause of a caller whose answer does not say how long to wait.
const USUAL_PAUSE: Duration = Duration::from_secs(1);

/// The tokens of the callers.
#[derive(Clone, Copy)]
enum Tokens {
    /// Of the issuer.
    Opaque,
    /// Without a valid signature, so that they are refused at once.
    Forged,
}

/// Callers whose tokens are refused at once, for comparison with those of [`hang`].
pub(crate) async fn refused(load: &Load) -> anyhow::Result<()> {
    let refused = Arc::new(AtomicU64::new(0));
    let callers = start(load, Tokens::Forged, &refused)?;
    finish(callers, &[("forged tokens refused", refused)]).await
}

/// Plays an issuer on a port, and callers with new tokens of it. It is ready once a question is held.
pub(crate) async fn hang(load: &Load, port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let held = Arc::new(AtomicU64::new(0));
    let refused = Arc::new(AtomicU64::new(0));
    let mut tasks = start(load, Tokens::Opaque, &refused)?;
    tasks.spawn(play(listener, port, Arc::clone(&held)));
    let is_held = async {
        while held.load(Ordering::Relaxed) == 0 {
            sleep(LOOK_EVERY).await;
        }
    };
    let waited = timeout(PATIENCE, is_held).await;
    waited.context("the server does not ask the issuer")?;
    let figures = [("questions held", held), ("callers refused", refused)];
    finish(tasks, &figures).await
}

/// Starts as many callers as there are to be connections.
fn start(
    load: &Load,
    tokens: Tokens,
    refused: &Arc<AtomicU64>,
) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
    let rest = load.url.strip_prefix("http://").context("an http URL")?;
    let (address, _) = rest.split_once('/').context("the URL has no path")?;
    let server: SocketAddr = address.parse()?;
    let numbers = 1..=load.connections;
    Ok(numbers
        .map(|number| call(server, number, tokens, Arc::clone(refused)))
        .collect())
}

/// Keeps the load up, and notes how far it has counted meanwhile.
async fn finish(
    mut tasks: JoinSet<anyhow::Result<()>>,
    figures: &[(&str, Arc<AtomicU64>)],
) -> anyhow::Result<()> {
    let counts = || {
        figures
            .iter()
            .map(|(_, count)| count.load(Ordering::Relaxed))
    };
    let before: Vec<_> = counts().collect();
    keep_up(async {
        match tasks.join_next().await {
            Some(ended) => ended?,
            None => Ok(()),
        }
    })
    .await?;
    for (((name, _), after), before) in figures.iter().zip(counts()).zip(before) {
        note(name, (after - before) as f64);
    }
    Ok(())
}

/// Tells the server where to ask, and answers nothing else.
async fn play(listener: TcpListener, port: u16, held: Arc<AtomicU64>) -> anyhow::Result<()> {
    let issuer = format!("http://{}:{port}", Ipv4Addr::LOCALHOST);
    let configuration = format!(
        "{{\"issuer\":\"{issuer}\",\"jwks_uri\":\"{issuer}/jwks\",\"userinfo_endpoint\":\"{issuer}/userinfo\"}}"
    );
    loop {
        let (mut stream, _) = listener.accept().await?;
        let (configuration, held) = (configuration.clone(), Arc::clone(&held));
        tokio::spawn(async move {
            let head = read_head(&mut stream).await?;
            let body = match head.split(' ').nth(1) {
                Some(path) if path.contains("/.well-known/") => configuration,
                Some("/jwks") => "{\"keys\":[]}".to_owned(),
                _ => {
                    held.fetch_add(1, Ordering::Relaxed);
                    // Until the server gives up.
                    let _ = stream.read(&mut [0]).await;
                    return Ok(());
                }
            };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await?;
            anyhow::Ok(())
        });
    }
}

/// Asks with one new token after the other, from an address of its own, as fast as the server's answers allow.
async fn call(
    server: SocketAddr,
    number: u32,
    tokens: Tokens,
    refused: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + number);
    for count in 0_u64.. {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(IpAddr::V4(address), 0))?;
        let mut stream = socket.connect(server).await?;
        let token = match tokens {
            Tokens::Opaque => format!("opaque-{number}-{count}"),
            // `{"alg":"HS256"}` and `{}`.
            Tokens::Forged => format!("eyJhbGciOiJIUzI1NiJ9.e30.{number:04}{count:08}"),
        };
        let request = format!(
            "GET /prominence/v1/whoami HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let head = read_head(&mut stream).await?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        let is_refused = matches!(
            (tokens, status),
            (Tokens::Opaque, "503" | "429") | (Tokens::Forged, "401")
        );
        ensure!(is_refused, "another answer: {head}");
        refused.fetch_add(1, Ordering::Relaxed);
        sleep(retry_after(&head).unwrap_or(USUAL_PAUSE)).await;
    }
    Ok(())
}

fn retry_after(head: &str) -> Option<Duration> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, seconds) = lines.find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    Some(Duration::from_secs(seconds.trim().parse().ok()?))
}

/// The head of a request or an answer.
async fn read_head(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut head = Vec::new();
    let mut part = [0; 1_024];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let read = stream.read(&mut part).await?;
        ensure!(read > 0 && head.len() < MAX_HEAD_BYTES, "no whole head");
        head.extend_from_slice(&part[..read]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

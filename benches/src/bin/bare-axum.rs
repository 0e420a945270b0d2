//! A server that answers every GET with the same kilobyte: the limit for a read.
#![expect(clippy::print_stdout, reason = "says where it listens")]

use axum::Router;
use axum::routing::get;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::io::Result<()> {
    let value = "x".repeat(1_000);
    // Whatever the path, so that it can be asked for random keys as well.
    let router = Router::new().fallback(get(move || std::future::ready(value.clone())));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/", listener.local_addr()?);
        axum::serve(listener, router).await
    })
}

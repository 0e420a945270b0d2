//! Runs the real program for tests: starts it, talks to it, kills it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "only tests use this"
)]

mod client;
mod commands;
pub mod fault;
pub mod history;
pub mod power;
pub mod python;
mod server;
pub mod slurm;

pub use client::{Client, Lost};
pub use commands::{clean, program, root, succeed, text};
pub use server::{Server, refused, segments};

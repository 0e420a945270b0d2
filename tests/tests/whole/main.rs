//! The whole program, from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests say what went wrong by failing"
)]

mod admin;
mod book;
mod clock_steps;
mod cluster;
mod crash;
mod crowd;
mod deploy;
mod examples;
mod folder;
mod http_clients;
mod login;
mod memory;
mod migrate;
mod newcomer;
mod openapi;
mod outage;
mod page;
mod privacy;
mod proxies;
mod pypi;
mod python_library;
mod rot;
mod slurm;
mod storm;
mod tokens;
mod upgrade;
mod watch;
mod workflows;

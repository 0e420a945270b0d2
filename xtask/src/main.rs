//! The project's chores: `cargo xtask install`, `cargo xtask check`, `cargo xtask test`,
//! `cargo xtask deny`, `cargo xtask first-start`, `cargo xtask book`, `cargo xtask cluster`,
//! `cargo xtask bench`.
#![expect(clippy::print_stdout, reason = "a tool that people watch")]

mod bench;
mod book;
mod check;
mod cluster;
mod deny;
mod first_start;
mod node;
mod python;
mod sh;
mod test;

use clap::{Parser, Subcommand};

/// The project's development commands.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install the packages that building and testing need and that are missing (Debian).
    Install,
    /// Check the format, and lint and test the packages that have changed; to be run before each commit.
    Check(check::Options),
    /// Run every test, after installing the packages that they need.
    Test(test::Options),
    /// Check the licences, the crates and the sources of dependencies.
    Deny,
    /// Run the first command of the README without protoc, and then the lines after it.
    FirstStart(first_start::Options),
    /// Build the book from the pages of docs/, into target/book.
    Book,
    /// Run a cluster for experiments: three etcd nodes and three servers.
    Cluster(cluster::Options),
    /// Measure, and write docs/benchmarks.md.
    Bench(bench::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().chore {
        Chore::Install => test::install().map(drop),
        Chore::Check(options) => check::run(&options),
        Chore::Test(options) => test::run(&options),
        Chore::Deny => deny::run(),
        Chore::FirstStart(options) => first_start::run(&options),
        Chore::Book => book::run(),
        Chore::Cluster(options) => cluster::run(&options),
        Chore::Bench(options) => bench::run(&options),
    }
}

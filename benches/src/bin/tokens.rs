//! Signs a token for each of many users with the secret in a data folder, one to a line.
//!
//! `prominence token create` does the same for one user at a time; a hundred thousand processes
//! would take longer than what is to be measured.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use prominence_bench::names;
use prominence_core::Namespace;
use prominence_core::permit::Scopes;
use prominence_server::token::{NewToken, load_or_create, mint};
use prominence_server::wall_time;

/// Longer than any measurement.
const LIFETIME: Duration = Duration::from_hours(24);

/// Prints tokens.
#[derive(Parser)]
struct Arguments {
    /// The data folder of the server that will be asked.
    folder: PathBuf,
    /// How many users there are.
    #[arg(long, default_value_t = 1)]
    users: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (secret, _) = load_or_create(&arguments.folder)?;
    let now = wall_time();
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    for number in 0..arguments.users {
        let token = NewToken {
            user: Namespace::parse(&names::user(number, arguments.users))?,
            job: None,
            groups: Vec::new(),
            scopes: Scopes::Unrestricted,
            lifetime: LIFETIME,
        };
        writeln!(output, "{}", mint(&secret, &token, now)?)?;
    }
    output.flush()?;
    Ok(())
}

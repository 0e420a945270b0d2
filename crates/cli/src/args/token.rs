//! The arguments of `prominence token`.

use clap::{Args, Subcommand};

#[cfg(feature = "server")]
use super::run::Create;

/// Make and read access tokens.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence token create --user alice
  prominence token inspect")]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

/// The commands for tokens.
#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Sign a new token with the server's secret, and print it.
    #[cfg(feature = "server")]
    Create(Create),
    /// Show what a token says, without checking its signature.
    Inspect(Inspect),
}

/// Which token to read.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence token inspect
  prominence token create --user alice | prominence token inspect -
  prominence token inspect --json")]
pub(crate) struct Inspect {
    /// The token; - is standard input [default: the token that you would log in with].
    #[arg(value_name = "TOKEN")]
    pub(crate) text: Option<String>,

    /// Print JSON: its header and its claims.
    #[arg(long)]
    pub(crate) json: bool,
}

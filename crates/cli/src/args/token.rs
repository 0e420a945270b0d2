//! The arguments of `prominence token`.

use clap::{Args, Subcommand};

use super::run::Create;

/// Make, list, revoke and read access tokens.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence token create --scope storage.read:/out/ --for 7d --note \"for Ada\"
  prominence token list
  prominence token revoke --id 3f9c2a7b11d04e55
  prominence token inspect")]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

/// The commands for tokens.
#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a new token, and print it: with the server's secret, or from your own token.
    Create(Create),
    /// List the tokens that the server has made for you.
    List(List),
    /// Revoke tokens, so that no server accepts them any more.
    Revoke(Revoke),
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

/// Options of `token list`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence token list
  prominence token list --json

LAST USED is a day, in UTC. Tokens that were signed with the server's secret are not listed.")]
pub(crate) struct List {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `token revoke`.
#[derive(Args)]
#[command(group(clap::ArgGroup::new("tokens").required(true).multiple(true)),
          override_usage = "prominence token revoke [OPTIONS] <--token|--id|--job|--user>",
          after_help = "Examples:
  prominence token revoke --id 3f9c2a7b11d04e55
  prominence token revoke --job 4711
  prominence token revoke --token - < leaked-token
  prominence token revoke --user alice --secret-file /etc/prominence/secret

Servers that share the data refuse the tokens within 5 seconds. Requests that wait are ended at once. \
Tokens of a job or user that are made afterwards are good.")]
pub(crate) struct Revoke {
    /// This token; - is standard input. Whoever has it may revoke it.
    #[arg(long, value_name = "TOKEN", group = "tokens", conflicts_with_all = ["id", "job", "user", "before"])]
    pub(crate) token: Option<String>,

    /// The token with this id; a part of it, if it is in your list.
    #[arg(long, value_name = "ID", group = "tokens", conflicts_with_all = ["job", "user", "before"])]
    pub(crate) id: Option<String>,

    /// The tokens of this job.
    #[arg(long, value_name = "JOB", group = "tokens")]
    pub(crate) job: Option<String>,

    /// The tokens of this user: yourself, or anybody with the server's secret.
    #[arg(long, value_name = "USER", group = "tokens")]
    pub(crate) user: Option<String>,

    /// Only tokens issued before this time (such as 2026-01-31T12:00:00Z) [default: now].
    #[arg(long, value_name = "TIME")]
    pub(crate) before: Option<String>,

    #[cfg(feature = "server")]
    #[command(flatten)]
    pub(crate) place: super::run::Place,

    /// Print JSON.
    #[arg(long, help_heading = None::<&'static str>)]
    pub(crate) json: bool,
}

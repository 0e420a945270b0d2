//! The arguments of `prominence config`.

use clap::{Args, Subcommand};

/// Options of `config`.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  prominence config
  prominence config --profile site --json
  $EDITOR \"$(prominence config path)\"

The client file is ~/.config/prominence/config.toml, or below $XDG_CONFIG_HOME. It looks like this:
  default-profile = \"site\"          # if no other is named

  [profile.site]
  url = \"https://kv.example.org/prominence/v1\"
  token-file = \"~/.prominence/site\" # not the token itself
  ca-file = \"site-ca.pem\"           # in the folder of this file
  retry-for = \"5m\"

  [profile.laptop]
  url = \"https://localhost:8443/prominence/v1\"
  token-file = \"~/.prominence/token\"
  ssl-verify = false                # accept any certificate

A setting comes from the first of these that has it: its own flag; the profile that --profile names; \
the environment; the profile that PROMINENCE_PROFILE names, or default-profile; for the token the \
file ~/.prominence/token; the default. A token is never shown."
)]
pub(crate) struct ConfigOptions {
    #[command(subcommand)]
    pub(crate) command: Option<ConfigCommand>,

    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The details of `config`.
#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the path of the client file, whether it exists or not.
    #[command(after_help = "Examples:
  prominence config path")]
    Path,
}

//! What can be typed. Text becomes valid values here, and nowhere after.

#[cfg(feature = "server")]
pub(crate) mod admin;
pub(crate) mod config;
pub(crate) mod help;
pub(crate) mod kv;
pub(crate) mod mistake;
#[cfg(feature = "server")]
pub(crate) mod run;
pub(crate) mod token;
pub(crate) mod typed;
pub(crate) mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::ProfileName;
#[cfg(feature = "server")]
pub(crate) use run::Exec;

/// Widest line of help; longer ones are hard to read on any terminal.
const HELP_WIDTH: usize = 100;

/// A small shared memory for jobs: keys that look like paths, values of up to 16 KB.
///
/// The client that people and jobs use, and the server. Each user's keys are private.
#[derive(Parser)]
#[command(
    name = "prominence",
    max_term_width = HELP_WIDTH,
    after_help = "Examples:
  prominence kv set /input/param1 42
  prominence kv get /input/param1
  prominence kv list /input

Environment:
  PROMINENCE_URL         where the server is, as in http://127.0.0.1:8080/prominence/v1
  PROMINENCE_TOKEN       the token to log in with
  PROMINENCE_TOKEN_FILE  a file with it; otherwise ~/.prominence/token
  PROMINENCE_PROFILE     the profile of the client file; see prominence config --help
  PROMINENCE_RETRY_FOR   how long to repeat requests that fail for now; 0 is not at all (1m)
  PROMINENCE_TIMEOUT     how long the server may be silent before a connection counts as lost (1m)
  PROMINENCE_SSL_VERIFY  False switches the check of the server's certificate off
  PROMINENCE_CA_FILE     certificate authorities that may vouch for the server (SSL_CERT_FILE too)
  http_proxy, https_proxy, all_proxy, no_proxy  as curl reads them
  PROMINENCE_ANSWER_WITHIN  how long a question waits for an answer at a terminal (1m)
  NO_COLOR               set to anything for output without colour

Exit status:
  0  done
  1  the answer is no: no such key, or a condition that does not hold
  2  wrong usage
  3  the server can't be reached, or does not let you in"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) connection: Connection,

    /// Print the version, as prominence version does.
    #[arg(long, short = 'V')]
    pub(crate) version: bool,

    /// With --version: print JSON.
    #[arg(long, requires = "version")]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Which server, and who asks.
#[derive(Args, Default)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The server's address [default: $PROMINENCE_URL].
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// The token to log in with; other users of this machine can see it [default:
    /// $PROMINENCE_TOKEN].
    #[arg(long, global = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,

    /// A file with the token to log in with; read again when it is renewed [default:
    /// $PROMINENCE_TOKEN_FILE, or ~/.prominence/token].
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,

    /// A file with the certificate authorities that may vouch for the server, in PEM form [default:
    /// $PROMINENCE_CA_FILE, or those of this machine].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// How long to repeat a request that fails because the server is away or busy; 0 is not at all.
    /// Commands that wait try for as long as they are told to wait [default: $PROMINENCE_RETRY_FOR,
    /// or 1m].
    #[arg(long, global = true, value_name = "DURATION", value_parser = values::duration_or_zero)]
    pub(crate) retry_for: Option<Duration>,

    /// The profile of the client file to use; it wins over the environment [default:
    /// $PROMINENCE_PROFILE, or the file's default-profile].
    #[arg(long, global = true, value_name = "PROFILE")]
    pub(crate) profile: Option<ProfileName>,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read and write keys.
    Kv(kv::Kv),

    /// Say who the token says you are.
    #[command(after_help = "Examples:
  prominence whoami
  prominence whoami --json")]
    Whoami(WhoAmI),

    /// Show the settings in effect, and where each comes from.
    Config(config::ConfigOptions),

    /// Make and read access tokens.
    Token(token::Token),

    /// Run a command as a job would run, with a fresh token.
    #[cfg(feature = "server")]
    Exec(Exec),

    /// Run the server.
    #[cfg(feature = "server")]
    #[command(after_help = "Examples:
  prominence serve --dev
  prominence serve --config /etc/prominence/kv.toml
  prominence serve --listen 127.0.0.1:0 --data-dir ./data

Environment:
  PROMINENCE_LOG  what to log: error, warn, info (the default), debug or trace")]
    Serve(Box<prominence_server::Settings>),

    /// Look after a server's data: back it up, restore it, check it.
    #[cfg(feature = "server")]
    Admin(admin::Admin),

    /// Print the version, the commit and the features built in.
    #[command(after_help = "Examples:
  prominence version
  prominence version --json")]
    Version(Version),

    /// Print a completion script for a shell.
    #[command(after_help = "Examples:
  source <(prominence completions bash)
  prominence completions zsh > ~/.zfunc/_prominence
  prominence completions fish > ~/.config/fish/completions/prominence.fish

The scripts for bash, zsh and fish complete commands, options, profiles, files and keys. At each press
of the Tab key they ask this program, which asks the server that the line names for one level of keys:
at most 1000 of them (… stands for the rest), and for at most 2 seconds. Where that fails, nothing is
completed.

To have it in every new shell: for bash put the first line into ~/.bashrc; for zsh have
fpath=(~/.zfunc $fpath) before compinit in ~/.zshrc; fish reads the file by itself.")]
    Completions {
        /// The shell.
        shell: Shell,
    },

    /// Print the manual.
    #[command(after_help = "Examples:
  prominence man | man -l -
  prominence man kv set | man -l -")]
    Man(Man),
}

/// How to show the caller.
#[derive(Args)]
pub(crate) struct WhoAmI {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to show the version.
#[derive(Args)]
pub(crate) struct Version {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which pages of the manual, in which form.
#[derive(Args)]
pub(crate) struct Man {
    /// The page of this command alone, such as "kv set".
    #[arg(value_name = "SUBCOMMAND")]
    pub(crate) page: Vec<String>,

    /// Print Markdown, not roff.
    #[arg(long)]
    pub(crate) markdown: bool,
}

/// The command that the words call, and its name without that of the program.
fn called<'a>(root: &'a clap::Command, words: &[&str]) -> (String, &'a clap::Command) {
    let mut command = root;
    let mut path = Vec::new();
    for word in words.iter().take_while(|word| **word != "--") {
        if let Some(below) = command.find_subcommand(word) {
            command = below;
            path.push(below.get_name());
        }
    }
    (path.join(" "), command)
}

//! The arguments. Text becomes valid values here, and nowhere after.

#[cfg(feature = "server")]
pub(crate) mod admin;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod help;
pub(crate) mod kv;
pub(crate) mod mistake;
pub(crate) mod run;
pub(crate) mod token;
pub(crate) mod typed;
pub(crate) mod values;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::Connection;
pub(crate) use run::Exec;

/// The command that prints the help of others.
const HELP: &str = "help";

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
  prominence kv list /input/

Environment:
  PROMINENCE_URL         the server, as in http://127.0.0.1:8080/prominence/v1
  PROMINENCE_TOKEN       the token to log in with
  PROMINENCE_TOKEN_FILE  a file with the token (~/.prominence/token)
  PROMINENCE_PROFILE     the profile to use (see prominence config --help)
  PROMINENCE_RETRY_FOR   how long failed requests are repeated (1m)
  PROMINENCE_TIMEOUT     longest silence before a connection is lost (1m)
  PROMINENCE_SSL_VERIFY  False to accept any certificate of the server
  PROMINENCE_CA_FILE     certificate authorities (SSL_CERT_FILE is read as well)
  http_proxy, https_proxy, all_proxy, no_proxy  as curl reads them
  PROMINENCE_ANSWER_WITHIN  time to answer a question on a terminal (1m)
  NO_COLOR               any value for output without colour

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
    #[arg(long, short = 'V', help_heading = None::<&'static str>)]
    pub(crate) version: bool,

    /// Print the version as JSON, with --version.
    #[arg(long, requires = "version", help_heading = None::<&'static str>)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read and write keys.
    Kv(kv::Kv),

    /// Show the user, the job and the scopes of the token.
    #[command(after_help = "Examples:
  prominence whoami
  prominence whoami --json")]
    Whoami(WhoAmI),

    /// Log in at your institution, and keep the token.
    #[command(after_help = "Examples:
  prominence login
  prominence login --issuer campus

The server says where people log in. You approve the login in a browser, which may be on another machine. The token is \
kept in ~/.prominence/token, renewed by itself, and sent to this server alone.

Environment:
  PROMINENCE_OIDC_URL            the issuer, instead of the server's word
  PROMINENCE_OIDC_CLIENT_ID      the client to log in as, with its secret
  PROMINENCE_OIDC_CLIENT_SECRET")]
    Login(Login),

    /// End your login: at the issuer, at the server, and here.
    #[command(after_help = "Examples:
  prominence logout")]
    Logout,

    /// Show the settings in effect, and where each comes from.
    Config(config::ConfigOptions),

    /// Make and read access tokens.
    Token(token::Token),

    /// Run a command as a job would run, with a fresh token.
    Exec(Exec),

    /// Store example data that arrives as that of jobs does.
    Demo(demo::Demo),

    /// Run the server.
    #[cfg(feature = "server")]
    #[command(after_help = "Examples:
  prominence serve --dev
  prominence serve --config /etc/prominence/kv.toml
  prominence serve --listen 127.0.0.1:0 --data-dir ./data

Environment:
  PROMINENCE_LOG  the log: error, warn, info (the default), debug or trace, or
                  a filter such as [claim_wait]=debug or
                  [request{request_id=ID}]=debug")]
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

The scripts for bash, zsh and fish complete commands, options, profiles, files and keys. Each press of the \
Tab key runs this program, which reads one level of keys from the server: at most 1000 keys (… stands for \
the rest), for at most 2 seconds. If that fails, no key is completed.

To complete in every new shell: in bash, put the first line into ~/.bashrc; in zsh, put \
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

/// Options of `whoami`.
#[derive(Args)]
pub(crate) struct WhoAmI {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `login`.
#[derive(Args)]
pub(crate) struct Login {
    /// The issuer: its name, if the server knows several, or its URL.
    #[arg(long, value_name = "NAME|URL")]
    pub(crate) issuer: Option<String>,

    /// The client to log in as.
    #[arg(long, value_name = "ID", conflicts_with = "register")]
    pub(crate) client_id: Option<String>,

    /// Register a client of your own at the issuer; ~/.prominence/client keeps it.
    #[arg(long)]
    pub(crate) register: bool,

    /// Print JSON: what the server says of the new token.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `version`.
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
            // The words after help name the command that it is about.
            if below.get_name() == HELP {
                continue;
            }
            command = below;
            path.push(below.get_name());
        }
    }
    (path.join(" "), command)
}

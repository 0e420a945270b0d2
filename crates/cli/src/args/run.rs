//! The arguments of what makes tokens: `prominence token create` and `prominence exec`. The small client has those made by
//! the server from the caller's own.

use std::ffi::OsString;
#[cfg(feature = "server")]
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use prominence_core::Job;
use prominence_core::limits::MAX_JOB_BYTES;
use prominence_core::namespace::NameError;
use prominence_core::permit::{Scope, ScopeError, Scopes};
#[cfg(feature = "server")]
use prominence_core::{Namespace, limits::MAX_NAMESPACE_BYTES};
#[cfg(feature = "server")]
use prominence_server::token::SecretSource;

use super::values;

/// The default lifetime of a token: a working day, or a night of jobs.
const DEFAULT_LIFETIME: &str = "12h";

/// The claims of a new token.
#[derive(Args)]
#[command(next_help_heading = "Token")]
pub(crate) struct NewToken {
    /// The user whose keys the token opens [default: the user of $PROMINENCE_TOKEN, otherwise yourself].
    #[cfg(feature = "server")]
    #[arg(long, value_name = "USER", value_parser = user)]
    pub(crate) user: Option<Namespace>,

    /// The job that the token is for; keys that it writes have this name.
    #[arg(long, value_name = "JOB", value_parser = job)]
    pub(crate) job: Option<Job>,

    /// Lifetime of the token: 90s, 15m, 12h, 7d, or a number of seconds.
    #[arg(long = "for", value_name = "DURATION", default_value = DEFAULT_LIFETIME,
          allow_negative_numbers = true, value_parser = values::duration)]
    pub(crate) lifetime: Duration,

    /// Limit the token to some keys: storage.read:/PATH, storage.create:/PATH or
    /// storage.modify:/PATH, with %20 for a space; may be repeated [default: all keys].
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    pub(crate) scopes: Vec<String>,

    /// The groups of the user, separated by commas.
    #[cfg(feature = "server")]
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    pub(crate) groups: Vec<String>,
}

/// The source of the secret that the server accepts.
#[cfg(feature = "server")]
#[derive(Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Place {
    /// The server's configuration file.
    #[arg(long, value_name = "FILE", env = "PROMINENCE_SERVE_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// The server's data folder [default: that of your own server].
    #[arg(long, value_name = "DIR", env = "PROMINENCE_SERVE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// The signing secret; needed if it is not in the data folder; of several, the first is used.
    #[arg(
        long,
        value_name = "[KID=]FILE",
        env = "PROMINENCE_SERVE_SECRET_FILE",
        value_delimiter = ','
    )]
    pub(crate) secret_file: Vec<SecretSource>,
}

/// Options of `token create`.
#[derive(Args)]
#[cfg_attr(
    not(feature = "server"),
    command(after_help = "Examples:
  prominence token create --job sweep-7 --for 24h
  prominence token create --scope storage.read:/out/ --for 7d --note \"for Ada\"
  eval \"$(prominence token create --export)\"

The server makes the token from your own one: it allows no more than that, and prominence token list shows it.")
)]
#[cfg_attr(
    feature = "server",
    command(after_help = "Examples:
  prominence token create --job sweep-7 --for 24h --scope storage.modify:/out/
  prominence token create --scope storage.read:/out/ --for 7d --note \"for Ada\"
  prominence token create --user alice --data-dir /var/lib/prominence
  eval \"$(prominence token create --export)\"

The server's secret signs the token where it can be read here, unless your own token is limited. Otherwise the \
server makes the token from your own one: it allows no more than that, and prominence token list shows it.")
)]
pub(crate) struct Create {
    #[command(flatten)]
    pub(crate) token: NewToken,

    #[cfg(feature = "server")]
    #[command(flatten)]
    pub(crate) place: Place,

    /// Have the server make the token from your own one, also where its secret can be read here.
    #[cfg(feature = "server")]
    #[arg(long, conflicts_with_all = ["user", "groups"], help_heading = None::<&'static str>)]
    pub(crate) from_login: bool,

    /// A few words that say what the token is for; prominence token list shows them. The server makes such a token.
    #[cfg_attr(feature = "server", arg(conflicts_with_all = ["user", "groups"]))]
    #[arg(long, value_name = "TEXT", help_heading = None::<&'static str>)]
    pub(crate) note: Option<String>,

    /// Print a line for a shell: export PROMINENCE_TOKEN=….
    #[arg(long, help_heading = None::<&'static str>)]
    pub(crate) export: bool,

    /// Print JSON: the token, and its user, job, scopes and end.
    #[arg(long, conflicts_with = "export", help_heading = None::<&'static str>)]
    pub(crate) json: bool,
}

/// Options of `exec`.
#[derive(Args)]
#[cfg_attr(
    not(feature = "server"),
    command(after_help = "Examples:
  prominence exec -- ./job.sh
  prominence exec --job 17 --scope storage.modify:/output/17 -- ./job.sh

The command finds PROMINENCE_URL and PROMINENCE_TOKEN in its environment.

Exit status: that of CMD; 127 if CMD does not exist; 126 if it can't be run.")
)]
#[cfg_attr(
    feature = "server",
    command(after_help = "Examples:
  prominence exec -- ./job.sh
  prominence exec --job 17 --scope storage.modify:/output/17 -- ./job.sh
  prominence exec --user alice -- prominence kv list

The command finds PROMINENCE_URL and PROMINENCE_TOKEN in its environment.

Exit status: that of CMD; 127 if CMD does not exist; 126 if it can't be run.")
)]
pub(crate) struct Exec {
    #[command(flatten)]
    pub(crate) token: NewToken,

    #[cfg(feature = "server")]
    #[command(flatten)]
    pub(crate) place: Place,

    /// The command and its arguments.
    #[arg(value_name = "CMD", required = true, last = true, help_heading = None::<&'static str>)]
    pub(crate) command: Vec<OsString>,
}

#[cfg(feature = "server")]
fn user(text: &str) -> Result<Namespace, String> {
    Namespace::parse(text).map_err(|error| name(error, MAX_NAMESPACE_BYTES))
}

fn job(text: &str) -> Result<Job, String> {
    Job::parse(text).map_err(|error| name(error, MAX_JOB_BYTES))
}

/// Why a text is not a name, and which texts are.
fn name(error: NameError, limit: usize) -> String {
    format!("{error}; write 1 to {limit} bytes without control characters")
}

/// A scope as it was typed. What is misspelt must be refused: left out of the token, it would
/// leave the token without a limit, and one that no server knows would leave it without any key.
fn scope(text: &str) -> Result<String, String> {
    // A token separates its scopes by white space, so that the rest would become another scope or none.
    if text.contains(char::is_whitespace) {
        return Err(
            "it contains white space; write %20 for a space in a path, and repeat \
                    --scope for another scope"
                .to_owned(),
        );
    }
    // Both can be in the name of a key, and are seldom meant so.
    for (character, escape, advice) in [
        ('*', "%2A", "a path that ends in / covers all below it"),
        (',', "%2C", "repeat --scope for another scope"),
    ] {
        if text.contains(character) {
            return Err(format!(
                "it contains {character}; {advice}, or write {escape} for the character in a path"
            ));
        }
    }
    let scopes = Scopes::parse(text).map_err(|error: ScopeError| error.to_string())?;
    match scopes {
        Scopes::Only(scopes)
            if text.starts_with("storage.") && scopes.iter().all(Scope::allows_something) =>
        {
            Ok(text.to_owned())
        }
        _ => {
            Err("write storage.read:/PATH, storage.create:/PATH or storage.modify:/PATH".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_storage_scope_is_a_scope() {
        for good in [
            "storage.read:/input",
            "storage.read:/a%20b",
            "storage.read:/a%2Cb%2A",
            "storage.modify:/out/",
        ] {
            assert!(scope(good).is_ok(), "{good}");
        }
        for odd in [
            "",
            "storge.read:/",
            "read:/",
            "openid",
            "storage.read",
            "storage.read:/a storage.read:/b",
            "storage.read:/a b",
            " storage.read:/a",
            "storage.read:/a\t",
            "storage.read:/a\u{a0}b",
            "storage.read:/%zz",
            "storage.poll:/",
            "storage.read:/a/*",
            "storage.read:/a,storage.read:/b",
            "compute.create",
        ] {
            assert!(scope(odd).is_err(), "{odd:?}");
        }
    }
}

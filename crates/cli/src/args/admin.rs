//! The arguments of `prominence admin`.

mod migrate;

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use prominence_server::admin::{MAX_NAMESPACES, Ranking};

#[cfg(feature = "etcd")]
pub(crate) use migrate::Elsewhere;
pub(crate) use migrate::Migrate;

/// The default number of namespaces that are shown: as many as a person reads.
const DEFAULT_NAMESPACES: &str = "100";

/// The name of standard input or output.
const STREAM: &str = "-";

/// Look after a server's data: back it up, restore it, check it.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence admin backup /backup/kv-monday --data-dir /var/lib/prominence
  prominence admin check --data-dir /var/lib/prominence

A running server is reached through the file admin.sock in its data folder, which only its own \
user and root may use. If no server runs, the folder itself is opened.")]
pub(crate) struct Admin {
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

/// The commands for a server's data.
#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// Write everything into one file, also while the server takes writes.
    Backup(Backup),
    /// Make a new data folder of a backup.
    Restore(Restore),
    /// Look for damage, also while the server runs.
    Check(Check),
    /// Show how much each user has stored.
    Usage(Usage),
    /// Show or change whose a user's name is.
    User(User),
    /// Show or change the quotas of single users.
    Quota(Quota),
    /// Bring a data folder of an earlier version to the latest format, or move everything to another
    /// engine or from the existing service (in programs built with the feature `etcd`).
    Migrate(Box<Migrate>),
}

/// Whose a user's name is: the first account of an issuer of tokens that came with it has it.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence admin user show alice --data-dir /var/lib/prominence
  prominence admin user unpin alice
  prominence admin user pin alice --issuer https://sso.example.org --sub 7f3c

The server has to run; it is asked through the file admin.sock in its data folder.")]
pub(crate) struct User {
    #[command(subcommand)]
    pub(crate) command: UserCommand,
}

/// The commands for names.
#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Show the accounts that have the name, and the quota.
    #[command(after_help = "Examples:
  prominence admin user show alice")]
    Show(Named),
    /// Take the name from its accounts, whose tokens are revoked: the next one that comes with it has it.
    #[command(after_help = "Examples:
  prominence admin user unpin alice")]
    Unpin(Named),
    /// Give the name to an account. The tokens of the former one are revoked.
    #[command(after_help = "Examples:
  prominence admin user pin alice --issuer https://sso.example.org --sub 7f3c")]
    Pin(PinName),
}

/// A user.
#[derive(Args)]
pub(crate) struct Named {
    /// The user.
    #[arg(value_name = "USER")]
    pub(crate) user: String,

    #[command(flatten)]
    pub(crate) folder: Folder,

    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `admin user pin`.
#[derive(Args)]
pub(crate) struct PinName {
    #[command(flatten)]
    pub(crate) named: Named,

    /// The URL of the issuer, as its tokens have it in iss.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: String,

    /// The account, as the issuer's tokens have it in sub.
    #[arg(long, value_name = "SUB")]
    pub(crate) sub: String,
}

/// Quotas of single users.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence admin quota set alice --keys 5000000 --bytes 20GiB
  prominence admin quota unset alice
  prominence admin quota show

The server has to run; it is asked through the file admin.sock in its data folder. A quota is in force at once, \
and within 5 seconds at servers that share the data. One below what a user has stored stops only what needs more \
room.")]
pub(crate) struct Quota {
    #[command(subcommand)]
    pub(crate) command: QuotaCommand,
}

/// The commands for quotas.
#[derive(Subcommand)]
pub(crate) enum QuotaCommand {
    /// Give a user a quota; what is left out is as the server's settings say.
    #[command(after_help = "Examples:
  prominence admin quota set alice --keys 5000000 --bytes 20GiB")]
    Set(SetQuota),
    /// Give a user the quota of the server's settings again.
    #[command(after_help = "Examples:
  prominence admin quota unset alice")]
    Unset(Named),
    /// Show the users with a quota of their own, or one user.
    #[command(after_help = "Examples:
  prominence admin quota show
  prominence admin quota show alice --json")]
    Show(ShowQuota),
}

/// Options of `admin quota set`.
#[derive(Args)]
#[command(group(clap::ArgGroup::new("limits").required(true).multiple(true)),
          override_usage = "prominence admin quota set [OPTIONS] <--keys|--bytes|...> <USER>")]
pub(crate) struct SetQuota {
    #[command(flatten)]
    pub(crate) named: Named,

    /// Most keys.
    #[arg(long, value_name = "N", group = "limits")]
    pub(crate) keys: Option<u64>,

    /// Most bytes of keys and values, such as 20GiB.
    #[arg(long, value_name = "SIZE", group = "limits", value_parser = prominence_server::settings::bytes)]
    pub(crate) bytes: Option<u64>,

    /// Most requests a second, as rate-limit counts them; 0 for no limit.
    #[arg(long, value_name = "N", group = "limits")]
    pub(crate) requests_per_second: Option<u32>,

    /// Most requests that wait or watch at once (instead of max-held-per-user).
    #[arg(long, value_name = "N", group = "limits")]
    pub(crate) held: Option<usize>,
}

/// Options of `admin quota show`.
#[derive(Args)]
pub(crate) struct ShowQuota {
    /// The user.
    #[arg(value_name = "USER")]
    pub(crate) user: Option<String>,

    #[command(flatten)]
    pub(crate) folder: Folder,

    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The data folder.
#[derive(Args)]
pub(crate) struct Folder {
    /// The server's data folder [default: that of your own server].
    #[arg(long, value_name = "DIR", env = "PROMINENCE_SERVE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// The server's configuration file; it names the data folder.
    #[arg(long, value_name = "FILE", env = "PROMINENCE_SERVE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// Options of `admin backup`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence admin backup /backup/kv-monday --data-dir /var/lib/prominence
  prominence admin backup - --data-dir /var/lib/prominence | zstd > kv.zst

The backup is a consistent snapshot in one file. It holds the data of all users, but not the signing \
secret.")]
pub(crate) struct Backup {
    /// The file to write; - for standard output.
    #[arg(value_name = "DEST")]
    pub(crate) to: FileOrStream,

    /// Replace the file if it exists.
    #[arg(long)]
    pub(crate) force: bool,

    /// Print JSON; on standard error if the backup goes to standard output.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) folder: Folder,
}

/// Options of `admin restore`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence admin restore /backup/kv-monday --data-dir /var/lib/prominence
  zstd -d < kv.zst | prominence admin restore - --data-dir /var/lib/prominence

The folder becomes a data folder after the whole backup was read and verified.")]
pub(crate) struct Restore {
    /// The backup; - for standard input.
    #[arg(value_name = "FILE")]
    pub(crate) from: FileOrStream,

    /// The folder to restore into; it has to be empty or missing.
    #[arg(long, value_name = "DIR", env = "PROMINENCE_SERVE_DATA_DIR")]
    pub(crate) data_dir: PathBuf,

    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `admin check`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence admin check --data-dir /var/lib/prominence
  prominence admin check --json
  prominence admin check --backup /backup/kv-monday

Exit status:
  0  nothing is damaged
  1  something is damaged
  3  it can't be checked")]
pub(crate) struct Check {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,

    /// Check this backup rather than a server's data; - for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) backup: Option<FileOrStream>,

    #[command(flatten)]
    pub(crate) folder: Folder,
}

/// Options of `admin usage`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence admin usage --data-dir /var/lib/prominence
  prominence admin usage --sort keys --limit 10
  prominence admin usage --json

Keys that have expired count until they are removed, a moment later.")]
pub(crate) struct Usage {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,

    /// Show at most N users, at most 100000; the totals are those of all users.
    #[arg(long, value_name = "N", default_value = DEFAULT_NAMESPACES, allow_negative_numbers = true, value_parser = limit)]
    pub(crate) limit: NonZeroUsize,

    /// Order of the users: most bytes first, most keys first, or by name.
    #[arg(long, value_name = "ORDER", default_value = "bytes")]
    pub(crate) sort: Ranking,

    #[command(flatten)]
    pub(crate) folder: Folder,
}

/// A file, or standard input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileOrStream {
    /// A file's path.
    File(PathBuf),
    /// `-`.
    Stream,
}

impl FromStr for FileOrStream {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            STREAM => Self::Stream,
            path => Self::File(path.into()),
        })
    }
}

fn limit(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(limit) if limit.get() <= MAX_NAMESPACES => Ok(limit),
        _ => Err(format!("write a whole number from 1 to {MAX_NAMESPACES}")),
    }
}

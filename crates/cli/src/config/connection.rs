//! The arguments of every command that say which server it uses, and who asks.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::ProfileName;
use crate::text::duration_or_zero;

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

    /// Time during which a request is repeated if the server is away or busy; 0 means no repetition.
    /// Commands that wait use their own time [default: $PROMINENCE_RETRY_FOR, or 1m].
    #[arg(long, global = true, value_name = "DURATION", allow_negative_numbers = true,
          value_parser = duration_or_zero)]
    pub(crate) retry_for: Option<Duration>,

    /// The profile of the client file to use; it wins over the environment [default:
    /// $PROMINENCE_PROFILE, or the file's default-profile].
    #[arg(long, global = true, value_name = "PROFILE")]
    pub(crate) profile: Option<ProfileName>,
}

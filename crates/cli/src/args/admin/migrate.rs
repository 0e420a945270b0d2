//! The arguments of `prominence admin migrate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use prominence_server::admin::migrate::{self, Access, End, Site};

/// What to move, and where to.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence admin migrate --from /var/lib/prominence --to etcd://10.0.0.1:2379
  prominence admin migrate --from etcd://10.0.0.1:2379 --to /srv/prominence
  prominence admin migrate --from existing://10.0.0.1:2379 --users users.txt \\
      --to /srv/prominence

Stop the servers at both ends first. The source is only read, and the destination has to be empty. \
Everything is compared at the end. Repeat an interrupted run with the same arguments.

Exit status:
  0  everything was copied, and nothing differs
  1  something differs, or can't be imported
  2  wrong usage; also where the destination holds something else
  3  the source or the destination can't be reached, read or written")]
pub(crate) struct Migrate {
    /// Copy from here: a data folder, etcd://HOST:PORT,HOST:PORT/ROOT, or existing://HOST:PORT for the
    /// existing service; etcds and existings use TLS.
    #[arg(long, value_name = "SOURCE")]
    from: Site,

    /// Copy to here: a new or empty folder, or etcd://HOST:PORT,HOST:PORT/ROOT with nothing there
    /// [ROOT: prominence].
    #[arg(long, value_name = "DESTINATION")]
    to: Site,

    /// Users of the existing service, one a line; OLD=NEW if tokens use another name.
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,

    /// Keys of no user: refuse to import anything, or leave those keys out.
    #[arg(long, value_name = "ACTION", default_value = "refuse")]
    pub(crate) unowned: Unowned,

    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    from_access: FromAccess,

    #[command(flatten)]
    to_access: ToAccess,
}

/// What to do about keys of nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unowned {
    /// Import nothing at all.
    Refuse,
    /// Leave them where they are.
    Leave,
}

/// How to be let into the source.
#[derive(Args)]
#[command(next_help_heading = "Source in etcd")]
struct FromAccess {
    /// User in etcd; needed if authentication is on.
    #[arg(long, value_name = "NAME")]
    from_etcd_user: Option<String>,

    /// File with that user's password.
    #[arg(long, value_name = "FILE")]
    from_etcd_password_file: Option<PathBuf>,

    /// Certificate authorities (PEM) for the members [default: the system's].
    #[arg(long, value_name = "FILE")]
    from_etcd_ca: Option<PathBuf>,

    /// Certificate to show to the members (PEM).
    #[arg(long, value_name = "FILE")]
    from_etcd_cert: Option<PathBuf>,

    /// Its private key (PEM).
    #[arg(long, value_name = "FILE")]
    from_etcd_key: Option<PathBuf>,
}

/// How to be let into the destination.
#[derive(Args)]
#[command(next_help_heading = "Destination in etcd")]
struct ToAccess {
    /// User in etcd; needed if authentication is on.
    #[arg(long, value_name = "NAME")]
    to_etcd_user: Option<String>,

    /// File with that user's password.
    #[arg(long, value_name = "FILE")]
    to_etcd_password_file: Option<PathBuf>,

    /// Certificate authorities (PEM) for the members [default: the system's].
    #[arg(long, value_name = "FILE")]
    to_etcd_ca: Option<PathBuf>,

    /// Certificate to show to the members (PEM).
    #[arg(long, value_name = "FILE")]
    to_etcd_cert: Option<PathBuf>,

    /// Its private key (PEM).
    #[arg(long, value_name = "FILE")]
    to_etcd_key: Option<PathBuf>,
}

impl Migrate {
    /// Where everything comes from.
    pub(crate) fn source(&self) -> End {
        let given = &self.from_access;
        End {
            site: self.from.clone(),
            access: Access {
                user: given.from_etcd_user.clone(),
                password_file: given.from_etcd_password_file.clone(),
                authorities: given.from_etcd_ca.clone(),
                certificate: given.from_etcd_cert.clone(),
                key: given.from_etcd_key.clone(),
            },
        }
    }

    /// Where everything goes.
    pub(crate) fn destination(&self) -> End {
        let given = &self.to_access;
        End {
            site: self.to.clone(),
            access: Access {
                user: given.to_etcd_user.clone(),
                password_file: given.to_etcd_password_file.clone(),
                authorities: given.to_etcd_ca.clone(),
                certificate: given.to_etcd_cert.clone(),
                key: given.to_etcd_key.clone(),
            },
        }
    }
}

impl From<Unowned> for migrate::Unowned {
    fn from(unowned: Unowned) -> Self {
        match unowned {
            Unowned::Refuse => Self::Refuse,
            Unowned::Leave => Self::Leave,
        }
    }
}

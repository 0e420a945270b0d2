//! The arguments of `prominence admin migrate`.

use std::path::PathBuf;

use clap::Args;
#[cfg(feature = "etcd")]
use clap::ValueEnum;
#[cfg(feature = "etcd")]
use prominence_server::admin::migrate::{self, Access, End, Site};

/// Options of `admin migrate`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence admin migrate --data-dir /var/lib/prominence
  prominence admin migrate --from /var/lib/prominence --to etcd://10.0.0.1:2379
  prominence admin migrate --from etcd://10.0.0.1:2379 --to /srv/prominence
  prominence admin migrate --from existing://10.0.0.1:2379 --users users.txt \\
      --to /srv/prominence

With --data-dir, a store that an earlier version wrote is brought to the latest format. It is copied \
beside the old files, which needs as much room again, compared, and then takes their place. The \
server has to be stopped, by the version that wrote the store.

With --from and --to (in programs built with the feature etcd), stop the servers at both ends first. \
The source is only read, and the destination has to be empty. Everything is compared at the end. \
Repeat an interrupted run with the same arguments.

Exit status:
  0  everything was copied, and nothing differs
  1  something differs, or can't be imported
  2  wrong usage; also where the destination holds something else
  3  the source or the destination can't be reached, read or written")]
pub(crate) struct Migrate {
    /// Bring this data folder to the latest format.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,

    #[cfg(feature = "etcd")]
    #[command(flatten)]
    pub(crate) elsewhere: Elsewhere,

    /// The arguments for a program with the etcd engine.
    #[cfg(not(feature = "etcd"))]
    #[arg(
        num_args = 0..,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        hide = true
    )]
    pub(crate) elsewhere: Vec<std::ffi::OsString>,
}

/// The source and the destination of a move.
#[cfg(feature = "etcd")]
#[derive(Args)]
pub(crate) struct Elsewhere {
    /// Copy from here: a data folder, etcd://HOST:PORT,HOST:PORT/ROOT, or existing://HOST:PORT for the
    /// existing service; etcds and existings use TLS.
    #[arg(
        long,
        value_name = "SOURCE",
        required_unless_present = "data_dir",
        conflicts_with = "data_dir",
        requires = "to"
    )]
    from: Option<Site>,

    /// Copy to here: a new or empty folder, or etcd://HOST:PORT,HOST:PORT/ROOT with nothing there
    /// [ROOT: prominence].
    #[arg(
        long,
        value_name = "DESTINATION",
        required_unless_present = "data_dir",
        conflicts_with = "data_dir",
        requires = "from"
    )]
    to: Option<Site>,

    /// Users of the existing service, one a line; OLD=NEW if tokens use another name.
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,

    /// Keys of no user: refuse to import anything, or leave those keys out.
    #[arg(long, value_name = "ACTION", default_value = "refuse")]
    pub(crate) unowned: Unowned,

    #[command(flatten)]
    from_access: FromAccess,

    #[command(flatten)]
    to_access: ToAccess,
}

/// The treatment of keys without an owner.
#[cfg(feature = "etcd")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unowned {
    /// Import nothing at all.
    Refuse,
    /// Leave them in the source.
    Leave,
}

/// The credentials of the source.
#[cfg(feature = "etcd")]
#[derive(Clone, Args)]
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

/// The credentials of the destination.
#[cfg(feature = "etcd")]
#[derive(Clone, Args)]
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

#[cfg(feature = "etcd")]
impl Elsewhere {
    /// The source and the destination; `None` for a migration in place.
    pub(crate) fn ends(&self) -> Option<(End, End)> {
        let from = End {
            site: self.from.clone()?,
            access: self.from_access.clone().into(),
        };
        let to = End {
            site: self.to.clone()?,
            access: self.to_access.clone().into(),
        };
        Some((from, to))
    }
}

#[cfg(feature = "etcd")]
impl From<FromAccess> for Access {
    fn from(given: FromAccess) -> Self {
        Self {
            user: given.from_etcd_user,
            password_file: given.from_etcd_password_file,
            authorities: given.from_etcd_ca,
            certificate: given.from_etcd_cert,
            key: given.from_etcd_key,
        }
    }
}

#[cfg(feature = "etcd")]
impl From<ToAccess> for Access {
    fn from(given: ToAccess) -> Self {
        Self {
            user: given.to_etcd_user,
            password_file: given.to_etcd_password_file,
            authorities: given.to_etcd_ca,
            certificate: given.to_etcd_cert,
            key: given.to_etcd_key,
        }
    }
}

#[cfg(feature = "etcd")]
impl From<Unowned> for migrate::Unowned {
    fn from(unowned: Unowned) -> Self {
        match unowned {
            Unowned::Refuse => Self::Refuse,
            Unowned::Leave => Self::Leave,
        }
    }
}

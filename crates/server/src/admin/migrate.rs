//! Moving everything to another place: the two places as they are written, and what they mean.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use prominence_engines::etcd::{BadEndpoints, BadRoot, Endpoint, Endpoints, Options, Root};
use prominence_engines::migrate::{BadOwners, Layout, Owners, Place, Source};

use crate::settings::{ConfigError, Settings};
use crate::wait::clock::wall_time;

pub use prominence_engines::migrate::{
    Difference, Differences, MigrateError, Outcome, Problem, Problems, Start, Step, Unfit, Unowned,
};

/// The place where a store is, as one word: a folder's path, or `etcd://HOST:PORT,HOST:PORT/ROOT`; or the existing
/// service's cluster, `existing://HOST:PORT`. With an `s` more, as in `etcds`, TLS is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// A data folder.
    Folder(PathBuf),
    /// A cluster with a root in it.
    Cluster(Endpoints, Root),
    /// The existing service's cluster.
    Existing(Endpoints),
}

/// The reason why a word is not a site.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSite {
    /// Nothing was written.
    #[error("it is empty; write a folder's path or etcd://HOST:PORT/ROOT")]
    Empty,
    /// It looks like a URL of another kind.
    #[error(
        "{0:?} is no kind of place; write a folder's path, etcd://HOST:PORT/ROOT, or \
        existing://HOST:PORT, or etcds and existings for TLS"
    )]
    Scheme(String),
    /// The members can't be read.
    #[error("{0}")]
    Endpoints(#[from] BadEndpoints),
    /// The root can't be read.
    #[error("{0}")]
    Root(#[from] BadRoot),
    /// The existing service has no root.
    #[error("existing://HOST:PORT has nothing behind it, as that service has no root")]
    Behind,
}

/// The credentials of a cluster. The files are read when they are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// A user of etcd's.
    pub user: Option<String>,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// Certificates of the authorities that vouch for the members.
    pub authorities: Option<PathBuf>,
    /// The certificate that is shown.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
}

/// One end of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Its place.
    pub site: Site,
    /// The credentials.
    pub access: Access,
}

/// The owners of the keys in the existing service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    /// A file with their names.
    pub file: Option<PathBuf>,
    /// The treatment of the keys of other owners.
    pub unowned: Unowned,
}

/// The reason why a migration can't begin, or did not come to its end. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// One end's options can't be used.
    #[error("{end}: {cause}")]
    Options {
        /// Which.
        end: &'static str,
        /// The reason.
        cause: ConfigError,
    },
    /// A folder needs no access to a cluster.
    #[error("{end} is a folder, for which there are no options of etcd's; leave them out")]
    NoCluster {
        /// Which.
        end: &'static str,
    },
    /// Nothing is written in the existing layout.
    #[error("--to can't be the existing service; write a folder's path or etcd://HOST:PORT/ROOT")]
    ToExisting,
    /// Users are listed for what knows its own.
    #[error("--users and --unowned are for --from existing://HOST:PORT; leave them out")]
    KnowsUsers,
    /// The list of users can't be read.
    #[error("cannot read {}: {cause}; give a file with one user's name on each line", .file.display())]
    Users {
        /// The file.
        file: PathBuf,
        /// The reason.
        cause: io::Error,
    },
    /// The list of users can't be used.
    #[error("{}: {cause}; write one user's name on each line, or OLD=NEW", .file.display())]
    BadUsers {
        /// The file.
        file: PathBuf,
        /// The reason.
        cause: BadOwners,
    },
    /// It was begun.
    #[error(transparent)]
    Failed(#[from] MigrateError),
}

/// Copies everything from one end to the other, and compares both then. `watch` is told how far
/// it is.
///
/// # Errors
/// See [`Refusal`].
pub fn migrate(
    from: End,
    to: End,
    users: &Users,
    watch: &mut dyn FnMut(Step),
) -> Result<Outcome, Refusal> {
    let is_existing = matches!(from.site, Site::Existing(_));
    if !is_existing && (users.file.is_some() || users.unowned == Unowned::Leave) {
        return Err(Refusal::KnowsUsers);
    }
    let source = match from.site {
        Site::Existing(endpoints) => Source::Existing(Layout {
            options: Box::new(options(FROM, endpoints, Root::default(), from.access)?),
            owners: users.file.as_deref().map(owners).transpose()?,
            unowned: users.unowned,
        }),
        _ => Source::Store(place(FROM, from)?),
    };
    let destination = place(TO, to)?;
    let done = prominence_engines::migrate::migrate(&source, &destination, wall_time(), watch)?;
    Ok(done)
}

const FROM: &str = "--from";
const TO: &str = "--to";

fn place(name: &'static str, end: End) -> Result<Place, Refusal> {
    match end.site {
        Site::Folder(_) if end.access != Access::default() => Err(Refusal::NoCluster { end: name }),
        Site::Folder(folder) => Ok(Place::Folder(folder)),
        Site::Cluster(endpoints, root) => {
            let options = options(name, endpoints, root, end.access)?;
            Ok(Place::Cluster(Box::new(options)))
        }
        Site::Existing(_) => Err(Refusal::ToExisting),
    }
}

/// The configuration that `serve` would use.
fn options(
    end: &'static str,
    endpoints: Endpoints,
    root: Root,
    access: Access,
) -> Result<Options, Refusal> {
    let settings = Settings {
        etcd_endpoints: Some(endpoints.iter().map(ToString::to_string).collect()),
        etcd_root: Some(root.as_str().to_owned()),
        etcd_user: access.user,
        etcd_password_file: access.password_file,
        etcd_ca: access.authorities,
        etcd_cert: access.certificate,
        etcd_key: access.key,
        ..Settings::default()
    };
    let options = settings.etcd_options();
    options.map_err(|cause| Refusal::Options { end, cause })
}

fn owners(file: &Path) -> Result<Owners, Refusal> {
    let text = fs::read_to_string(file).map_err(|cause| Refusal::Users {
        file: file.to_owned(),
        cause,
    })?;
    Owners::parse(&text).map_err(|cause| Refusal::BadUsers {
        file: file.to_owned(),
        cause,
    })
}

impl FromStr for Site {
    type Err = BadSite;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return match text {
                "" => Err(BadSite::Empty),
                path => Ok(Self::Folder(path.into())),
            };
        };
        let transport = match scheme {
            "etcd" | "existing" => "http",
            "etcds" | "existings" => "https",
            other => return Err(BadSite::Scheme(other.to_owned())),
        };
        let (members, behind) = match rest.split_once('/') {
            Some((members, behind)) => (members, Some(behind).filter(|text| !text.is_empty())),
            None => (rest, None),
        };
        let members = members.split(',').filter(|member| !member.is_empty());
        let members = members.map(|member| Endpoint::parse(&format!("{transport}://{member}")));
        let endpoints = Endpoints::new(members.collect::<Result<_, _>>()?)?;
        match (scheme.starts_with("existing"), behind) {
            (true, None) => Ok(Self::Existing(endpoints)),
            (true, Some(_)) => Err(BadSite::Behind),
            (false, None) => Ok(Self::Cluster(endpoints, Root::default())),
            (false, Some(root)) => Ok(Self::Cluster(endpoints, Root::parse(&format!("/{root}"))?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(text: &str) -> Endpoints {
        Endpoints::parse(text).unwrap()
    }

    #[test]
    fn a_place_is_one_word() {
        let read = |text: &str| text.parse::<Site>();
        let folder = Site::Folder("/var/lib/prominence".into());
        assert_eq!(read("/var/lib/prominence"), Ok(folder));
        let root = |text| Root::parse(text).unwrap();
        let two = endpoints("http://a:1,http://b:2");
        assert_eq!(
            read("etcd://a:1,b:2/kv/one"),
            Ok(Site::Cluster(two, root("/kv/one")))
        );
        let tls = endpoints("https://a:1");
        let usual = Site::Cluster(tls.clone(), Root::default());
        assert_eq!(read("etcds://a:1"), Ok(usual.clone()));
        assert_eq!(read("etcds://a:1/"), Ok(usual));
        assert_eq!(read("existings://a:1"), Ok(Site::Existing(tls)));
    }

    #[test]
    fn a_word_that_is_no_place_is_refused() {
        for bad in [
            "",
            "http://a:1",
            "etcd://",
            "etcd://a",
            "etcd://a:1/b c",
            "existing://a:1/root",
        ] {
            assert!(bad.parse::<Site>().is_err(), "{bad:?}");
        }
    }
}

//! The client file: profiles, each with the address of a server and the way to log in to it.

mod written;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use prominence_client::BaseUrl;

/// The client file, below the user's folder for configuration.
const FILE: &str = "prominence/config.toml";

/// Bytes of the client file: more than a thousand profiles, and little enough to read on each call.
const MAX_FILE: u64 = 256 << 10;

/// Characters of a profile's name: enough for the name of a host.
const MAX_NAME: usize = 64;

/// The client file, read and checked.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    default: Option<ProfileName>,
    profiles: BTreeMap<ProfileName, Profile>,
}

/// The settings of one profile. Paths are absolute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    /// The address of the server.
    pub(crate) url: Option<BaseUrl>,
    /// The file with the token.
    pub(crate) token_file: Option<PathBuf>,
    /// The certificates of the authorities that vouch for the server.
    pub(crate) ca_file: Option<PathBuf>,
    /// The time during which a request is repeated that may be repeated.
    pub(crate) retry_for: Option<Duration>,
    /// True if the server has to prove its identity.
    pub(crate) ssl_verify: Option<bool>,
}

/// A name that a profile can have: letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProfileName(String);

/// The reason why the client file can't be used.
#[derive(Debug)]
pub(crate) enum ProfileError {
    /// The file can't be read.
    Read(PathBuf, io::Error),
    /// A line of it is wrong.
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The mistake.
        message: String,
    },
}

impl Profiles {
    /// The path of the client file: below `XDG_CONFIG_HOME`, otherwise below `~/.config`. `None` where
    /// neither is known.
    pub(crate) fn path() -> Option<PathBuf> {
        // The XDG specification has relative paths ignored.
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let folder = absolute("XDG_CONFIG_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
        Some(folder.join(FILE))
    }

    /// Reads the client file; a file that does not exist has no profiles.
    pub(crate) fn read(file: &Path) -> Result<Self, ProfileError> {
        let failed = |cause| ProfileError::Read(file.to_owned(), cause);
        let mut text = String::new();
        match std::fs::File::open(file) {
            Ok(open) => open.take(MAX_FILE + 1).read_to_string(&mut text),
            Err(error) if is_absent(&error) => return Ok(Self::default()),
            Err(error) => Err(error),
        }
        .map_err(failed)?;
        if text.len() as u64 > MAX_FILE {
            let limit = format!("it has more than {} KiB", MAX_FILE >> 10);
            return Err(failed(io::Error::other(limit)));
        }
        Self::parse(&text, file)
    }

    fn parse(text: &str, file: &Path) -> Result<Self, ProfileError> {
        let wrong = |start: usize, message: String| ProfileError::Line {
            file: file.to_owned(),
            line: line_of(text, start),
            message,
        };
        let folder = file.parent().unwrap_or(Path::new("/"));
        written::read(text, folder).map_err(|mistake| wrong(mistake.at, mistake.message))
    }

    /// The profile that is used if none is named.
    pub(crate) fn default_name(&self) -> Option<&ProfileName> {
        self.default.as_ref()
    }

    /// One profile.
    pub(crate) fn get(&self, name: &ProfileName) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// The names of all profiles, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &ProfileName> {
        self.profiles.keys()
    }
}

/// True if the error says that there is no such file.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// The line, from 1, that a byte is in.
fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    before.filter(|byte| **byte == b'\n').count() + 1
}

impl FromStr for ProfileName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.len() > MAX_NAME || !text.chars().all(allowed) {
            return Err(format!(
                "the name of a profile has 1 to {MAX_NAME} letters, digits, -, _ and ."
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(file, cause) => write!(f, "cannot read {}: {cause}", file.display()),
            Self::Line {
                file,
                line,
                message,
            } => write!(f, "{}, line {line}: {message}", file.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Profiles, String> {
        Profiles::parse(text, Path::new("/c/config.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_profile_sets_what_it_names_with_paths_below_the_files_folder() {
        let profiles = parse(
            "default-profile = \"site\"\n[profile.site]\nurl = \"http://h/prominence/v1\"\n\
             token-file = \"token\"\nca-file = \"/etc/ca.pem\"\nretry-for = \"5m\"\nssl-verify = false\n\
             [profile.other]\nretry-for = 90\n[profile.none]\nretry-for = 0\n",
        )
        .unwrap();
        let site = profiles.get(profiles.default_name().unwrap()).unwrap();
        assert_eq!(
            site.url.as_ref().unwrap().as_str(),
            "http://h/prominence/v1"
        );
        assert_eq!(site.token_file.as_deref(), Some(Path::new("/c/token")));
        assert_eq!(site.ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
        assert_eq!(site.retry_for, Some(Duration::from_secs(300)));
        assert_eq!(site.ssl_verify, Some(false));
        let other = profiles.get(&"other".parse().unwrap()).unwrap();
        assert_eq!(other.retry_for, Some(Duration::from_secs(90)));
        let none = profiles.get(&"none".parse().unwrap()).unwrap();
        assert_eq!(none.retry_for, Some(Duration::ZERO));
        assert!(other.url.is_none() && other.ssl_verify.is_none());
        assert!(parse("").unwrap().names().next().is_none());
    }

    #[test]
    fn an_error_names_the_line_and_never_spans_several() {
        const ALL: &str = "url, token-file, ca-file, retry-for and ssl-verify";
        for (text, line, words) in [
            (
                "[profile.a]\n\nurll = \"x\"\n",
                3,
                "a profile has no setting urll; url may be meant; it can have",
            ),
            ("[profile.a]\nzzz = 1\n", 2, ALL),
            (
                "[profile.a]\ntoken_file = 1\n",
                2,
                "token-file may be meant",
            ),
            (
                "\n[profiles.a]\n",
                2,
                "there is no setting profiles; profile may be meant; outside its sections the file can \
                 have default-profile",
            ),
            (
                "url = \"x\"\n",
                1,
                "url belongs in a section such as [profile.site]",
            ),
            ("token = \"eyJ\"\n", 1, "token-file"),
            (
                "profile = 7\n",
                1,
                "profile is a section, as in [profile.site]",
            ),
            (
                "[[profile]]\n",
                1,
                "profile is a section, as in [profile.site]",
            ),
            ("[profile]\na = 7\n", 2, "a is a section, as in [profile.a]"),
            (
                "[profile.a]\nssl-verify = \"no\"\n",
                2,
                "true or false, without quotes",
            ),
            (
                "default-profile = 1\n",
                1,
                "default-profile is a text in quotes",
            ),
            ("[profile.a]\nretry-for = -1\n", 2, "90s"),
            ("[profile.a]\nurl = \"kv.example.org\"\n", 2, "no URL"),
            ("[profile.a]\nurl = 7\n", 2, "url is a text in quotes"),
            ("[profile.a]\nretry-for = \"soon\"\n", 2, "soon"),
            ("[profile.a]\nretry-for = true\n", 2, "90s"),
            ("[profile.a]\ntoken = \"eyJ\"\n", 2, "token-file"),
            ("[profile.a]\nca-file = \"\"\n", 2, "empty"),
            ("[profile.\"a b\"]\nurl = \"x\"\n", 1, "letters"),
            (
                "[profile.a]\n\ndefault-profile = \"a\"\n",
                3,
                "default-profile belongs before the first section",
            ),
            (
                "# c\ndefault-profile = \"b\"\n[profile.a]\n",
                2,
                "[profile.b]",
            ),
            ("[profile.a\n", 1, "this is not TOML: "),
            ("[profile.a]\nurl = x\n", 2, "this is not TOML: "),
        ] {
            let error = parse(text).unwrap_err();
            let place = format!("/c/config.toml, line {line}: ");
            assert!(error.starts_with(&place), "{text}: {error}");
            assert!(
                error.contains(words) && !error.contains('\n'),
                "{text}: {error}"
            );
            assert!(!error.contains("eyJ") && !error.contains('`'), "{error}");
            assert!(!error.contains("token,"), "{error}");
        }
    }
}

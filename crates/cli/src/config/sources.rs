//! The source of each setting of a client, in one order of precedence for all of them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use prominence_api::switch::parse_switch;
use prominence_api::time::DurationError;
use prominence_client::retry::RETRY_FOR;
use prominence_client::{BaseUrl, Certificates, Timeouts};

use super::profiles::{Profile, ProfileError, ProfileName, Profiles};
use super::{
    CA_FILE, Connection, PROFILE, RETRY, SAVED_TOKEN, SSL_VERIFY, TIMEOUT, TOKEN, TOKEN_FILE, URL,
    variable,
};
use crate::failure::Failure;
use crate::text::{duration, duration_or_zero};

/// Everything that settings can come from.
pub(crate) struct Sources<'a> {
    connection: &'a Connection,
    profiles: Profiles,
    selected: Option<Selected>,
    /// The reason why the client file could not be read, if no option or variable named it.
    unread: Option<ProfileError>,
}

/// The profile in use.
struct Selected {
    name: ProfileName,
    profile: Profile,
    by: Origin,
}

/// A setting and its source.
pub(crate) struct Found<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// The source of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A profile of the client file.
    Profile {
        /// Its name.
        name: ProfileName,
        /// True if it is in use as the default profile.
        default: bool,
    },
    /// The line `default-profile` of the client file.
    ClientFile,
    /// `~/.prominence/token`.
    SavedToken,
    /// Nothing that was set.
    Default,
}

/// The source of a token.
#[derive(Debug)]
pub(crate) enum TokenPlace {
    /// Here.
    Text(String),
    /// In a file.
    File(PathBuf),
}

impl<'a> Sources<'a> {
    /// Reads the client file, and selects the profile.
    pub(crate) fn new(connection: &'a Connection) -> Result<Self, Failure> {
        let named = match (&connection.profile, variable(PROFILE)) {
            (Some(name), _) => Some((name.clone(), Origin::Flag("--profile"))),
            (None, Some(text)) => {
                let name = text.parse().map_err(|error: String| {
                    Failure::Usage(format!("{PROFILE} is \"{text}\", but {error}"))
                })?;
                Some((name, Origin::Variable(PROFILE)))
            }
            (None, None) => None,
        };
        let (profiles, unread) = match Profiles::path().map(|file| Profiles::read(&file)) {
            None => (Profiles::default(), None),
            Some(Ok(profiles)) => (profiles, None),
            // A job may run where its user's home can't be read, and need nothing from it.
            Some(Err(error @ ProfileError::Read(..))) if named.is_none() => {
                (Profiles::default(), Some(error))
            }
            Some(Err(error)) => {
                return Err(Failure::Usage(format!(
                    "{error}; prominence config --help shows how the file is written"
                )));
            }
        };
        let default = || Some((profiles.default_name()?.clone(), Origin::ClientFile));
        let selected = match named.or_else(default) {
            None => None,
            Some((name, by)) => {
                let profile = profiles.get(&name).cloned();
                let profile = profile.ok_or_else(|| no_profile(&name, &by, &profiles))?;
                Some(Selected { name, profile, by })
            }
        };
        Ok(Self {
            connection,
            profiles,
            selected,
            unread,
        })
    }

    /// All profiles of the client file.
    pub(crate) fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// The profile in use, and what selected it.
    pub(crate) fn selected(&self) -> Option<(&ProfileName, &Origin)> {
        let selected = self.selected.as_ref()?;
        Some((&selected.name, &selected.by))
    }

    /// The reason why the client file could not be read, for the sentence that says what is missing.
    pub(crate) fn remark(&self) -> String {
        match &self.unread {
            None => String::new(),
            Some(error) => format!(" ({error})"),
        }
    }

    /// The address of the service.
    pub(crate) fn url(&self) -> Result<Option<Found<BaseUrl>>, Failure> {
        let parse = |text: &str, name: &str| {
            BaseUrl::parse(text).map_err(|error| {
                Failure::Usage(format!(
                    "{error}; correct {name}, such as http://127.0.0.1:8080/prominence/v1"
                ))
            })
        };
        let flag = self.connection.url.as_deref();
        let found = self.pick(
            flag.map(|text| (parse(text, "--url"), "--url")),
            variable(URL).map(|text| (parse(&text, URL), URL)),
            |profile| profile.url.clone().map(Ok),
        );
        found.map(Found::transpose).transpose()
    }

    /// The source of the token.
    pub(crate) fn token(&self) -> Option<Found<TokenPlace>> {
        let text = |text: &String| (TokenPlace::Text(text.clone()), "--token");
        let file = |file: &PathBuf| (TokenPlace::File(file.clone()), "--token-file");
        let flag = self.connection.token.as_ref().map(text);
        let flag = flag.or_else(|| self.connection.token_file.as_ref().map(file));
        let variable = variable(TOKEN).map(|text| (TokenPlace::Text(text), TOKEN));
        let variable = variable
            .or_else(|| file_variable(TOKEN_FILE).map(|file| (TokenPlace::File(file), TOKEN_FILE)));
        let found = self.pick(flag, variable, |profile| {
            profile.token_file.clone().map(TokenPlace::File)
        });
        found.or_else(|| {
            let file = PathBuf::from(std::env::var_os("HOME")?).join(SAVED_TOKEN);
            file.exists().then_some(Found {
                value: TokenPlace::File(file),
                origin: Origin::SavedToken,
            })
        })
    }

    /// The check of the server's certificate. In one source the switch wins over the file.
    pub(crate) fn certificates(&self) -> Result<Found<Certificates>, Failure> {
        let verified_by = Certificates::VerifiedBy;
        let flag = self.connection.ca_file.clone();
        let variable = match variable(SSL_VERIFY) {
            Some(text) => {
                let verify = parse_switch(&text).map_err(|error| {
                    Failure::Usage(format!("{SSL_VERIFY} is \"{text}\"; {error}"))
                });
                let certificates = verify.map(|verify| {
                    if !verify {
                        return Certificates::Unverified;
                    }
                    let file = file_variable(CA_FILE).or_else(|| self.profile()?.ca_file.clone());
                    file.map_or(Certificates::Verified, verified_by)
                });
                Some((certificates, SSL_VERIFY))
            }
            None => file_variable(CA_FILE).map(|file| (Ok(verified_by(file)), CA_FILE)),
        };
        let found = self.pick(
            flag.map(|file| (Ok(verified_by(file)), "--ca-file")),
            variable,
            |profile| match (profile.ssl_verify, &profile.ca_file) {
                (Some(false), _) => Some(Ok(Certificates::Unverified)),
                (_, Some(file)) => Some(Ok(verified_by(file.clone()))),
                (Some(true), None) => Some(Ok(Certificates::Verified)),
                (None, None) => None,
            },
        );
        found.map_or_else(
            || Ok(Found::default(Certificates::Verified)),
            Found::transpose,
        )
    }

    /// The time during which a request is repeated that does not wait.
    pub(crate) fn retry_for(&self) -> Result<Found<Duration>, Failure> {
        let flag = self.connection.retry_for;
        let variable = duration_variable(RETRY, duration_or_zero);
        let found = self.pick(
            flag.map(|given| (Ok(given), "--retry-for")),
            variable.map(|given| (given, RETRY)),
            |profile| profile.retry_for.map(Ok),
        );
        found.map_or_else(|| Ok(Found::default(RETRY_FOR)), Found::transpose)
    }

    /// The longest silence of the server before a connection counts as lost.
    pub(crate) fn silence(&self) -> Result<Found<Duration>, Failure> {
        match duration_variable(TIMEOUT, duration) {
            Some(given) => Ok(Found {
                value: given?,
                origin: Origin::Variable(TIMEOUT),
            }),
            None => Ok(Found::default(Timeouts::default().silence)),
        }
    }

    fn profile(&self) -> Option<&Profile> {
        Some(&self.selected.as_ref()?.profile)
    }

    /// A setting from the first source that has it.
    fn pick<T>(
        &self,
        flag: Option<(T, &'static str)>,
        variable: Option<(T, &'static str)>,
        of_profile: impl Fn(&Profile) -> Option<T>,
    ) -> Option<Found<T>> {
        let found = |value, origin| Found { value, origin };
        let flag = flag.map(|(value, name)| found(value, Origin::Flag(name)));
        let variable = variable.map(|(value, name)| found(value, Origin::Variable(name)));
        let profile = self.selected.as_ref().and_then(|selected| {
            let origin = Origin::Profile {
                name: selected.name.clone(),
                default: selected.by == Origin::ClientFile,
            };
            Some(found(of_profile(&selected.profile)?, origin))
        });
        let by_flag = |selected: &Selected| matches!(selected.by, Origin::Flag(_));
        if self.selected.as_ref().is_some_and(by_flag) {
            flag.or(profile).or(variable)
        } else {
            flag.or(variable).or(profile)
        }
    }
}

impl Origin {
    /// True if it is the default profile.
    #[cfg(feature = "server")]
    pub(crate) fn is_default_profile(&self) -> bool {
        matches!(self, Self::Profile { default: true, .. })
    }
}

impl<T> Found<T> {
    fn default(value: T) -> Self {
        Self {
            value,
            origin: Origin::Default,
        }
    }
}

impl<T> Found<Result<T, Failure>> {
    fn transpose(self) -> Result<Found<T>, Failure> {
        let Self { value, origin } = self;
        Ok(Found {
            value: value?,
            origin,
        })
    }
}

/// A variable with the name of a file, which need not be UTF-8.
fn file_variable(name: &str) -> Option<PathBuf> {
    let file = std::env::var_os(name).filter(|file| !file.is_empty())?;
    Some(file.into())
}

/// A duration in a variable.
fn duration_variable(
    name: &str,
    parse: fn(&str) -> Result<Duration, DurationError>,
) -> Option<Result<Duration, Failure>> {
    let text = variable(name)?;
    Some(parse(&text).map_err(|error| Failure::Usage(format!("{name} can't be used: {error}"))))
}

/// The failure for a profile that does not exist.
fn no_profile(name: &ProfileName, by: &Origin, profiles: &Profiles) -> Failure {
    let file = Profiles::path().map_or("~/.config".into(), |file| file.display().to_string());
    let names: Vec<_> = profiles.names().map(ToString::to_string).collect();
    let there = match names.is_empty() {
        true => "has no profiles".to_owned(),
        false => format!("has {}", names.join(", ")),
    };
    Failure::Usage(format!(
        "there is no profile {name}, which {by} names: {file} {there}; prominence config --help \
         shows how to write one"
    ))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::Profile { name, .. } => write!(f, "profile {name}"),
            Self::ClientFile => f.write_str("default-profile"),
            Self::SavedToken => write!(f, "~/{SAVED_TOKEN}"),
            Self::Default => f.write_str("default"),
        }
    }
}

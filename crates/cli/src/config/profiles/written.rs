//! The text of the client file. Each setting is read by a rule of its own, so that an error says what to write.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prominence_client::BaseUrl;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Profile, ProfileName, Profiles};
use crate::text::{duration_or_zero, nearest};

const DEFAULT: &str = "default-profile";
const PROFILE: &str = "profile";
const TOKEN: &str = "token";

/// The settings of a profile.
const SETTINGS: [&str; 5] = ["url", "token-file", "ca-file", "retry-for", "ssl-verify"];

/// Refuses a token in the client file, which people copy and share.
const NO_TOKEN: &str = "a token does not belong in this file; save it in a file of its own and name that file with \
                        token-file";

/// A fault of the text.
pub(super) struct Mistake {
    /// The byte at which it is.
    pub(super) at: usize,
    /// The fault at that place.
    pub(super) message: String,
}

type Name<'a> = Spanned<Cow<'a, str>>;
type Value<'a> = Spanned<DeValue<'a>>;

/// Reads the file; paths in it are relative to this folder.
pub(super) fn read(text: &str, folder: &Path) -> Result<Profiles, Mistake> {
    let file = DeTable::parse(text).map_err(|error| Mistake {
        at: error.span().map_or(0, |span| span.start),
        message: not_toml(error.message()),
    })?;
    let mut default = None;
    let mut profiles = BTreeMap::new();
    for (name, value) in in_order(file.get_ref()) {
        match name.get_ref().as_ref() {
            DEFAULT => {
                let profile: Result<ProfileName, _> = text_of(DEFAULT, "site", value)?.parse();
                default = Some((profile.map_err(|why| wrong(value, why))?, value));
            }
            PROFILE => {
                let sections = value.get_ref().as_table();
                let sections = sections
                    .ok_or_else(|| wrong(name, "profile is a section, as in [profile.site]"))?;
                for (name, settings) in in_order(sections) {
                    let (name, profile) = section(name, settings, folder)?;
                    profiles.insert(name, profile);
                }
            }
            TOKEN => return Err(wrong(name, NO_TOKEN)),
            other => return Err(wrong(name, unknown(other))),
        }
    }
    if let Some((default, place)) = &default
        && !profiles.contains_key(default)
    {
        return Err(wrong(
            place,
            format!("there is no section [profile.{default}]"),
        ));
    }
    Ok(Profiles {
        default: default.map(|(name, _)| name),
        profiles,
    })
}

/// One profile.
fn section(
    name: &Name<'_>,
    settings: &Value<'_>,
    folder: &Path,
) -> Result<(ProfileName, Profile), Mistake> {
    let parsed: ProfileName = name
        .get_ref()
        .parse()
        .map_err(|why: String| wrong(name, why))?;
    let settings = settings.get_ref().as_table().ok_or_else(|| {
        wrong(
            name,
            format!("{parsed} is a section, as in [profile.{parsed}]"),
        )
    })?;
    let mut profile = Profile::default();
    for (name, value) in in_order(settings) {
        match name.get_ref().as_ref() {
            "url" => {
                let text = text_of("url", "https://kv.example.org/prominence/v1", value)?;
                let url = BaseUrl::parse(text).map_err(|error| wrong(value, error.to_string()))?;
                profile.url = Some(url);
            }
            "token-file" => {
                let text = text_of("token-file", "~/.prominence/token", value)?;
                let file = file_name(text).map_err(|why| wrong(value, why))?;
                profile.token_file = Some(folder.join(file));
            }
            "ca-file" => {
                let text = text_of("ca-file", "site-ca.pem", value)?;
                let file = file_name(text).map_err(|why| wrong(value, why))?;
                profile.ca_file = Some(folder.join(file));
            }
            "retry-for" => {
                let patience = patience(value).map_err(|why| wrong(value, why))?;
                profile.retry_for = Some(patience);
            }
            "ssl-verify" => {
                let verify = value.get_ref().as_bool();
                let verify = verify
                    .ok_or_else(|| wrong(value, "ssl-verify is true or false, without quotes"))?;
                profile.ssl_verify = Some(verify);
            }
            TOKEN => return Err(wrong(name, NO_TOKEN)),
            DEFAULT => {
                let why = "default-profile belongs before the first section";
                return Err(wrong(name, why));
            }
            other => return Err(wrong(name, unknown_in_profile(other))),
        }
    }
    Ok((parsed, profile))
}

/// The entries of a table as they stand in the file, so that the first mistake is told first.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(&'a Name<'i>, &'a Value<'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

/// A setting that is a text.
fn text_of<'a>(name: &str, example: &str, value: &'a Value<'_>) -> Result<&'a str, Mistake> {
    let text = value.get_ref().as_str();
    text.ok_or_else(|| {
        let why = format!("{name} is a text in quotes, as in {name} = \"{example}\"");
        wrong(value, why)
    })
}

/// A duration, or a number of seconds.
fn patience(value: &Value<'_>) -> Result<Duration, String> {
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        _ => {
            return Err(
                "retry-for is a duration such as \"90s\" or \"5m\", or a number of seconds"
                    .to_owned(),
            );
        }
    };
    duration_or_zero(&text).map_err(|error| error.to_string())
}

fn file_name(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("the name of the file is empty".to_owned());
    }
    let Some(rest) = text.strip_prefix("~/") else {
        return Ok(text.into());
    };
    match std::env::var_os("HOME") {
        Some(home) => Ok(PathBuf::from(home).join(rest)),
        None => Err("HOME is not set, so ~ is not known".to_owned()),
    }
}

/// An unknown name outside the sections.
fn unknown(name: &str) -> String {
    if SETTINGS.contains(&name) {
        return format!("{name} belongs in a section such as [profile.site]");
    }
    let names: Vec<_> = [DEFAULT, PROFILE].into_iter().chain(SETTINGS).collect();
    format!(
        "there is no setting {name}{}; outside its sections the file can have {DEFAULT}, and its \
         sections begin with a line such as [profile.site]",
        meant(name, &names)
    )
}

/// An unknown name in a section.
fn unknown_in_profile(name: &str) -> String {
    format!(
        "a profile has no setting {name}{}; it can have url, token-file, ca-file, retry-for and \
         ssl-verify",
        meant(name, &SETTINGS)
    )
}

/// The name that was probably meant.
fn meant(name: &str, names: &[&str]) -> String {
    let name = name.replace('_', "-");
    match nearest(&name, names.iter().copied()) {
        Some(other) => format!("; {other} may be meant"),
        None => String::new(),
    }
}

/// The reason of the TOML parser on one line, without its marks of code.
fn not_toml(reason: &str) -> String {
    let reason = reason.replace('\n', " ").replace('`', "\"");
    format!("this is not TOML: {reason}")
}

fn wrong<T>(place: &Spanned<T>, message: impl Into<String>) -> Mistake {
    Mistake {
        at: place.span().start,
        message: message.into(),
    }
}

//! `prominence config`: the settings in effect, and where each comes from.

use std::io::Write as _;
use std::time::Duration;

use prominence_api::time::format_duration;
use prominence_client::Certificates;
use serde::Serialize;

use crate::args::config::{ConfigCommand, ConfigOptions};
use crate::config::{Connection, Found, Origin, Profiles, Sources, TokenPlace};
use crate::failure::Failure;
use crate::output::{Look, Output};

/// Characters of the column of names, and the most of the column of values.
const NAME_WIDTH: usize = 10;

/// The output of `--json`.
#[derive(Serialize)]
struct Shown {
    file: Option<String>,
    profiles: Vec<String>,
    settings: Vec<Setting>,
}

/// One setting.
#[derive(Serialize)]
struct Setting {
    name: &'static str,
    /// `None` if it is not set.
    value: Option<String>,
    /// The source of the value.
    from: Option<String>,
}

pub(super) fn run(
    options: &ConfigOptions,
    connection: &Connection,
    output: &mut Output,
) -> Result<(), Failure> {
    let file = Profiles::path();
    if let Some(ConfigCommand::Path) = &options.command {
        let file = file.ok_or_else(|| {
            Failure::Usage(
                "there is no place for a client file; set HOME or XDG_CONFIG_HOME to a folder"
                    .to_owned(),
            )
        })?;
        writeln!(output, "{}", file.display())?;
        return Ok(());
    }
    let sources = Sources::new(connection)?;
    let shown = Shown {
        file: file.map(|file| file.display().to_string()),
        profiles: sources
            .profiles()
            .names()
            .map(ToString::to_string)
            .collect(),
        settings: settings(&sources)?,
    };
    if options.json {
        output.json(&shown)?;
        return Ok(());
    }
    show(&shown, output)
}

/// Every setting, in the order in which people look for them.
fn settings(sources: &Sources<'_>) -> Result<Vec<Setting>, Failure> {
    let url = sources.url()?;
    let token = sources.token().map(|found| {
        let place = match found.value {
            TokenPlace::Text(_) => "set, not shown".to_owned(),
            TokenPlace::File(file) => format!("in {}", file.display()),
        };
        (place, found.origin)
    });
    let Found { value, origin } = sources.certificates()?;
    let (verify, authorities) = match value {
        Certificates::Verified => ("true", None),
        Certificates::VerifiedBy(file) => {
            let file = file.display().to_string();
            ("true", Some((file, origin.clone())))
        }
        Certificates::Unverified => ("false", None),
    };
    let duration = |found: Found<Duration>| {
        let text = match found.value {
            Duration::ZERO => "0".to_owned(),
            value => format_duration(value),
        };
        Some((text, found.origin))
    };
    let profile = sources
        .selected()
        .map(|(name, by)| (name.to_string(), by.clone()));
    Ok(vec![
        setting("profile", profile),
        setting(
            "url",
            url.map(|found| (found.value.to_string(), found.origin)),
        ),
        setting("token", token),
        setting("ssl-verify", Some((verify.to_owned(), origin))),
        setting("ca-file", authorities),
        setting("retry-for", duration(sources.retry_for()?)),
        setting("timeout", duration(sources.silence()?)),
    ])
}

fn setting(name: &'static str, found: Option<(String, Origin)>) -> Setting {
    let (value, from) = found.unzip();
    Setting {
        name,
        value,
        from: from.map(|origin| origin.to_string()),
    }
}

/// A table for people.
fn show(shown: &Shown, output: &mut Output) -> Result<(), Failure> {
    let file = shown.file.as_deref().unwrap_or("-");
    let profiles = match shown.profiles.is_empty() {
        true => "no profiles".to_owned(),
        false => format!("profiles: {}", shown.profiles.join(", ")),
    };
    writeln!(output, "client file: {file} ({profiles})\n")?;
    let values = shown.settings.iter().filter_map(|one| one.value.as_ref());
    let width = values.map(|value| value.chars().count()).max();
    let width = width.unwrap_or_default().max("VALUE".len());
    let head = format!("{:NAME_WIDTH$}  {:width$}  FROM", "SETTING", "VALUE");
    output.styled(Look::Heading, &head)?;
    writeln!(output)?;
    for Setting { name, value, from } in &shown.settings {
        let value = value.as_deref().unwrap_or("-");
        let from = from.as_deref().unwrap_or("-");
        writeln!(output, "{name:NAME_WIDTH$}  {value:width$}  {from}")?;
    }
    Ok(())
}

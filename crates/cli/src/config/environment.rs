//! The settings in effect as variables, for a command that is run: it reaches the same server as the same
//! user, although a flag or a profile named them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use prominence_api::time::format_duration;
use prominence_client::Certificates;

use super::{
    CA_FILE, Connection, Origin, PROFILE, RETRY, SSL_VERIFY, Sources, TOKEN, TOKEN_FILE,
    TokenPlace, URL,
};
use crate::failure::Failure;

/// Variables to set, and to remove if there is no value.
#[derive(Default)]
pub(crate) struct Environment(Vec<(&'static str, Option<OsString>)>);

impl Environment {
    /// The settings that the arguments, the environment and the client file give together.
    pub(crate) fn of(connection: &Connection) -> Result<Self, Failure> {
        let sources = Sources::new(connection)?;
        let mut variables = Self::default();
        // Another profile of the client file must not add settings that this one lacks.
        if let Some((profile, _)) = sources.selected() {
            variables.set(PROFILE, profile.to_string());
        }
        if let Some(url) = sources.url()? {
            variables.set(URL, url.value.to_string());
        }
        // A token that a variable holds would win over one that a file holds.
        match sources.token().map(|found| (found.value, found.origin)) {
            // The command finds it in the same place, and renews it by itself.
            Some((_, Origin::SavedToken)) => {}
            Some((TokenPlace::Text(text), _)) => {
                variables.set(TOKEN, text);
                variables.remove(TOKEN_FILE);
            }
            Some((TokenPlace::File(file), _)) => {
                variables.set(TOKEN_FILE, absolute(&file));
                variables.remove(TOKEN);
            }
            None => {}
        }
        let certificates = sources.certificates()?;
        match (certificates.value, certificates.origin) {
            (_, Origin::Default) => {}
            (Certificates::Unverified, _) => variables.set(SSL_VERIFY, "False"),
            // Without the variable, a profile that switches the check off would do so for the command.
            (Certificates::Verified, _) => {
                variables.set(SSL_VERIFY, "True");
                variables.remove(CA_FILE);
            }
            (Certificates::VerifiedBy(file), _) => {
                variables.set(SSL_VERIFY, "True");
                variables.set(CA_FILE, absolute(&file));
            }
        }
        let retry_for = sources.retry_for()?;
        if retry_for.origin != Origin::Default {
            variables.set(RETRY, format_duration(retry_for.value));
        }
        Ok(variables)
    }

    /// Gives the variables to a command.
    pub(crate) fn give(&self, command: &mut Command) {
        for (name, value) in &self.0 {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }

    fn set(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.0.push((name, Some(value.into())));
    }

    fn remove(&mut self, name: &'static str) {
        self.0.push((name, None));
    }
}

/// The path from the root: the command may change its folder.
fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

//! Signing a token with the secret of a server on this machine, or of one whose secret is here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use prominence_api::time::format_duration;
use prominence_client::BaseUrl;
use prominence_core::Namespace;
use prominence_core::permit::{ScopeError, Scopes};
use prominence_server::Settings;
use prominence_server::settings::LISTENING;
use prominence_server::settings::data_folders;
use prominence_server::token::{self, Secret, TokenLimits};

use super::time;
use crate::args::run::{NewToken, Place};
use crate::claims::Claims;
use crate::config;
use crate::failure::Failure;
use crate::output;

/// The user on a system without user names, such as a bare container.
const NOBODY: &str = "dev";

/// The scope of a token with which the tokens of any user can be revoked.
const MAY_REVOKE: &str = "prominence.revoke";

/// The signing secret, and the URL of its server.
pub(super) struct Signer {
    secret: Secret,
    /// The address that the server last wrote down.
    pub(super) url: Option<String>,
    longest: Longest,
}

/// The longest life that the server accepts.
enum Longest {
    /// As its configuration says.
    Known(Duration),
    /// By default; the server may have another.
    Usual(Duration),
}

/// The place where secrets are looked for, and what is known of their server.
struct Places {
    sources: Vec<token::SecretSource>,
    folders: Vec<PathBuf>,
    longest: Longest,
}

impl Signer {
    /// Finds the secret. Of several servers on this machine the one at `url` comes first, then
    /// one that is running.
    pub(super) fn find(place: &Place, url: Option<&BaseUrl>) -> Result<Self, Failure> {
        let Places {
            sources,
            mut folders,
            longest,
        } = places(place)?;
        folders.sort_by_key(|folder| match (listening(folder), url) {
            (Some(there), Some(url)) if there == url.as_str() => 0,
            (Some(_), None) => 0,
            (Some(_), Some(_)) => 1,
            (None, _) => 2,
        });
        if let Some(source) = sources.first() {
            return Ok(Self {
                secret: source.load().map_err(usage)?,
                url: folders.iter().find_map(|folder| listening(folder)),
                longest,
            });
        }
        let (secret, folder) = token::find(&folders).map_err(usage)?;
        Ok(Self {
            secret,
            url: listening(&folder),
            longest,
        })
    }

    /// Signs a token.
    pub(super) fn sign(&self, token: NewToken) -> Result<String, Failure> {
        let scopes =
            Scopes::parse(&token.scopes.join(" ")).map_err(|error: ScopeError| usage(error))?;
        let user = match token.user {
            Some(user) => user,
            None => default_user()?,
        };
        self.longest.check(token.lifetime)?;
        let token = token::NewToken {
            user,
            job: token.job,
            groups: token.groups,
            scopes,
            lifetime: token.lifetime,
        };
        sign(&self.secret, &token)
    }
}

impl Signer {
    /// Signs a token of a minute with which the tokens of any user can be revoked, and nothing else can be done.
    pub(super) fn sign_to_revoke(&self) -> Result<String, Failure> {
        let token = token::NewToken {
            user: default_user()?,
            job: None,
            groups: Vec::new(),
            scopes: Scopes::parse(MAY_REVOKE).map_err(|error: ScopeError| usage(error))?,
            lifetime: Duration::from_secs(60),
        };
        sign(&self.secret, &token)
    }
}

impl Longest {
    /// Refuses a token that its server would refuse, or tells that it may.
    fn check(&self, lifetime: Duration) -> Result<(), Failure> {
        match *self {
            Self::Known(longest) if lifetime > longest => Err(Failure::Usage(format!(
                "the token would last longer than the server's token-max-lifetime, {}; make a shorter one with --for",
                format_duration(longest)
            ))),
            Self::Usual(longest) if lifetime > longest => {
                output::warn(format_args!(
                    "the token lasts longer than {}, and servers refuse such tokens unless their \
                     token-max-lifetime says otherwise",
                    format_duration(longest)
                ));
                Ok(())
            }
            Self::Known(_) | Self::Usual(_) => Ok(()),
        }
    }
}

/// Signs a token with a secret at hand.
pub(super) fn sign(secret: &Secret, token: &token::NewToken) -> Result<String, Failure> {
    token::mint(secret, token, time::now())
        .map_err(|error| Failure::Usage(format!("cannot sign a token: {error}; check the secret")))
}

/// The user of a token if none is named: that of the token in the environment, so that
/// a job run by hand shares its user's keys, and otherwise those of the system's user.
pub(super) fn default_user() -> Result<Namespace, Failure> {
    let from_token = || Claims::read(&config::variable(config::TOKEN)?)?.text("username");
    let name = from_token()
        .or_else(|| config::variable("USER"))
        .or_else(|| config::variable("LOGNAME"))
        .unwrap_or_else(|| NOBODY.to_owned());
    Namespace::parse(&name).map_err(|error| {
        Failure::Usage(format!(
            "{name:?} can't be a user's name: {error}; name another with --user"
        ))
    })
}

/// The secrets that are named, and the folders that may hold one.
fn places(place: &Place) -> Result<Places, Failure> {
    if place.config.is_none() {
        let folders = match &place.data_dir {
            Some(folder) => vec![folder.clone()],
            None => data_folders(),
        };
        return Ok(Places {
            sources: place.secret_file.clone(),
            folders,
            longest: Longest::Usual(TokenLimits::default().max_lifetime),
        });
    }
    let given = !place.secret_file.is_empty();
    let settings = Settings {
        config: place.config.clone(),
        data_dir: place.data_dir.clone(),
        secret_file: given.then(|| place.secret_file.clone()),
        // Nothing listens here, so it doesn't matter how safely.
        insecure: Some(true),
        ..Settings::default()
    };
    let config = settings.resolve().map_err(usage)?;
    Ok(Places {
        sources: config.secrets,
        folders: vec![config.data_dir],
        longest: Longest::Known(config.token_limits.max_lifetime),
    })
}

fn listening(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(LISTENING)).ok()?;
    Some(text.trim().to_owned()).filter(|url| !url.is_empty())
}

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::Usage(error.to_string())
}

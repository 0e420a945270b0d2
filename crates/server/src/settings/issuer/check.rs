//! From the settings of issuers as they were written to what they mean: each mistake is an error that names it.

use std::time::Duration;

use prominence_api::time::format_duration;

use super::{IssuerSettings, OpaqueSetting};
use crate::identity::issuer::{
    Alg, Audience, ClaimsFrom, IssuerConfig, IssuerFreshness, LoginConfig, Opaque, WebClient,
    has_usable_key, is_protected,
};
use crate::identity::token::read_secret;
use crate::settings::error::ConfigError;

/// The most issuers.
const MAX_ISSUERS: usize = 16;

/// The longest prefix of namespaces, in bytes.
const MAX_PREFIX_BYTES: usize = 64;

/// The longest URL of an issuer. It is a part of the keys of records.
const MAX_URL_BYTES: usize = 256;

/// The longest name of an issuer.
const MAX_NAME_BYTES: usize = 32;

/// The tolerance for clocks, and the most of it.
const USUAL_LEEWAY: Duration = Duration::from_secs(30);
const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// The time for which answers about tokens are used, and the most of it.
const USUAL_FRESH: Duration = Duration::from_secs(60);
const USUAL_STALE: Duration = Duration::from_secs(900);
const MAX_STALE: Duration = Duration::from_secs(86_400);

/// Checks all issuers, each alone and together.
pub(in crate::settings) fn check(
    all: Vec<IssuerSettings>,
    has_public_url: bool,
) -> Result<Vec<IssuerConfig>, ConfigError> {
    if all.len() > MAX_ISSUERS {
        return Err(ConfigError::Range {
            setting: "issuer",
            given: format!("there {} times", all.len()),
            allowed: "there can be at most 16",
        });
    }
    check_together(&all)?;
    if !has_public_url && let Some(issuer) = all.iter().find(|issuer| issuer.login.is_some()) {
        let why = "needs public-url, by which programs know that this is the service to log in for";
        return Err(wrong(issuer, "login", why));
    }
    all.into_iter().map(check_one).collect()
}

/// An error of one issuer.
fn wrong(issuer: &IssuerSettings, setting: &'static str, why: impl Into<String>) -> ConfigError {
    ConfigError::Issuer {
        issuer: issuer.name.clone(),
        setting,
        why: why.into(),
    }
}

fn check_together(all: &[IssuerSettings]) -> Result<(), ConfigError> {
    for (index, issuer) in all.iter().enumerate() {
        let earlier = &all[..index];
        if earlier.iter().any(|other| other.name == issuer.name) {
            return Err(wrong(issuer, "name", "is the name of another issuer"));
        }
        if earlier.iter().any(|other| other.issuer == issuer.issuer) {
            return Err(wrong(issuer, "issuer", "is the URL of another issuer"));
        }
        if all.len() > 1 && issuer.namespace_prefix.is_none() {
            let why = "is needed where there are several issuers; it can be \"\" for one of them";
            return Err(wrong(issuer, "namespace-prefix", why));
        }
        let opaque = |one: &IssuerSettings| one.opaque != OpaqueSetting::Refuse;
        if opaque(issuer) && earlier.iter().any(opaque) {
            let why =
                "is already set for another issuer; an opaque token can't be shown to several";
            return Err(wrong(issuer, "opaque", why));
        }
        for other in all {
            if other.name != issuer.name {
                check_prefixes(issuer, other)?;
            }
        }
        let is_known = |name: &String| all.iter().any(|other| other.name == *name);
        if let Some(name) = issuer.shares_names_with.iter().find(|name| !is_known(name)) {
            let why = format!("names {name:?}, and there is no such issuer");
            return Err(wrong(issuer, "shares-names-with", why));
        }
    }
    Ok(())
}

fn check_prefixes(issuer: &IssuerSettings, other: &IssuerSettings) -> Result<(), ConfigError> {
    let prefix = |of: &IssuerSettings| of.namespace_prefix.clone().unwrap_or_default();
    let (own, others) = (prefix(issuer), prefix(other));
    if own == others {
        let shares = |one: &IssuerSettings, with: &IssuerSettings| {
            one.shares_names_with.contains(&with.name)
        };
        if shares(issuer, other) && shares(other, issuer) {
            return Ok(());
        }
        let why = format!(
            "is also that of {}; that is possible only where each names the other in shares-names-with",
            other.name
        );
        return Err(wrong(issuer, "namespace-prefix", why));
    }
    if !others.is_empty() && own.starts_with(&others) {
        let why = format!("begins with that of {}, {others:?}", other.name);
        return Err(wrong(issuer, "namespace-prefix", why));
    }
    Ok(())
}

fn check_one(issuer: IssuerSettings) -> Result<IssuerConfig, ConfigError> {
    check_identity(&issuer)?;
    let algorithms = algorithms(&issuer)?;
    let leeway = issuer.leeway.map_or(USUAL_LEEWAY, |given| given.0);
    if leeway > MAX_LEEWAY {
        let why = format!("is {}; it can be at most 5m", format_duration(leeway));
        return Err(wrong(&issuer, "leeway", why));
    }
    check_audience(&issuer)?;
    let opaque = opaque(&issuer)?;
    let freshness = freshness(&issuer)?;
    if let Some(file) = &issuer.jwks_file {
        match has_usable_key(file, &algorithms) {
            Ok(true) => {}
            Ok(false) => return Err(wrong(&issuer, "jwks-file", "has no key that can be used")),
            Err(why) => return Err(wrong(&issuer, "jwks-file", format!("can't be read: {why}"))),
        }
    }
    let asks = issuer.opaque != OpaqueSetting::Refuse || issuer.claims_from == ClaimsFrom::Userinfo;
    if issuer.jwks_file.is_some() && asks {
        let why = "is for issuers that are not asked; leave out opaque and claims-from";
        return Err(wrong(&issuer, "jwks-file", why));
    }
    let login = login(&issuer)?;
    let names = issuer.names_file.clone();
    Ok(IssuerConfig {
        // A subject is never given to somebody else, so it needs no comparison with itself.
        pin_subject: issuer.pin_subject.unwrap_or(!issuer.user_claim.is("sub")),
        // The token of a job can't be used to make others unless the operator wants that.
        may_mint: issuer.may_mint.unwrap_or(issuer.job_claim.is_none()),
        names: names.map(|file| (file, issuer.unnamed.unwrap_or_default())),
        login,
        title: issuer.title.unwrap_or_else(|| issuer.name.clone()),
        name: issuer.name,
        issuer: issuer.issuer,
        user_claim: issuer.user_claim,
        claims_from: issuer.claims_from,
        namespace_prefix: issuer.namespace_prefix.unwrap_or_default(),
        shares_names_with: issuer.shares_names_with,
        audience: Audience {
            audiences: issuer.audience,
            parties: issuer.authorized_parties,
        },
        algorithms,
        leeway,
        unscoped: issuer.unscoped,
        require: issuer.require,
        job_claim: issuer.job_claim,
        jwks_file: issuer.jwks_file,
        ca_file: issuer.ca_file,
        opaque,
        freshness,
    })
}

/// Checks its name, its URL and its prefix.
fn check_identity(issuer: &IssuerSettings) -> Result<(), ConfigError> {
    let name = issuer.name.as_bytes();
    let is_word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let begins = name.first().is_some_and(u8::is_ascii_lowercase);
    if !begins || name.len() > MAX_NAME_BYTES || !name.iter().all(is_word) {
        let why = "has to be a letter and at most 31 letters, digits and hyphens, in lower case";
        return Err(wrong(issuer, "name", why));
    }
    let url = &issuer.issuer;
    if url.len() > MAX_URL_BYTES {
        return Err(wrong(issuer, "issuer", "has more than 256 bytes"));
    }
    if url.contains(['?', '#']) {
        return Err(wrong(issuer, "issuer", "has a query or a fragment"));
    }
    if !is_protected(url) {
        let why = "has to be a URL that begins with https://, or with http:// and a loopback address such as 127.0.0.1";
        return Err(wrong(issuer, "issuer", why));
    }
    let prefix = issuer.namespace_prefix.as_deref().unwrap_or_default();
    if prefix.len() > MAX_PREFIX_BYTES || prefix.chars().any(char::is_control) {
        let why = "has to be at most 64 bytes without control characters";
        return Err(wrong(issuer, "namespace-prefix", why));
    }
    if issuer.unnamed.is_some() && issuer.names_file.is_none() {
        return Err(wrong(
            issuer,
            "unnamed",
            "says who is not in names-file, and there is none",
        ));
    }
    Ok(())
}

fn algorithms(issuer: &IssuerSettings) -> Result<Vec<Alg>, ConfigError> {
    let Some(names) = &issuer.algorithms else {
        return Ok(Alg::USUAL.to_vec());
    };
    if names.is_empty() {
        return Err(wrong(issuer, "algorithms", "is empty"));
    }
    let parse = |name: &String| {
        let parsed = name.parse::<Alg>();
        parsed.map_err(|why| wrong(issuer, "algorithms", format!("has {name:?}; {why}")))
    };
    names.iter().map(parse).collect()
}

fn check_audience(issuer: &IssuerSettings) -> Result<(), ConfigError> {
    let is_bound = !issuer.audience.is_empty() || !issuer.authorized_parties.is_empty();
    let client = issuer.login.as_ref().map(|login| &login.client_id);
    if client.is_some_and(|client| issuer.audience.contains(client)) {
        let why = "has the client-id of [issuer.login], which is the audience of ID tokens; name the service alone";
        return Err(wrong(issuer, "audience", why));
    }
    if issuer.any_audience && is_bound {
        let why = "does not go with audience or authorized-parties";
        return Err(wrong(issuer, "any-audience", why));
    }
    if !issuer.any_audience && !is_bound {
        let why = "is needed, or authorized-parties; otherwise every service that is sent a token of this issuer \
                   could use it here (any-audience = true allows that)";
        return Err(wrong(issuer, "audience", why));
    }
    // Userinfo tells no audience.
    if issuer.opaque == OpaqueSetting::Userinfo && !issuer.any_audience {
        let why = "can be \"userinfo\" only with any-audience = true: userinfo does not tell for whom a token is";
        return Err(wrong(issuer, "opaque", why));
    }
    Ok(())
}

fn opaque(issuer: &IssuerSettings) -> Result<Opaque, ConfigError> {
    let introspection = issuer.introspection.clone().unwrap_or_default();
    match issuer.opaque {
        OpaqueSetting::Refuse => Ok(Opaque::Refuse),
        OpaqueSetting::Userinfo => Ok(Opaque::Userinfo),
        OpaqueSetting::Introspection => {
            let (Some(client_id), Some(file)) =
                (introspection.client_id, introspection.client_secret_file)
            else {
                let why = "needs client-id and client-secret-file for opaque = \"introspection\"";
                return Err(wrong(issuer, "introspection", why));
            };
            let client_secret = read_secret(&file)
                .map_err(|why| wrong(issuer, "client-secret-file", why.to_string()))?;
            Ok(Opaque::Introspection {
                client_id,
                client_secret,
            })
        }
    }
}

fn login(issuer: &IssuerSettings) -> Result<Option<LoginConfig>, ConfigError> {
    let Some(login) = issuer.login.clone() else {
        return Ok(None);
    };
    let secret = login.web_client_secret_file.as_deref().map(read_secret);
    let secret = secret.transpose();
    let secret = secret.map_err(|why| wrong(issuer, "web-client-secret-file", why.to_string()))?;
    if login.web_client_id.is_none() && secret.is_some() {
        let why = "is the secret of web-client-id, and there is none";
        return Err(wrong(issuer, "web-client-secret-file", why));
    }
    Ok(Some(LoginConfig {
        client_id: login.client_id,
        scopes: login.scopes,
        parameters: login.parameters,
        web: login.web_client_id.map(|id| WebClient { id, secret }),
    }))
}

fn freshness(issuer: &IssuerSettings) -> Result<IssuerFreshness, ConfigError> {
    let introspection = issuer.introspection.clone().unwrap_or_default();
    let fresh = introspection.fresh.map_or(USUAL_FRESH, |given| given.0);
    let stale = introspection.stale.map_or(USUAL_STALE, |given| given.0);
    if stale > MAX_STALE {
        let why = format!("is {}; it can be at most 1d", format_duration(stale));
        return Err(wrong(issuer, "stale", why));
    }
    Ok(IssuerFreshness { fresh, stale })
}

#[cfg(test)]
mod tests;

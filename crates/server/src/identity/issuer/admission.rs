//! Whether a token is meant for this service, and whether its user may use it.

use serde_json::Value;

use super::config::{Audience, Requirement};
use crate::identity::token::{Members, Rejected};

/// Checks that a token is meant for this service.
pub(super) fn check_audience(claims: &Members, wanted: &Audience) -> Result<(), Rejected> {
    let Audience { audiences, parties } = wanted;
    if !audiences.is_empty() {
        let named = texts(claims.get("aud")).ok_or(Rejected::Audience)?;
        let is_meant = named
            .iter()
            .any(|name| audiences.iter().any(|own| own == name));
        if !is_meant {
            return Err(Rejected::Audience);
        }
    }
    if !parties.is_empty() {
        let party = claims.get("azp").or_else(|| claims.get("client_id"));
        let party = party.and_then(Value::as_str).ok_or(Rejected::Audience)?;
        if !parties.iter().any(|own| own == party) {
            return Err(Rejected::Audience);
        }
        // An ID token is for its client (OpenID Connect Core, section 2), and not every issuer marks it otherwise.
        let is_for_client = texts(claims.get("aud")).is_some_and(|named| named.contains(&party));
        if audiences.is_empty() && is_for_client {
            return Err(Rejected::NotAccessToken);
        }
    }
    Ok(())
}

/// Checks that the user has everything that is required. The user is known, so that to sign in again would not help.
pub(super) fn check_requirements(
    claims: &Members,
    required: &[Requirement],
) -> Result<(), Rejected> {
    for Requirement { claim, any } in required {
        let values = claim.find(claims);
        let values = texts(values).unwrap_or_default();
        let holds = any
            .iter()
            .any(|wanted| values.iter().any(|value| is(value, wanted)));
        if !holds {
            let why = format!("{claim} has to be one of: {}", any.join(", "));
            return Err(Rejected::NotAdmitted(why));
        }
    }
    Ok(())
}

/// True if a value is the wanted one. An entitlement may end in the authority that gives it, after a `#` (AARC-G002);
/// where no authority is wanted, any will do.
fn is(value: &str, wanted: &str) -> bool {
    value == wanted
        || (!wanted.contains('#')
            && value
                .split_once('#')
                .is_some_and(|(bare, _)| bare == wanted))
}

/// A string, or an array of strings.
fn texts(value: Option<&Value>) -> Option<Vec<&str>> {
    match value? {
        Value::String(text) => Some(vec![text]),
        Value::Array(texts) => texts.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_token_without_marks_is_not_taken_for_an_access_token_of_its_client() {
        let wanted = Audience {
            audiences: Vec::new(),
            parties: vec!["cli".to_owned()],
        };
        let check = |claims: Value| check_audience(&members(&claims), &wanted);
        for aud in [json!("cli"), json!(["cli", "other"])] {
            let id_token = json!({"azp": "cli", "aud": aud});
            assert_eq!(check(id_token), Err(Rejected::NotAccessToken));
        }
        for access_token in [
            json!({"azp": "cli"}),
            json!({"azp": "cli", "aud": "account"}),
            json!({"client_id": "cli", "aud": []}),
        ] {
            assert_eq!(check(access_token), Ok(()));
        }
    }

    fn members(claims: &Value) -> Members {
        Members::parse(claims.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn one_of_the_audiences_has_to_be_named_exactly() {
        let wanted = Audience {
            audiences: vec!["https://kv.example.org".into(), "kv".into()],
            parties: Vec::new(),
        };
        let check = |claims: Value| check_audience(&members(&claims), &wanted);
        for good in [
            json!({"aud": "https://kv.example.org"}),
            json!({"aud": ["other", "https://kv.example.org"]}),
            json!({"aud": ["kv"]}),
        ] {
            assert_eq!(check(good.clone()), Ok(()), "{good}");
        }
        for bad in [
            json!({}),
            json!({"aud": []}),
            json!({"aud": null}),
            json!({"aud": 7}),
            json!({"aud": ["x"]}),
            json!({"aud": ["kv", 7]}),
            json!({"aud": {"kv": 1}}),
            json!({"aud": "https://kv.example.org/"}),
            json!({"aud": "https://wlcg.cern.ch/jwt/v1/any"}),
        ] {
            assert_eq!(check(bad.clone()), Err(Rejected::Audience), "{bad}");
        }
        let any = Audience {
            audiences: vec!["https://wlcg.cern.ch/jwt/v1/any".into()],
            parties: Vec::new(),
        };
        let wlcg = members(&json!({"aud": "https://wlcg.cern.ch/jwt/v1/any"}));
        assert_eq!(check_audience(&wlcg, &any), Ok(()));
    }

    #[test]
    fn the_party_is_azp_or_without_it_the_client() {
        let parties = vec!["prominence-cli".to_owned()];
        let with = |audiences: &[&str]| Audience {
            audiences: audiences.iter().map(|name| (*name).to_owned()).collect(),
            parties: parties.clone(),
        };
        let check = |claims: Value| check_audience(&members(&claims), &with(&[])).is_ok();
        assert!(check(json!({"azp": "prominence-cli"})));
        assert!(check(json!({"azp": "prominence-cli", "client_id": "x"})));
        assert!(check(json!({"client_id": "prominence-cli"})));
        for bad in [
            json!({"azp": "x", "client_id": "prominence-cli"}),
            json!({"azp": null, "client_id": "prominence-cli"}),
            json!({"azp": ["prominence-cli"]}),
            json!({}),
        ] {
            assert!(!check(bad.clone()), "{bad}");
        }
        let both = members(&json!({"aud": "x", "azp": "prominence-cli"}));
        assert!(check_audience(&both, &with(&["x"])).is_ok());
        assert!(check_audience(&both, &with(&["y"])).is_err());
    }

    #[test]
    fn every_requirement_has_to_hold_with_or_without_the_authority() {
        let group = "urn:geant:example.org:group:physics";
        let requirement = |claim: &str, any: &[&str]| Requirement {
            claim: claim.to_owned().try_into().unwrap(),
            any: any.iter().map(|value| (*value).to_owned()).collect(),
        };
        let check = |required: &[Requirement], claims: Value| {
            check_requirements(&members(&claims), required).is_ok()
        };
        let one = [requirement("entitlement", &[group])];
        for good in [
            json!({"entitlement": group}),
            json!({"entitlement": ["x", group]}),
            json!({"entitlement": [format!("{group}#aai.example.org")]}),
        ] {
            assert!(check(&one, good.clone()), "{good}");
        }
        for bad in [
            json!({}),
            json!({"entitlement": []}),
            json!({"entitlement": 7}),
            json!({"entitlement": format!("{group}:admins")}),
            json!({"entitlement": format!("{group}s#aai.example.org")}),
            json!({"entitlement": "urn:geant"}),
        ] {
            assert!(!check(&one, bad.clone()), "{bad}");
        }
        let with = format!("{group}#a");
        let exact = [requirement("entitlement", &[&with])];
        assert!(check(&exact, json!({"entitlement": with})));
        assert!(!check(&exact, json!({"entitlement": format!("{group}#b")})));
        assert!(!check(&exact, json!({"entitlement": group})));
        let two = [
            requirement("a", &["1", "2"]),
            requirement("/b/c", &["/cms"]),
        ];
        assert!(check(&two, json!({"a": "2", "b": {"c": ["/cms"]}})));
        assert!(!check(&two, json!({"a": "2", "b": {"c": ["/cms/uscms"]}})));
        assert!(!check(&two, json!({"a": "3", "b": {"c": ["/cms"]}})));
    }
}

//! Which settings of issuers are refused, and by which words.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::settings::Settings;

/// An issuer that is accepted.
const CAMPUS: &str = "[[issuer]]\nname = \"campus\"\nissuer = \"https://sso.example.org\"\n\
                      user-claim = \"sub\"\naudience = [\"https://kv.example.org\"]\n";

/// A second one.
const OTHER: &str = "[[issuer]]\nname = \"other\"\nissuer = \"https://other.example.org\"\n\
                     user-claim = \"sub\"\naudience = [\"https://kv.example.org\"]\n";

/// Files that settings name.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn add(&self, name: &str, content: &str, mode: u32) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    }
}

fn resolve(text: &str) -> Result<Vec<IssuerConfig>, String> {
    let files = Files::new();
    let config = files.add("kv.toml", text, 0o600);
    let settings = Settings {
        config: Some(config.into()),
        data_dir: Some(files.0.path().to_owned()),
        ..Settings::default()
    };
    match settings.resolve() {
        Ok(config) => Ok(config.issuers),
        Err(error) => Err(error.to_string()),
    }
}

/// The error for the first issuer with more settings.
fn error_with(more: &str) -> String {
    resolve(&format!("{CAMPUS}{more}\n")).unwrap_err()
}

#[test]
fn every_mistake_is_refused_with_the_setting_and_the_issuer() {
    let files = Files::new();
    let open = files.add("open", "secret", 0o644);
    let no_keys = files.add(
        "jwks",
        "{\"keys\": [{\"kty\": \"oct\", \"k\": \"AA\"}]}",
        0o644,
    );
    let introspection = |file: &str| {
        format!(
            "opaque = \"introspection\"\n[issuer.introspection]\nclient-id = \"kv\"\nclient-secret-file = \"{file}\""
        )
    };
    let long = format!("namespace-prefix = \"{}\"", "x".repeat(65));
    let keys = format!("jwks-file = \"{no_keys}\"");
    let cases: Vec<(&str, String)> = vec![
        ("namespace-prefix", long),
        ("namespace-prefix", "namespace-prefix = \"a\\u0007\"".into()),
        (
            "shares-names-with",
            "shares-names-with = [\"nobody\"]".into(),
        ),
        ("unnamed", "unnamed = \"prefix\"".into()),
        ("any-audience", "any-audience = true".into()),
        ("algorithms", "algorithms = []".into()),
        ("algorithms", "algorithms = [\"HS256\"]".into()),
        ("algorithms", "algorithms = [\"none\"]".into()),
        ("algorithms", "algorithms = [\"RS256\", \"ES512\"]".into()),
        ("jwks-file", keys),
        ("jwks-file", "jwks-file = \"/nonexistent\"".into()),
        ("leeway", "leeway = \"5m1s\"".into()),
        ("opaque", "opaque = \"userinfo\"".into()),
        ("introspection", "opaque = \"introspection\"".into()),
        ("client-secret-file", introspection(&open)),
        ("client-secret-file", introspection("/nonexistent")),
        ("stale", "[issuer.introspection]\nstale = \"25h\"".into()),
        ("login", "[issuer.login]\nclient-id = \"cli\"".into()),
    ];
    for (setting, more) in cases {
        let error = error_with(&more);
        let begins = format!("issuer campus: {setting} ");
        assert!(error.starts_with(&begins), "{more}: {error}");
    }
}

#[test]
fn an_issuer_is_named_by_a_word_and_a_protected_url() {
    let with = |from: &str, to: &str| resolve(&CAMPUS.replace(from, to));
    for name in ["", "Campus", "1campus", "-a", "a b", &"a".repeat(33)] {
        let error = with("\"campus\"", &format!("\"{name}\"")).unwrap_err();
        assert!(error.contains(": name "), "{error}");
    }
    for url in [
        "sso.example.org",
        "http://sso.example.org",
        "http://localhost:1",
        "https://sso.example.org?x",
        "https://sso.example.org/#x",
        "ftp://sso.example.org",
        "https://",
    ] {
        let error = with("https://sso.example.org", url).unwrap_err();
        assert!(
            error.starts_with("issuer campus: issuer "),
            "{url}: {error}"
        );
    }
    for url in [
        "http://127.0.0.1:1",
        "http://[::1]:1/x",
        "https://sso.example.org/realms/a",
    ] {
        assert!(with("https://sso.example.org", url).is_ok(), "{url}");
    }
}

#[test]
fn what_has_no_default_is_demanded_and_what_is_not_known_refused_by_its_line() {
    for (line, word) in [
        ("user-claim = \"sub\"\n", "user-claim"),
        ("name = \"campus\"\n", "name"),
        ("issuer = \"https://sso.example.org\"\n", "issuer"),
    ] {
        let error = resolve(&CAMPUS.replace(line, "")).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
    let error = error_with("audiense = []");
    assert!(
        error.contains("line 6") && error.contains("audiense"),
        "{error}"
    );
    let bare = CAMPUS.replace("audience = [\"https://kv.example.org\"]\n", "");
    let error = resolve(&bare).unwrap_err();
    assert!(error.starts_with("issuer campus: audience "), "{error}");
    for enough in ["any-audience = true", "authorized-parties = [\"cli\"]"] {
        assert!(resolve(&format!("{bare}{enough}\n")).is_ok(), "{enough}");
    }
    // A name may be given to somebody else, and sub may not.
    let named = CAMPUS.replace("\"sub\"", "\"preferred_username\"");
    let is_pinned = |text: &str| resolve(text).unwrap()[0].pin_subject;
    assert!(!is_pinned(CAMPUS) && is_pinned(&named));
    assert!(!is_pinned(&format!("{named}pin-subject = false\n")));
}

/// Fails if two issuers may have opaque tokens.
#[test]
fn issuers_that_could_be_taken_for_each_other_are_refused() {
    let both = |first: &str, second: &str| resolve(&format!("{CAMPUS}{first}\n{OTHER}{second}\n"));
    let prefixes = |first: &str, second: &str| {
        both(
            &format!("namespace-prefix = \"{first}\""),
            &format!("namespace-prefix = \"{second}\""),
        )
    };
    assert!(prefixes("", "egi:").is_ok());
    for (found, setting) in [
        (both("namespace-prefix = \"\"", ""), "namespace-prefix"),
        (prefixes("", ""), "namespace-prefix"),
        (prefixes("egi:", "egi:"), "namespace-prefix"),
        (prefixes("egi:", "egi:x"), "namespace-prefix"),
        (prefixes("egi:x", "egi:"), "namespace-prefix"),
    ] {
        let error = found.unwrap_err();
        assert!(error.contains(&format!(": {setting} ")), "{error}");
    }
    let one_side = "namespace-prefix = \"\"\nshares-names-with = [\"other\"]";
    assert!(both(one_side, "namespace-prefix = \"\"").is_err());
    let other_side = "namespace-prefix = \"\"\nshares-names-with = [\"campus\"]";
    assert!(both(one_side, other_side).is_ok());

    let prefix = "namespace-prefix = \"\"\n";
    let twice = |second: &str| {
        resolve(&format!(
            "{CAMPUS}{prefix}{second}namespace-prefix = \"x:\"\n"
        ))
    };
    let name = OTHER.replace("\"other\"", "\"campus\"");
    assert!(twice(&name).unwrap_err().contains(": name "));
    let url = OTHER.replace("other.example.org", "sso.example.org");
    assert!(
        twice(&url)
            .unwrap_err()
            .starts_with("issuer other: issuer ")
    );
    let opaque = |table: &str| {
        table.replace(
            "audience = [\"https://kv.example.org\"]",
            "any-audience = true\nopaque = \"userinfo\"",
        )
    };
    let (first, second) = (opaque(CAMPUS), opaque(OTHER));
    let error = resolve(&format!(
        "{first}{prefix}{second}namespace-prefix = \"x:\"\n"
    ))
    .unwrap_err();
    assert!(error.starts_with("issuer other: opaque "), "{error}");
}

#[test]
fn an_issuer_can_be_a_file_of_its_own_and_there_are_at_most_sixteen() {
    let files = Files::new();
    let issuer = |number: usize| {
        let text = format!(
            "name = \"i{number}\"\nissuer = \"https://i{number}.example.org\"\nuser-claim = \"sub\"\n\
             any-audience = true\nnamespace-prefix = \"p{number}:\"\n"
        );
        files.add(&format!("{number}.toml"), &text, 0o644)
    };
    let resolve = |number: usize| {
        let settings = Settings {
            issuer_file: Some(
                (0..number)
                    .map(|number| issuer(number + 10).into())
                    .collect(),
            ),
            data_dir: Some(Path::new("/d").into()),
            ..Settings::default()
        };
        settings.resolve()
    };
    assert_eq!(resolve(16).unwrap().issuers.len(), 16);
    let error = resolve(17).unwrap_err().to_string();
    assert!(error.contains("at most 16"), "{error}");
    let broken = files.add("broken.toml", "name = \"a\"\nnmae = \"b\"\n", 0o644);
    let settings = Settings {
        issuer_file: Some(vec![broken.clone().into()]),
        data_dir: Some(Path::new("/d").into()),
        ..Settings::default()
    };
    let error = settings.resolve().unwrap_err().to_string();
    assert!(
        error.contains(&broken) && error.contains("line 2"),
        "{error}"
    );
}

//! Keys as names of files, and back. Every legal key has exactly one name, and no name leads out of
//! the folder that it stands in.
//!
//! Names are those of the key's segments below the prefix, as they are, except that
//!
//! | in a name | stands for |
//! | --- | --- |
//! | `%25` | `%` |
//! | a file `%=` | the value of the key that its folder is named after: `a/%=` is `/a` beside `/a/b` |
//! | a folder `x%-` | a segment of over 255 bytes, which goes on in the next name |
//! | `%+x` at the start | the prefix going on without a `/`: `/inside` below the prefix `/in` |
//!
//! Everything else that begins with `%` can't be a key's, such as [`STAGING`].

use std::fmt;

use prominence_core::key::KeyError;
use prominence_core::{Key, Prefix};

/// The file with the value of the key that its folder is named after.
pub(super) const OWN_VALUE: &str = "%=";

/// The folder in which files are written before they get their names.
pub(super) const STAGING: &str = "%~";

/// Bytes of a name on the usual file systems (`NAME_MAX` of Linux's ext4, XFS and tmpfs, and of
/// macOS).
const MAX_NAME_BYTES: usize = 255;

/// At the end of a folder's name: the segment goes on.
const GOES_ON: &str = "%-";

/// At the start of the first name: no `/` stands between the prefix and what follows.
const NO_SLASH: &str = "%+";

const PERCENT: &str = "%25";

/// The reason why a name stands for no key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NameError {
    /// A `%` that means nothing there.
    Escape,
    /// The name does not stand for a key.
    Key(KeyError),
}

/// The names of folders, and of the file, for a key that begins with the prefix.
pub(super) fn names_of(prefix: &Prefix, key: &Key) -> Vec<String> {
    let rest = key
        .as_str()
        .strip_prefix(prefix.as_str())
        .unwrap_or(key.as_str());
    if rest.is_empty() {
        return vec![OWN_VALUE.to_owned()];
    }
    let (start, path) = match rest.strip_prefix('/') {
        Some(path) => ("", path),
        None if prefix.as_str().ends_with('/') => ("", rest),
        None => (NO_SLASH, rest),
    };
    let mut names = Vec::new();
    let mut start = start.to_owned();
    for segment in path.split('/') {
        let mut name = std::mem::take(&mut start);
        name.push_str(&segment.replace('%', PERCENT));
        cut(&name, &mut names);
    }
    names
}

/// The key that names of folders, and of a file, stand for below a prefix.
pub(super) fn key_of(prefix: &Prefix, names: &[&str]) -> Result<Key, NameError> {
    let mut path = String::from(prefix.as_str());
    let (own, names_of_segments) = match names.split_last() {
        Some((last, folders)) if *last == OWN_VALUE => (true, folders),
        _ => (false, names),
    };
    let mut goes_on = false;
    for (at, name) in names_of_segments.iter().enumerate() {
        let mut name = *name;
        let joined = match name.strip_prefix(NO_SLASH) {
            Some(rest) if at == 0 && !path.ends_with('/') => {
                name = rest;
                true
            }
            _ => goes_on,
        };
        if !joined && !path.ends_with('/') {
            path.push('/');
        }
        goes_on = name.ends_with(GOES_ON);
        let text = name.strip_suffix(GOES_ON).unwrap_or(name);
        if text.replace(PERCENT, "").contains('%') {
            return Err(NameError::Escape);
        }
        path.push_str(&text.replace(PERCENT, "%"));
    }
    let key = Key::parse(&path).map_err(NameError::Key)?;
    // Only the one name that an export writes is taken, so that no two files can mean one key.
    let expected = names_of(prefix, &key);
    let same = |given: &[&str]| given.iter().eq(expected.iter());
    if key.as_str() == path && (same(names) || (own && same(names_of_segments))) {
        Ok(key)
    } else {
        Err(NameError::Escape)
    }
}

/// Cuts a name into pieces that a file system can hold, between characters and escapes.
fn cut(name: &str, names: &mut Vec<String>) {
    let mut rest = name;
    while rest.len() > MAX_NAME_BYTES {
        let mut end = MAX_NAME_BYTES - GOES_ON.len();
        while !rest.is_char_boundary(end) || splits_an_escape(rest, end) {
            end -= 1;
        }
        names.push(format!("{}{GOES_ON}", &rest[..end]));
        rest = &rest[end..];
    }
    names.push(rest.to_owned());
}

/// True if a `%` stands so shortly before this place that its escape isn't over.
fn splits_an_escape(name: &str, end: usize) -> bool {
    let before = &name.as_bytes()[..end];
    before[before.len().saturating_sub(PERCENT.len() - 1)..].contains(&b'%')
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escape => {
                f.write_str("has a % that is not as export writes it (% itself is %25)")
            }
            Self::Key(error) => write!(f, "stands for no key: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn names(prefix: &str, key: &str) -> Vec<String> {
        names_of(&Prefix::parse(prefix).unwrap(), &Key::parse(key).unwrap())
    }

    fn key(prefix: &str, path: &str) -> Result<String, NameError> {
        let names: Vec<_> = path.split('/').collect();
        key_of(&Prefix::parse(prefix).unwrap(), &names).map(|key| key.to_string())
    }

    #[test]
    fn a_key_is_named_by_what_comes_after_the_prefix() {
        assert_eq!(names("/", "/a/b"), ["a", "b"]);
        assert_eq!(names("/in", "/in/x"), ["x"]);
        assert_eq!(names("/in/", "/in/x"), ["x"]);
        assert_eq!(names("/in", "/inside/x"), ["%+side", "x"]);
        assert_eq!(names("/in", "/in"), ["%="]);
        assert_eq!(
            names("/", "/.hidden/100%/%="),
            [".hidden", "100%25", "%25="]
        );
    }

    #[test]
    fn a_segment_of_more_than_255_bytes_goes_on_in_a_folder() {
        let long = "x".repeat(300);
        let expected = [format!("{}%-", &long[..253]), "x".repeat(47)];
        assert_eq!(names("/", &long), expected);
        assert_eq!(names("/", &"y".repeat(255)), ["y".repeat(255)]);
        let escaped = format!("{}%%", "z".repeat(252));
        assert_eq!(names("/", &escaped)[1], "%25%25", "no escape is cut in two");
    }

    #[test]
    fn names_that_no_export_writes_are_refused() {
        for path in [
            "100%", "%zz", "%2", "%", "a%-", "a%-/b", "%~", "%~/x", "a/%+b", "%%=", "%2525%",
        ] {
            assert_eq!(key("/in", path), Err(NameError::Escape), "{path}");
        }
        assert_eq!(key("/in/", "%+side"), Err(NameError::Escape));
        assert_eq!(
            key("/", "a\nb"),
            Err(NameError::Key(KeyError::Control('\n')))
        );
        assert_eq!(
            key("/in/", "%="),
            Err(NameError::Key(KeyError::TrailingSlash))
        );
        assert_eq!(
            key("/", ".."),
            Err(NameError::Key(KeyError::DotSegment("..")))
        );
        let long = ["x".repeat(250).as_str(); 5].join("/");
        assert!(matches!(
            key("/", &long),
            Err(NameError::Key(KeyError::TooLong { .. }))
        ));
    }

    #[test]
    fn a_folders_own_value_is_the_key_of_its_name() {
        assert_eq!(key("/in", "a/%=").as_deref(), Ok("/in/a"));
        assert_eq!(key("/in", "%=").as_deref(), Ok("/in"));
        assert_eq!(key("/copy", "%+side").as_deref(), Ok("/copyside"));
    }

    /// Segments with what is special here, and with anything else that a key may hold.
    fn segment() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("%".to_owned()),
            Just("%25".to_owned()),
            Just("%=".to_owned()),
            Just("%-".to_owned()),
            Just("%+".to_owned()),
            Just("%~".to_owned()),
            Just(".".to_owned()),
            Just("é🦀".to_owned()),
            (0_usize..300).prop_map(|length| "a".repeat(length)),
            "[^/\\p{Cc}]{1,8}",
        ];
        prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
    }

    fn keys() -> impl Strategy<Value = Key> {
        let path = prop::collection::vec(segment(), 1..5).prop_map(|parts| parts.join("/"));
        path.prop_filter_map("no key", |path| Key::parse(&path).ok())
    }

    proptest! {
        #[test]
        fn every_key_comes_back_from_its_name_below_every_prefix(key in keys(), at in any::<usize>()) {
            let text = key.as_str();
            let mut end = 1 + at % text.len();
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            // A prefix such as /. is not valid.
            if let Ok(prefix) = Prefix::parse(&text[..end]) {
                let names = names_of(&prefix, &key);
                for name in &names {
                    prop_assert!(!name.is_empty() && name.len() <= MAX_NAME_BYTES, "{name}");
                    prop_assert!(name != "." && name != ".." && !name.contains(['/', '\0']));
                    prop_assert!(name != STAGING);
                }
                let mut given: Vec<_> = names.iter().map(String::as_str).collect();
                prop_assert_eq!(key_of(&prefix, &given), Ok(key.clone()));
                if given != [OWN_VALUE] {
                    given.push(OWN_VALUE);
                    prop_assert_eq!(key_of(&prefix, &given), Ok(key));
                }
            }
        }

        #[test]
        fn no_two_files_mean_one_key(
            paths in prop::collection::vec(
                prop::collection::vec("(%25|%=|%-|%\\+|%|a|a{253}|é|\\.){1,4}", 1..4), 2..20)
        ) {
            let prefix = Prefix::parse("/in").unwrap();
            let mut seen: HashMap<Key, Vec<String>> = HashMap::new();
            for path in paths {
                let names: Vec<_> = path.iter().map(String::as_str).collect();
                let Ok(key) = key_of(&prefix, &names) else { continue };
                // A path can't be both a file and a folder, so a file and the folder's own value
                // are the same file.
                let mut file = path.clone();
                if file.len() > 1 && file.last().is_some_and(|last| last == OWN_VALUE) {
                    file.pop();
                }
                if let Some(other) = seen.insert(key, file.clone()) {
                    prop_assert_eq!(other, file);
                }
            }
        }
    }
}

//! The members of a JSON object that is a part of a token.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

/// The members of an object. Of two with the same name one reader would take the first and another the last, so it
/// is kept that there were two (RFC 7519, section 4).
#[derive(Clone)]
pub(in crate::identity) struct Members {
    members: Map<String, Value>,
    repeated: Option<String>,
}

/// The reason why a text is not such an object.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::identity) enum NotMembers {
    /// It is not a JSON object.
    Malformed,
    /// This member occurs twice.
    Repeated(String),
}

impl Members {
    /// Reads an object in which no member occurs twice.
    pub(in crate::identity) fn parse(text: &[u8]) -> Result<Self, NotMembers> {
        let read: Self = serde_json::from_slice(text).map_err(|_| NotMembers::Malformed)?;
        match read.repeated {
            None => Ok(read),
            Some(name) => Err(NotMembers::Repeated(name)),
        }
    }

    /// A member, `null` included.
    pub(in crate::identity) fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// The members of an object that was read before.
    pub(in crate::identity) fn of(members: Map<String, Value>) -> Self {
        Self {
            members,
            repeated: None,
        }
    }

    /// The object.
    pub(in crate::identity) fn into_map(self) -> Map<String, Value> {
        self.members
    }

    /// True if there is a member of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;

        impl<'de> Visitor<'de> for OfObject {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                let mut repeated = None;
                while let Some((name, value)) = object.next_entry::<String, Value>()? {
                    if members.contains_key(&name) {
                        repeated.get_or_insert(name);
                    } else {
                        members.insert(name, value);
                    }
                }
                Ok(Members { members, repeated })
            }
        }

        deserializer.deserialize_map(OfObject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_with_a_member_twice_is_refused_by_its_name() {
        let read = |text: &str| Members::parse(text.as_bytes()).err();
        assert_eq!(read("{\"a\": 1, \"b\": {\"c\": 1, \"c\": 2}}"), None);
        assert_eq!(
            read("{\"a\": 1, \"b\": 1, \"\\u0061\": 1}"),
            Some(NotMembers::Repeated("a".into()))
        );
        for odd in ["", "[]", "7", "null", "{\"a\": 1", "{\"a\": 1} x"] {
            assert_eq!(read(odd), Some(NotMembers::Malformed), "{odd}");
        }
    }
}

//! A batch: conditions and operations that are executed all together or not at all.
//!
//! The types accept any well-formed JSON of the right shape. The server checks which fields may be combined, so that
//! its error can name the operation that is wrong.

use serde::{Deserialize, Serialize};

use super::object::{self, Described};

/// The limit on the bytes of a batch. A hundred operations with values of 16 KB in base64 would have twice that, but
/// values of this size are better set alone.
pub const MAX_BATCH_BYTES: usize = 1 << 20;

/// Conditions, and the operations that are executed if all of them hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The conditions.
    #[serde(
        rename = "if",
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "object::list"
    )]
    pub conditions: Vec<BatchCondition>,
    /// The operations, at most 100; no key may be in two of them.
    #[serde(rename = "do", deserialize_with = "object::list")]
    pub operations: Vec<BatchOperation>,
}

/// A condition on a key; exactly one of `absent`, `revision`, `value` and `value_base64`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BatchCondition {
    /// The key.
    pub key: String,
    /// `true`: the key does not exist; `false`: it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<bool>,
    /// The last commit that wrote the key is this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Its value is this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Its value is these bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
}

/// One operation; exactly one of `set`, `delete` and `add`, each the name of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BatchOperation {
    /// Sets this key, to `value` or `value_base64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Deletes this key; no error if it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
    /// Adds `by` to this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<String>,
    /// With `set`: the value, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// With `set`: the value's bytes (RFC 4648, section 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
    /// With `set`: the lifetime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<BatchTtl>,
    /// With `add`: the number to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<i64>,
}

impl Described for Batch {
    const DESCRIPTION: &'static str = "a batch is a JSON object with the field \"do\", and \"if\" where it has \
        conditions, as in {\"do\": [{\"set\": \"/a\", \"value\": \"1\"}]}";
}

impl Described for BatchCondition {
    const DESCRIPTION: &'static str = "a condition is a JSON object with the field \"key\", as in \
        {\"key\": \"/a\", \"absent\": true}";
}

impl Described for BatchOperation {
    const DESCRIPTION: &'static str = "an operation is a JSON object with one of the fields \"set\", \
        \"delete\" and \"add\", as in {\"set\": \"/a\", \"value\": \"1\"}";
}

/// The lifetime of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(
    untagged,
    expecting = "a duration as text (\"90s\", \"15m\", \"12h\", \"7d\", \"job\") or a number of seconds"
)]
pub enum BatchTtl {
    /// `90s`, `15m`, `12h`, `7d`, or `job` for the lifetime of the token.
    Text(String),
    /// Seconds.
    Seconds(u64),
}

/// Answer to a batch that was executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchDone {
    /// The commit's revision; if nothing changed, the latest one of the namespace.
    pub revision: u64,
    /// The result of each operation, in their order.
    pub results: Vec<BatchResult>,
}

/// The result of one operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum BatchResult {
    /// A value was set.
    Set {
        /// The key in canonical form.
        key: String,
        /// True if it did not exist before.
        created: bool,
    },
    /// A number was added to the value.
    Added {
        /// The key in canonical form.
        key: String,
        /// The sum.
        value: i64,
    },
    /// A key was deleted.
    Deleted {
        /// The key in canonical form.
        key: String,
        /// The number of deleted keys: 1 or 0.
        deleted: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Object;

    #[test]
    fn a_batch_is_read_as_the_interface_writes_it() {
        let text = r#"{"if":[{"key":"/lock","revision":7}],
            "do":[{"set":"/a","value":"1","ttl":"1h"},{"delete":"/b"},{"add":"/n","by":-2}]}"#;
        let batch: Batch = serde_json::from_str(text).unwrap();
        assert_eq!(batch.conditions[0].revision, Some(7));
        let ttl = Some(BatchTtl::Text("1h".to_owned()));
        assert_eq!(batch.operations[0].ttl, ttl);
        assert_eq!(batch.operations[2].by, Some(-2));
        let back = serde_json::to_string(&batch).unwrap();
        assert_eq!(serde_json::from_str::<Batch>(&back).unwrap(), batch);
    }

    #[test]
    fn what_no_batch_has_is_refused() {
        for text in [
            r"{}",
            r#"{"do":[],"then":[]}"#,
            r#"{"do":[{"set":"/a","vlaue":"1"}]}"#,
            r#"{"do":[{"set":"/a","set":"/b","value":"1"}]}"#,
            r#"{"do":[{"add":"/a","by":9223372036854775808}]}"#,
            r#"{"do":[{"set":"/a","value":"1","ttl":-1}]}"#,
        ] {
            assert!(serde_json::from_str::<Batch>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_array_of_the_fields_is_no_batch_condition_or_operation() {
        for (text, what) in [
            (r#"[[],[{"set":"/a","value":"1"}]]"#, "a batch is"),
            ("[]", "a batch is"),
            ("7", "a batch is"),
            ("null", "a batch is"),
            (
                r#"{"do":[["/a",null,null,"1",null,null,null]]}"#,
                "an operation is",
            ),
            (
                r#"{"if":[["/a",true,null,null,null]],"do":[]}"#,
                "a condition is",
            ),
        ] {
            let error = serde_json::from_str::<Object<Batch>>(text).unwrap_err();
            let error = error.to_string();
            assert!(error.starts_with(what), "{text}: {error}");
        }
        let text = r#"{"if":[{"key":"/a","absent":true}],"do":[{"delete":"/b"}]}"#;
        let Object(batch) = serde_json::from_str::<Object<Batch>>(text).unwrap();
        assert_eq!(batch.conditions[0].absent, Some(true));
        assert_eq!(batch.operations[0].delete.as_deref(), Some("/b"));
    }

    #[test]
    fn every_result_is_read_back_as_itself() {
        let key = || "/a".to_owned();
        for result in [
            BatchResult::Set {
                key: key(),
                created: true,
            },
            BatchResult::Added {
                key: key(),
                value: -1,
            },
            BatchResult::Deleted {
                key: key(),
                deleted: 0,
            },
        ] {
            let text = serde_json::to_string(&result).unwrap();
            assert_eq!(serde_json::from_str::<BatchResult>(&text).unwrap(), result);
        }
    }
}

//! The key in the path and the conditional headers, as the OpenAPI document describes them.

use prominence_core::limits::MAX_KEY_BYTES;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// `*`, or entity tags in quotes, as one list (RFC 9110, sections 8.8.3 and 13.1).
const TAGS: &str = "^(\\*|(W/)?\"[!#-~]*\"([ \\t]*,[ \\t]*(W/)?\"[!#-~]*\")*)$";

/// A date in the form that is sent today (RFC 9110, section 5.6.7).
const DATE: &str = "^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] \
    (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [12][0-9]{3} [0-2][0-9]:[0-5][0-9]:[0-5][0-9] GMT$";

/// The key in the path.
pub(crate) struct KeyInPath;

impl IntoParams for KeyInPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let key = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX_KEY_BYTES))
            .pattern(Some("^[^\\u0000-\\u001f\\u007f]+$"));
        let key = ParameterBuilder::new()
            .name("key")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(
                "The key, or the prefix if a parameter asks for one; may contain `/`.",
            ))
            .schema(Some(key));
        vec![key.build()]
    }
}

fn header(name: &str, pattern: &str, example: &str, about: &str) -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .examples([Value::from(example)]);
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about));
    parameter.schema(Some(schema)).build()
}

/// An `ETag`, as an example.
const TAG: &str = "\"7\"";

/// A date in `Last-Modified`, as an example.
const MODIFIED: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

pub(super) fn read_headers() -> Vec<Parameter> {
    let key_only = "Only if a key is read.";
    vec![
        header(
            "If-None-Match",
            TAGS,
            TAG,
            &format!("Your `ETag`: 304 while it is current. {key_only}"),
        ),
        header(
            "If-Match",
            TAGS,
            TAG,
            &format!("The `ETag` that you want: 412 otherwise. {key_only}"),
        ),
        header(
            "If-Modified-Since",
            DATE,
            MODIFIED,
            &format!("304 if `Last-Modified` is not later. Not with `wait`. {key_only}"),
        ),
        header(
            "If-Unmodified-Since",
            DATE,
            MODIFIED,
            &format!("412 if `Last-Modified` is later. {key_only}"),
        ),
        last_event(),
    ]
}

pub(super) fn write_headers() -> Vec<Parameter> {
    vec![
        header(
            "If-Match",
            TAGS,
            TAG,
            "Only if the key has one of these `ETag`s, or with `*` exists: 412 otherwise.",
        ),
        header(
            "If-None-Match",
            "^\\*$",
            "*",
            "`*`: only if the key does not exist; 412 otherwise.",
        ),
    ]
}

pub(super) fn set_headers() -> Vec<Parameter> {
    let mut headers = write_headers();
    headers.push(header(
        "Prominence-Write-Id",
        "^[!-~]{1,64}$",
        "0123456789abcdef0123456789abcdef",
        "The id of this one set; only with a condition. If the key's current value was set with the same id, \
         the answer is that of the set that stored it, so the request can be repeated.",
    ));
    headers
}

pub(super) fn last_event() -> Parameter {
    header(
        "Last-Event-ID",
        "^[0-9]+(\\.[0-9]+)?$",
        "7",
        "With `watch`: the id of the last event that you have seen.",
    )
}

//! The answers that are errors, by request, and the headers of a value.

pub(super) mod answers;

use std::collections::BTreeMap;

use prominence_api::ErrorBody;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{KnownFormat, SchemaFormat};
use utoipa::openapi::{Content, Header, ObjectBuilder, Ref, RefOr, Response, Type};
use utoipa::{IntoResponses, ToSchema};

/// Statuses of every request: its head can't be taken, or the server fails.
const ANY: [u16; 5] = [400, 414, 431, 500, 503];

/// Statuses of every request that needs a token.
const WITH_TOKEN: [u16; 3] = [401, 403, 429];

/// Names of groups of errors.
pub(crate) struct OfRead;
pub(crate) struct OfNamespaceRead;
pub(crate) struct OfSet;
pub(crate) struct OfPost;
pub(crate) struct OfBatch;
pub(crate) struct OfDeletion;
pub(crate) struct OfNamespaceDeletion;
pub(crate) struct OfAccount;
pub(crate) struct OfLogin;
pub(crate) struct OfMakingToken;
pub(crate) struct OfRevocation;
pub(crate) struct OfService;

macro_rules! group {
    ($name:ident: $($statuses:expr),+) => {
        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let mut all = BTreeMap::new();
                $(all.extend($statuses.into_iter().map(error));)+
                all
            }
        }
    };
}

group!(OfRead: ANY, WITH_TOKEN, [404, 410, 412]);
group!(OfNamespaceRead: ANY, WITH_TOKEN, [410]);
group!(OfSet: ANY, WITH_TOKEN, [408, 412, 413, 507]);
group!(OfPost: ANY, WITH_TOKEN, [408, 409, 412, 413, 507]);
group!(OfBatch: ANY, WITH_TOKEN, [408, 409, 412, 413, 507]);
group!(OfDeletion: ANY, WITH_TOKEN, [412]);
group!(OfNamespaceDeletion: ANY, WITH_TOKEN);
group!(OfAccount: ANY, WITH_TOKEN);
group!(OfLogin: ANY, [404, 408, 413, 429]);
group!(OfMakingToken: ANY, WITH_TOKEN, [404, 408, 413, 507]);
group!(OfRevocation: ANY, WITH_TOKEN, [408, 413, 507]);
group!(OfService: ANY);

/// One status, with the body of every error and the headers that go with it.
fn error(status: u16) -> (String, RefOr<Response>) {
    let (about, header) = match status {
        400 => (
            "the head, the key, a parameter, a header or the body is not well-formed; nothing was changed",
            None,
        ),
        401 => (
            "no token, or one that is not accepted",
            Some("WWW-Authenticate"),
        ),
        403 => (
            "the token's scopes do not cover this key or action, or its user may not use this service",
            Some("WWW-Authenticate"),
        ),
        404 => (
            "the key does not exist, or the service does not offer this",
            None,
        ),
        408 => ("the body did not arrive in time; nothing was changed", None),
        409 => (
            "the value is not a decimal integer, or the sum is out of range; nothing was changed",
            None,
        ),
        410 => (
            "changes after `since` are no longer kept",
            Some("Prominence-Oldest-Revision"),
        ),
        412 => ("a condition did not hold; nothing was changed", None),
        413 => ("the body is over the limit; nothing was changed", None),
        414 => ("the address is over the limit", None),
        429 => (
            "too many requests, or too many that wait or watch",
            Some("Retry-After"),
        ),
        431 => ("the request line and headers are over the limits", None),
        500 => ("stored data is damaged, or the server has a bug", None),
        503 => (
            "the storage engine can't answer now, or the server stops",
            Some("Retry-After"),
        ),
        _ => ("the namespace is full; nothing was changed", None),
    };
    let mut response = ResponseBuilder::new().description(about).content(
        prominence_api::name::JSON,
        Content::new(Some(Ref::from_schema_name(ErrorBody::name()))),
    );
    if let Some(header) = header {
        response = response.header(header, text_header(None));
    }
    (status.to_string(), response.build().into())
}

/// The headers of an answer that is a value.
pub(crate) fn of_value() -> impl Iterator<Item = (String, RefOr<Header>)> {
    let texts = [
        ("ETag", "the revision in quotes; of a value"),
        (
            "Last-Modified",
            "when the value was set, and never later than Date; of a value",
        ),
        (
            "Prominence-Modified",
            "when the value was set, to the millisecond (RFC 3339)",
        ),
        (
            "Prominence-Created",
            "when the key came into being (RFC 3339); of a value",
        ),
        ("Prominence-Expires", "when the key will be gone (RFC 3339)"),
        ("Prominence-Job", "the job that wrote it"),
        (
            "Prominence-Claimed-Until",
            "until when a worker holds it (RFC 3339)",
        ),
        (
            "Prominence-Claimed-By",
            "the job that holds it, where its token named one",
        ),
    ];
    let claims = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .minimum(Some(0));
    let claims = HeaderBuilder::new()
        .schema(Some(claims))
        .description(Some(
            "how many times it was claimed since the value was set; absent for 0",
        ))
        .build();
    let texts = texts.map(|(name, about)| (name, text_header(Some(about))));
    texts
        .into_iter()
        .chain([("Prominence-Claims", claims)])
        .map(|(name, header)| (name.to_owned(), header.into()))
}

/// A header that holds text.
pub(crate) fn text_header(about: Option<&str>) -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new()
        .schema(Some(text))
        .description(about)
        .build()
}

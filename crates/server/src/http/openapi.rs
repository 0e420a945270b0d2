//! The interface as an OpenAPI 3.1 document, made from the handlers, the parameters and the bodies.

use prominence_api::{ErrorBody, name};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, Required};
use utoipa::{Modify, OpenApi};

use crate::handler::account::{login, token};
use crate::handler::page::sign_in;
use crate::handler::{batch, delete, kv, responses, service, write};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "PROMINENCE key-value store",
        description = "A small shared memory for jobs: keys like paths, values of any bytes.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        kv::get_namespace,
        kv::get_key,
        batch::post_namespace,
        write::post,
        write::put,
        delete::delete_key,
        delete::delete_namespace,
        service::about,
        service::whoami,
        sign_in::once,
        login::metadata,
        login::exchange,
        token::list,
        token::make,
        token::revoke::revoke,
        service::healthz,
        service::metrics,
        service::readyz,
    ),
    tags(
        (name = "kv", description = "Keys and values"),
        (name = "account", description = "The caller"),
        (name = "health", description = "The service"),
    ),
    components(schemas(ErrorBody)),
    modifiers(&BearerToken, &Alternatives, &Values, &HeadRequests, &RequestIds, &OptionalBodies),
)]
struct Document;

/// The document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The authentication of a caller.
struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The forms of an untagged body may overlap, so a body can have several of them.
struct Alternatives;

impl Modify for Alternatives {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for schema in components.schemas.values_mut() {
            if let RefOr::T(Schema::OneOf(forms)) = schema {
                let mut any = AnyOfBuilder::new().description(forms.description.take());
                for form in std::mem::take(&mut forms.items) {
                    any = any.item(form);
                }
                *schema = any.into();
            }
        }
    }
}

/// Every answer that may be a value has a value's headers. Comes before `HEAD`, whose answers lose the
/// content by which they are known.
struct Values;

impl Modify for Values {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let items = document.paths.paths.values_mut();
        for operation in items.flat_map(operations) {
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response
                    && response.content.contains_key(name::BINARY)
                {
                    response.headers.extend(responses::of_value());
                }
            }
        }
    }
}

/// Every `GET` is a `HEAD` too, whose answer has no body.
struct HeadRequests;

impl Modify for HeadRequests {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for item in document.paths.paths.values_mut() {
            let Some(mut head) = item.get.clone() else {
                continue;
            };
            head.operation_id = head.operation_id.map(|id| format!("head_{id}"));
            for response in head.responses.responses.values_mut() {
                if let RefOr::T(response) = response {
                    response.content.clear();
                }
            }
            item.head = Some(head);
        }
    }
}

/// Every answer names its request.
struct RequestIds;

impl Modify for RequestIds {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let items = document.paths.paths.values_mut();
        for operation in items.flat_map(operations) {
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response {
                    let id = responses::text_header(Some("names the request in the server's log"));
                    response
                        .headers
                        .insert("X-Request-Id".to_owned(), id.into());
                }
            }
        }
    }
}

/// A value may be empty, and a claim has no body; a token is made without one as well.
struct OptionalBodies;

impl Modify for OptionalBodies {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let items = document.paths.paths.values_mut();
        for operation in items.flat_map(operations) {
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                body.required = Some(Required::False);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        head,
        post,
        put,
        delete,
        ..
    } = item;
    [get, head, post, put, delete].into_iter().flatten()
}

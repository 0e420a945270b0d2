//! The interface as an OpenAPI 3.1 document, from the handlers and bodies themselves.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::handler::{batch, delete, kv, service, write};

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
        service::whoami,
        service::healthz,
        service::metrics,
        service::readyz,
    ),
    tags(
        (name = "kv", description = "Keys and values"),
        (name = "account", description = "The caller"),
        (name = "health", description = "The service"),
    ),
    modifiers(&BearerToken),
)]
struct Document;

/// The document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Says how a caller authenticates.
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

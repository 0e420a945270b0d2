//! HTTP requests on their way to a handler: the fast path, the router, the steps around every request, and the
//! OpenAPI document.

pub(crate) mod exchange;
pub(crate) mod fast_path;
mod framing;
mod middleware;
pub(crate) mod openapi;
pub(crate) mod router;

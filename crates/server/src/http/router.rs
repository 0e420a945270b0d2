//! Every route on one screen.

use axum::Router;
use axum::routing::get;
use utoipa_swagger_ui::SwaggerUi;

use super::{middleware, openapi};
use crate::app::App;
use crate::handler::{batch, delete, kv, service, write};

/// All routes, without the steps around every request.
pub(crate) fn router(app: App) -> Router {
    let namespace = get(kv::get_namespace)
        .post(batch::post_namespace)
        .delete(delete::delete_namespace);
    let key = get(kv::get_key)
        .post(write::post)
        .put(write::put)
        .delete(delete::delete_key);

    let private = Router::new()
        .route("/prominence/v1/kv", namespace.clone())
        .route("/prominence/v1/kv/", namespace)
        .route("/prominence/v1/kv/{*key}", key)
        .route("/prominence/v1/whoami", get(service::whoami))
        .route("/metrics", get(service::metrics));

    let public = Router::new()
        .route("/", get(service::index))
        .route("/healthz", get(service::healthz))
        .route("/readyz", get(service::readyz))
        .merge(SwaggerUi::new("/docs").url("/openapi.json", openapi::document()));

    Router::new()
        .merge(private)
        .merge(public)
        .fallback(middleware::not_found)
        .method_not_allowed_fallback(middleware::method_not_allowed)
        .with_state(app)
}

/// The routes of the listener for programs that watch over the server, which needs no token.
pub(crate) fn monitoring(app: App) -> Router {
    Router::new()
        .route("/healthz", get(service::healthz))
        .route("/metrics", get(service::metrics_for_monitors))
        .route("/readyz", get(service::readyz))
        .fallback(middleware::not_found)
        .method_not_allowed_fallback(middleware::method_not_allowed)
        .with_state(app)
}

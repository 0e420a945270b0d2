//! Every route on one screen.

use axum::Router;
use axum::middleware::map_response;
use axum::routing::{get, post};
use prominence_api::name;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{middleware, openapi};
use crate::app::App;
use crate::handler::account::{login, token};
#[cfg(feature = "web")]
use crate::handler::page::files;
use crate::handler::page::{confine, sign_in};
use crate::handler::{batch, delete, kv, service, write};

/// The web page of a server: served, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// It is at `/`, if this program was built with it.
    Served,
    /// A few lines are at `/`.
    LeftOut,
}

/// All routes, without the steps around every request.
pub(crate) fn router(app: App, page: Page) -> Router {
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
        .route("/prominence/v1/login/code", post(login::exchange))
        .route("/prominence/v1/token", get(token::list).post(token::make))
        .route("/prominence/v1/token/revoke", post(token::revoke::revoke))
        .route("/metrics", get(service::metrics));

    let public = Router::new()
        .route("/prominence/v1/about", get(service::about))
        .route("/prominence/v1/login/once", post(sign_in::once))
        .route("/healthz", get(service::healthz))
        .route("/readyz", get(service::readyz))
        .route(name::LOGIN_METADATA, get(login::metadata));

    Router::new()
        .merge(private)
        .merge(public)
        .merge(documents(page))
        .merge(viewer())
        .fallback(middleware::not_found)
        .method_not_allowed_fallback(middleware::method_not_allowed)
        .with_state(app)
}

/// The document at the bare address, and its files.
fn documents(page: Page) -> Router<App> {
    let documents = match page {
        Page::Served => page_files(),
        Page::LeftOut => index_alone(),
    };
    documents.layer(map_response(confine::page))
}

#[cfg(feature = "web")]
fn page_files() -> Router<App> {
    Router::new()
        .route("/", get(files::document))
        .route("/web/{*name}", get(files::file))
}

#[cfg(not(feature = "web"))]
fn page_files() -> Router<App> {
    index_alone()
}

fn index_alone() -> Router<App> {
    Router::new().route("/", get(service::index))
}

/// The viewer of the OpenAPI document. It asks for the document by a relative address, which holds below any path that
/// a proxy puts in front.
fn viewer() -> Router<App> {
    let viewer = SwaggerUi::new("/docs")
        .url("/openapi.json", openapi::document())
        .config(Config::new(["../openapi.json"]));
    Router::from(viewer).layer(map_response(confine::viewer))
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

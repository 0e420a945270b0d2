//! What the service says of itself, and of the caller.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse};
use prominence_api::WhoAmI;
use prominence_api::time::rfc3339;

use crate::app::App;
use crate::auth::Caller;
use crate::conditional;
use crate::failure::Failure;
use crate::openapi::responses;
use crate::query::Query;
use crate::target::Target;

/// Where a browser that was given the bare address lands.
pub(crate) async fn index() -> impl IntoResponse {
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    (
        [(header::CONTENT_SECURITY_POLICY, policy)],
        Html(include_str!("service.html")),
    )
}

/// What is counted, in the text format of Prometheus. Nothing of it tells one user from another.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses(
        (status = 200, description = "counters in the text format of Prometheus", body = String),
        responses::OfService,
    ))]
pub(crate) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    let text = app.telemetry.render(&app.places, &*app.clock);
    ([(header::CONTENT_TYPE, media_type)], text)
}

/// Says that the process runs.
#[utoipa::path(get, path = "/healthz", tag = "health",
    responses((status = 200, description = "the process runs", body = String), responses::OfService))]
pub(crate) async fn healthz() -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], "ok\n")
}

/// Says whether the storage engine answers.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, description = "requests can be answered", body = String), responses::OfService))]
pub(crate) async fn readyz(State(app): State<App>) -> Result<impl IntoResponse, Failure> {
    app.gate.ready().await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], "ready\n"))
}

/// Says who the token is.
#[utoipa::path(get, path = "/prominence/v1/whoami", tag = "account",
    responses(
        (status = 200, description = "what the token says", body = WhoAmI),
        responses::OfAccount,
    ),
    security(("token" = [])))]
pub(crate) async fn whoami(
    Caller(who): Caller,
    target: Target,
    headers: HeaderMap,
) -> Result<Json<WhoAmI>, Failure> {
    Query::parse(target.query())?.finish("/whoami")?;
    conditional::refuse_all(
        &headers,
        "does not go with /whoami, whose answer has no ETag",
    )?;
    Ok(Json(WhoAmI {
        user: who.user.to_string(),
        job: who.job.as_ref().map(ToString::to_string),
        scopes: who.scopes.words(),
        expires: rfc3339(who.expires),
        issuer: who.issuer.clone(),
    }))
}

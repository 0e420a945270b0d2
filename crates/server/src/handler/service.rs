//! The service itself and the caller: what is at `/` without the web page, `about`, health, metrics, `whoami`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{Html, IntoResponse};
use prominence_api::time::rfc3339;
use prominence_api::{About, AboutLimits, SignIn, WhoAmI};

use super::call::Call;
use super::responses;
use crate::app::App;
use crate::failure::Failure;
use crate::identity::token::hexadecimal;
use crate::request::conditional;
use crate::request::kinds::{AboutServer, Account};

/// The document at the bare address of a server without the web page.
pub(crate) async fn index() -> Html<&'static str> {
    Html(include_str!("service.html"))
}

/// Describes the server to a client without a token.
#[utoipa::path(get, path = "/prominence/v1/about", tag = "account",
    responses(
        (status = 200, description = "the version, the ways to sign in, and limits", body = About),
        responses::OfService,
    ))]
pub(crate) async fn about(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<About>, Failure> {
    let AboutServer::DescribeServer(_) = AboutServer::parse(uri.query().unwrap_or_default())?;
    conditional::refuse_all(
        &headers,
        "does not go with /about, whose answer has no ETag",
    )?;
    let mut sign_in = vec![SignIn::Token];
    if let Some(login) = app.login.load_full() {
        let issuers = Arc::clone(app.verifier.load().issuers());
        let logins = issuers.page_logins(login.page()).await;
        sign_in.extend(logins.into_iter().map(SignIn::Oidc));
    }
    Ok(Json(About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sign_in,
        limits: AboutLimits {
            value_bytes: app.bounds().value_bytes as u64,
        },
    }))
}

/// The metrics, in the text format of Prometheus. They name no user and no key, but tell when somebody writes, so
/// a stranger does not see them.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses(
        (status = 200, description = "counters in the text format of Prometheus", body = String),
        responses::OfAccount,
    ),
    security(("token" = [])))]
pub(crate) async fn metrics(call: Call) -> Result<impl IntoResponse, Failure> {
    conditional::refuse_all(
        &call.headers,
        "does not go with /metrics, whose answer has no ETag",
    )?;
    Ok(render_metrics(&call.app))
}

/// The same on the listener for monitoring.
pub(crate) async fn metrics_for_monitors(State(app): State<App>) -> impl IntoResponse {
    render_metrics(&app)
}

fn render_metrics(app: &App) -> impl IntoResponse + use<> {
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    let text = app.metrics.render(
        &app.long_polls,
        &app.memory,
        app.verifier.load().issuers(),
        app.records.revocations(),
        &*app.clock,
    );
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

/// Describes the caller, by its token.
#[utoipa::path(get, path = "/prominence/v1/whoami", tag = "account",
    responses(
        (status = 200, description = "what the token says", body = WhoAmI),
        responses::OfAccount,
    ),
    security(("token" = [])))]
pub(crate) async fn whoami(call: Call) -> Result<Json<WhoAmI>, Failure> {
    let Account::DescribeCaller(_) = Account::parse(call.target.query())?;
    conditional::refuse_all(
        &call.headers,
        "does not go with /whoami, whose answer has no ETag",
    )?;
    let who = &call.who;
    Ok(Json(WhoAmI {
        user: who.user.to_string(),
        job: who.job.as_ref().map(ToString::to_string),
        scopes: who.scopes.words(),
        expires: rfc3339(who.expires),
        issued: who.issued.map(rfc3339),
        issuer: who.issuer.clone(),
        id: Some(hexadecimal(&who.id)),
    }))
}

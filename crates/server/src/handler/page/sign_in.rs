//! Signing in at the page with the code that a trial server has printed.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Uri};
use prominence_api::{ErrorCode, OneTimeCode, SignedIn};

use crate::app::App;
use crate::failure::Failure;
use crate::handler::responses;
use crate::request::body::{self, BodyLimits};
use crate::request::kinds::LoginOnce;
use crate::wait::connection::Standing;

/// Bytes of the body: a code has 43.
const MAX_BYTES: usize = 1024;

/// Exchanges a code for the token of a trial. It works once, for a minute, and for clients on this machine.
#[utoipa::path(post, path = "/prominence/v1/login/once", tag = "account",
    request_body(content = OneTimeCode, content_type = "application/json"),
    responses(
        (status = 200, description = "the token", body = SignedIn),
        responses::OfLogin,
    ))]
pub(crate) async fn once(
    State(app): State<App>,
    Extension(standing): Extension<Arc<Standing>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SignedIn>, Failure> {
    let LoginOnce::RedeemCode(_) = LoginOnce::parse(uri.query().unwrap_or_default())?;
    let limits = BodyLimits {
        bytes: MAX_BYTES,
        within: app.bounds().body_within,
    };
    let bytes = body::read(&headers, body, limits, "body").await?;
    let OneTimeCode { code } = body::object(&bytes)?;
    let is_here = standing.client(&headers).to_canonical().is_loopback();
    let token = is_here.then(|| app.one_time.redeem(&code, app.clock.now()));
    let Some(access_token) = token.flatten() else {
        let message = "this sign-in was used already, or its minute is over; paste a token instead";
        return Err(Failure::new(ErrorCode::NotFound, message));
    };
    Ok(Json(SignedIn { access_token }))
}

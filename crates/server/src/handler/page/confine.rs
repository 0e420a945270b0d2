//! The headers that confine the web page and the viewer of the OpenAPI document.
//!
//! The page holds a token, so nothing but its own files may run in it, and it may talk to no other origin. The viewer
//! shares this origin.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

/// Scripts, styles and requests from this origin alone; images of values, which the page makes itself; no inline
/// code, no frames, and no text that becomes code, except the address of the worker that holds the watch.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
    connect-src 'self'; worker-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types live";

/// The viewer of the OpenAPI document is a library of others, with styles in its elements and images in its styles,
/// and makes elements of text. Its page holds no token unless one is typed into it.
const VIEWER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Everything that a document can be allowed and this one does not use.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), clipboard-write=(self), \
    display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), \
    identity-credentials-get=(), idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), \
    payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), \
    xr-spatial-tracking=()";

/// Adds the headers that confine the page.
pub(crate) async fn page(answer: Response) -> Response {
    with_policy(answer, POLICY)
}

/// Adds the headers that confine the viewer of the OpenAPI document.
pub(crate) async fn viewer(answer: Response) -> Response {
    with_policy(answer, VIEWER_POLICY)
}

fn with_policy(mut answer: Response, policy: &'static str) -> Response {
    let strict: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    ];
    for (name, value) in strict {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}

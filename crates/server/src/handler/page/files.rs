//! The web page: its files, as they are in `crates/server/web`. It uses the public interface alone.

use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use prominence_api::ErrorCode;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::failure::Failure;

/// The files; a debug build reads them from the disk, so that a reload shows an edit.
#[derive(RustEmbed)]
#[folder = "web"]
struct Files;

/// The path of the files.
const FOLDER: &str = "/web/";

/// The document at the bare address.
const DOCUMENT: &str = "index.html";

/// The files that there can be, by the ends of their names.
const MEDIA_TYPES: [(&str, &str); 4] = [
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

/// The document.
pub(crate) async fn document(headers: HeaderMap) -> Result<Response, Failure> {
    answer(DOCUMENT, &headers)
}

/// A file that the document names. No name of a file has a character that is percent-encoded.
pub(crate) async fn file(uri: Uri, headers: HeaderMap) -> Result<Response, Failure> {
    let name = uri.path().strip_prefix(FOLDER).unwrap_or_default();
    answer(name, &headers)
}

fn answer(name: &str, headers: &HeaderMap) -> Result<Response, Failure> {
    let found = media_type(name).zip(Files::get(name));
    let Some((media_type, file)) = found else {
        return Err(Failure::new(
            ErrorCode::NotFound,
            format!("the page has no file {name}"),
        ));
    };
    let tag = entity_tag(&file);
    let mut answer = match is_current(headers, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, media_type)], file.data).into_response(),
    };
    let sent = answer.headers_mut();
    sent.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        sent.insert(header::ETAG, tag);
    }
    Ok(answer)
}

fn media_type(name: &str) -> Option<&'static str> {
    let (_, end) = name.rsplit_once('.')?;
    let known = MEDIA_TYPES.iter().find(|(known, _)| *known == end);
    known.map(|(_, media_type)| *media_type)
}

/// The tag of the content: the first half of its digest.
fn entity_tag(file: &EmbeddedFile) -> String {
    let digest = file.metadata.sha256_hash();
    let digits: String = digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("\"{digits}\"")
}

/// True if the client has this content already. Proxies that compress make tags weak.
fn is_current(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = given
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    tags.any(|given| {
        let given = given.trim();
        given == "*" || given.trim_start_matches("W/") == tag
    })
}

//! The web page: its files, as they are in `crates/server/web`. It uses the public interface alone.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use prominence_api::ErrorCode;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::failure::Failure;
use crate::handler::compression::{self, Coding};

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

/// The files in the codings in which they were asked for, by the digest of their content: each is compressed once.
static COMPRESSED: LazyLock<Mutex<HashMap<(String, Coding), Bytes>>> =
    LazyLock::new(Mutex::default);

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
    let digest = digest(&file);
    let coding = Coding::accepted(headers);
    let (content, coding) = content(file, &digest, coding)?;
    let mut answer = match is_current(headers, &digest) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, media_type)], content).into_response(),
    };
    let sent = answer.headers_mut();
    sent.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    sent.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    // Two codings are two representations, each with a strong tag.
    let mut tag = format!("\"{digest}\"");
    if let Some(coding) = coding {
        sent.insert(header::CONTENT_ENCODING, coding.header());
        tag = format!("\"{digest}-{}\"", coding.name());
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        sent.insert(header::ETAG, tag);
    }
    Ok(answer)
}

/// The content in a coding, or as it is where the coding saves nothing.
fn content(
    file: EmbeddedFile,
    digest: &str,
    coding: Option<Coding>,
) -> Result<(Bytes, Option<Coding>), Failure> {
    let plain = match file.data {
        Cow::Borrowed(embedded) => Bytes::from_static(embedded),
        Cow::Owned(read) => Bytes::from(read),
    };
    let Some(coding) = coding else {
        return Ok((plain, None));
    };
    let mut known = COMPRESSED.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (digest.to_owned(), coding);
    if let Some(content) = known.get(&key) {
        return Ok((content.clone(), Some(coding)));
    }
    let (content, coding) =
        compression::whole(Some(coding), plain).map_err(|_| Failure::surprised())?;
    if coding.is_some() {
        known.insert(key, content.clone());
    }
    Ok((content, coding))
}

fn media_type(name: &str) -> Option<&'static str> {
    let (_, end) = name.rsplit_once('.')?;
    let known = MEDIA_TYPES.iter().find(|(known, _)| *known == end);
    known.map(|(_, media_type)| *media_type)
}

/// The name of the content in its tags: the first half of its digest.
fn digest(file: &EmbeddedFile) -> String {
    let digest = file.metadata.sha256_hash();
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// True if the client has this content already, in any coding. Proxies that compress make tags weak.
fn is_current(headers: &HeaderMap, digest: &str) -> bool {
    let given = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = given
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    tags.any(|given| {
        let given = given.trim();
        let opaque = given.trim_start_matches("W/").trim_matches('"');
        given == "*" || opaque.split('-').next() == Some(digest)
    })
}

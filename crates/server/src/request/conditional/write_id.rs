//! The id by which a conditional set that is sent again is recognized.

use axum::http::{HeaderMap, HeaderName};
use prominence_api::name;
use prominence_core::WriteId;
use prominence_core::limits::MAX_WRITE_ID_BYTES;

use crate::failure::Failure;

/// Parsed once, and not for every set.
const WRITE_ID: HeaderName = HeaderName::from_static(name::WRITE_ID);

/// Reads the id of a set.
pub(crate) fn write_id(headers: &HeaderMap) -> Result<Option<WriteId>, Failure> {
    let mut values = headers.get_all(WRITE_ID).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Failure::bad_request(
            "the header Prominence-Write-Id is repeated; send one id",
        ));
    }
    match WriteId::parse(first.as_bytes()) {
        Ok(id) => Ok(Some(id)),
        Err(why) => Err(Failure::bad_request(format!(
            "the header Prominence-Write-Id is not valid: {why}; send 1 to {MAX_WRITE_ID_BYTES} \
             visible ASCII characters, such as 32 random hexadecimal digits"
        ))),
    }
}

/// Refuses a write id in a request that does not use it.
pub(crate) fn no_write_id(headers: &HeaderMap, what: &str) -> Result<(), Failure> {
    if !headers.contains_key(WRITE_ID) {
        return Ok(());
    }
    Err(Failure::bad_request(format!(
        "the header Prominence-Write-Id does not go with {what}; it goes with a value that is set \
         under a condition: If-Match, If-None-Match or ?prev"
    )))
}

//! A key that differs from one that does not exist only in zeros before its number: `/in/007` and `/in/7`.

use prominence_api::Listed;
use prominence_client::{Client, Levels, ListOptions, Show};
use prominence_core::{Key, Prefix};

/// The key with the same number that there is. Looks for the number without zeros, and with as many digits
/// as other keys in the folder have; asks the server three times at most. An error is no near miss: the key
/// that was asked for is what counts.
pub(super) fn find(client: &Client, key: &Key) -> Option<Key> {
    let (folder, name) = key.as_str().rsplit_once('/')?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = match name.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let exists = |name: &str| {
        let key = Key::parse(&format!("{folder}/{name}")).ok()?;
        client.head(&key).ok()?.map(|_| key)
    };
    if digits != name
        && let Some(found) = exists(digits)
    {
        return Some(found);
    }
    let width = padded_width(client, folder)?;
    let padded = format!("{digits:0>width$}");
    if padded == name {
        None
    } else {
        exists(&padded)
    }
}

/// The digits of the first number in a folder that begins with a zero.
fn padded_width(client: &Client, folder: &str) -> Option<usize> {
    let options = ListOptions {
        levels: Levels::One,
        show: Show::Names,
        limit: Some(1),
        ..ListOptions::default()
    };
    let prefix = Prefix::parse(&format!("{folder}/0")).ok()?;
    let Some(Ok(Listed::Name(first))) = client.list(&prefix, options).next() else {
        return None;
    };
    let (_, name) = first.rsplit_once('/')?;
    let is_number = name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(name.len())
}

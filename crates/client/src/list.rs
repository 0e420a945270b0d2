//! Listing keys, page by page.
//!
//! Each page is one complete JSON array, so that an answer that broke off can't be mistaken for a
//! shorter listing, and one page is all that is ever held in memory.

use std::fmt::Write as _;
use std::vec;

use prominence_api::name::parameter;
use prominence_api::{Counted, Listed, path};
use prominence_core::Prefix;
use prominence_core::limits::MAX_PAGE_KEYS;
use ureq::http::header;

use crate::error::{Error, Fate};
use crate::reply::MAX_SMALL;
use crate::request::{Client, Request};

/// Bytes of a page. The server ends one at about 8 MiB of keys and values, and JSON writes a
/// control character in six bytes.
const MAX_PAGE_ANSWER: u64 = 64 << 20;

/// What a listing shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOptions {
    /// All keys, or one level of them.
    pub levels: Levels,
    /// How much of each key.
    pub show: Show,
    /// Only what sorts after this key or folder.
    pub after: Option<Prefix>,
}

/// How deep a listing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// Every key.
    All,
    /// One level; deeper keys fold into one entry that ends in `/`.
    One,
}

/// How much a listing shows of each key. It decides which form of [`Listed`] comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// [`Listed::Name`].
    Names,
    /// [`Listed::Value`].
    Values,
    /// [`Listed::Detail`] and [`Listed::Folder`], without values.
    Details,
    /// [`Listed::Detail`] and [`Listed::Folder`], with values.
    Entries,
}

/// The keys of a listing in byte order, fetched as they are wanted. Ends after the first error.
#[derive(Debug)]
pub struct Items<'a> {
    client: &'a Client,
    prefix: Prefix,
    options: ListOptions,
    page: vec::IntoIter<Listed>,
    more: bool,
}

impl Client {
    /// The keys that begin with a prefix. Each key that exists throughout comes exactly once.
    pub fn list(&self, prefix: &Prefix, options: ListOptions) -> Items<'_> {
        Items {
            client: self,
            prefix: prefix.clone(),
            options,
            page: Vec::new().into_iter(),
            more: true,
        }
    }

    /// How many keys a listing of the prefix shows.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn count(&self, prefix: &Prefix) -> Result<u64, Error> {
        let target = format!("{}?{}", path::of_prefix(prefix), parameter::COUNT);
        let reply = self.send(&Request::read(target, MAX_SMALL))?;
        let Counted { count } = reply
            .json()
            .map_err(|what| self.bad_answer(what, Fate::NotApplied))?;
        Ok(count)
    }
}

impl Default for ListOptions {
    /// All names.
    fn default() -> Self {
        Self {
            levels: Levels::All,
            show: Show::Names,
            after: None,
        }
    }
}

impl Items<'_> {
    fn fetch(&mut self) -> Result<(), Error> {
        let request = Request::read(self.target(), MAX_PAGE_ANSWER);
        let reply = self.client.send(&request)?;
        let odd = |what: String| self.client.bad_answer(what, Fate::NotApplied);
        let page: Vec<Listed> = reply.json().map_err(odd)?;
        let next = match reply.header(header::LINK.as_str()) {
            None => None,
            Some(link) => Some(
                next_page(link).ok_or_else(|| odd(format!("its next page is unclear: {link}")))?,
            ),
        };
        // Going on where this page began would never end.
        if next.is_some() && next <= self.options.after {
            return Err(odd("its next page does not lie ahead".to_owned()));
        }
        self.more = next.is_some();
        self.options.after = next;
        self.page = page.into_iter();
        Ok(())
    }

    fn target(&self) -> String {
        let mut target = format!(
            "{}?{}&{}={MAX_PAGE_KEYS}",
            path::of_prefix(&self.prefix),
            parameter::LIST,
            parameter::LIMIT
        );
        let mut flag = |name: &str| {
            target.push('&');
            target.push_str(name);
        };
        match self.options.show {
            Show::Names => {}
            Show::Values => flag(parameter::VALUES),
            Show::Details => flag(parameter::DETAIL),
            Show::Entries => {
                flag(parameter::DETAIL);
                flag(parameter::VALUES);
            }
        }
        if self.options.levels == Levels::One {
            target.push_str("&delimiter=/");
        }
        if let Some(after) = &self.options.after {
            // Writing to a string can't fail.
            let _ = write!(target, "&after={}", path::query_value(after.as_str()));
        }
        target
    }
}

impl Iterator for Items<'_> {
    type Item = Result<Listed, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.page.next() {
                return Some(Ok(item));
            }
            if !self.more {
                return None;
            }
            if let Err(error) = self.fetch() {
                self.more = false;
                return Some(Err(error));
            }
        }
    }
}

/// Where the next page starts: the `after` of `<…>; rel="next"` (RFC 8288). The rest of the link
/// is what was asked for already, and may name the server as only a proxy in front knows it.
fn next_page(link: &str) -> Option<Prefix> {
    let target = link.split_once('<')?.1.split_once('>')?.0;
    let (_, query) = target.split_once('?')?;
    let after = query
        .split('&')
        .find_map(|part| part.strip_prefix(parameter::AFTER)?.strip_prefix('='))?;
    let decoded = path::decode(after).ok()?;
    Prefix::from_bytes(&decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_starts_where_the_link_says() {
        let next = |link| next_page(link).map(|prefix| prefix.to_string());
        assert_eq!(
            next("</prominence/v1/kv/a?list&limit=2&after=/a/%C3%A9%20%26b&detail>; rel=\"next\"")
                .as_deref(),
            Some("/a/é &b")
        );
        for odd in ["", "<>", "</kv?list>; rel=\"next\"", "</kv?after=%>"] {
            assert_eq!(next(odd), None, "{odd}");
        }
    }
}

//! Listing keys, page by page.
//!
//! Each page is a complete JSON array, so an answer that was cut off can't look like a shorter listing, and only one
//! page is in memory.

use std::fmt::Write as _;
use std::num::NonZero;
use std::vec;

use prominence_api::name::{self, parameter};
use prominence_api::{Counted, Listed, path};
use prominence_core::limits::MAX_PAGE_KEYS;
use prominence_core::{Order, Prefix, Revision};
use ureq::http::header;

use crate::error::{Error, Fate};
use crate::reply::{MAX_SMALL, Reply};
use crate::request::{Client, Request};

/// The largest answer with a page. The server ends a page at about 8 MiB of keys and values, and JSON writes a control
/// character in six bytes.
const MAX_PAGE_ANSWER: u64 = 64 << 20;

/// The options of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOptions {
    /// All keys, or one level of them.
    pub levels: Levels,
    /// The part of each entry.
    pub show: Show,
    /// The largest number of keys and folders; `None` for all of them.
    pub limit: Option<u64>,
    /// Only keys and folders that come after this one.
    pub after: Option<Prefix>,
    /// Byte order, or its reverse.
    pub order: Order,
}

/// The depth of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// Every key.
    All,
    /// One level, with one entry that ends in `/` for all deeper keys of a folder.
    One,
    /// The same with the number of keys in each folder, counted up to this number. With
    /// [`Show::Details`] and [`Show::Entries`]; 10,000 is the largest number.
    OneCounted(NonZero<u64>),
}

/// The part of each entry that a listing shows. It decides the form of [`Listed`].
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

/// The keys of a listing in their order, fetched page by page. Ends after the first error.
#[derive(Debug)]
pub struct Items<'a> {
    client: &'a Client,
    prefix: Prefix,
    options: ListOptions,
    page: vec::IntoIter<Listed>,
    more: bool,
    pages: Pages,
}

/// The revisions of the pages of a listing, by which a reader recognizes events of a watch that the listing already
/// shows.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    order: Order,
    /// The last name of each page but the last one, and the page's revision.
    ended: Vec<(Prefix, Revision)>,
    last: Option<Revision>,
}

impl Client {
    /// The keys that begin with a prefix. Each key that exists during the whole listing is returned exactly once.
    pub fn list(&self, prefix: &Prefix, options: ListOptions) -> Items<'_> {
        Items {
            client: self,
            prefix: prefix.clone(),
            options,
            page: Vec::new().into_iter(),
            more: true,
            pages: Pages::default(),
        }
    }

    /// The number of keys that a listing of the prefix shows.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn count(&self, prefix: &Prefix) -> Result<u64, Error> {
        self.count_at(prefix).map(|(count, _)| count)
    }

    /// The same, with the revision of the counted snapshot; `None` from an earlier server. A watch after this revision
    /// has every change that is not counted, and no other.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn count_at(&self, prefix: &Prefix) -> Result<(u64, Option<Revision>), Error> {
        let target = format!("{}?{}", path::of_prefix(prefix), parameter::COUNT);
        let reply = self.send(&Request::read(target, MAX_SMALL))?;
        let Counted { count, .. } = reply
            .json()
            .map_err(|what| self.bad_answer(what, Fate::NotApplied))?;
        Ok((count, revision(&reply)))
    }

    /// The number of keys that a listing of the prefix shows, counted up to `at_most`, and whether
    /// there are more. It takes about as long as reading so many names, however many keys there are.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn count_up_to(&self, prefix: &Prefix, at_most: NonZero<u64>) -> Result<Counted, Error> {
        let (count, limit) = (parameter::COUNT, parameter::AT_MOST);
        let target = format!("{}?{count}&{limit}={at_most}", path::of_prefix(prefix));
        let reply = self.send(&Request::read(target, MAX_SMALL))?;
        reply
            .json()
            .map_err(|what| self.bad_answer(what, Fate::NotApplied))
    }
}

impl Default for ListOptions {
    /// All names.
    fn default() -> Self {
        Self {
            levels: Levels::All,
            show: Show::Names,
            limit: None,
            after: None,
            order: Order::Ascending,
        }
    }
}

impl Items<'_> {
    /// The fetched pages. A watch after [`Pages::first`] continues the listing without a gap.
    #[must_use]
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

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
        // A page that begins where this one did would repeat forever.
        if next.is_some() && !self.lies_ahead(next.as_ref()) {
            return Err(odd("its next page does not lie ahead".to_owned()));
        }
        self.pages.order = self.options.order;
        self.pages.add(next.as_ref(), revision(&reply));
        self.more = next.is_some();
        if let Some(limit) = &mut self.options.limit {
            // A page has no more items than requested.
            *limit = limit.saturating_sub(page.len() as u64);
            self.more &= *limit > 0;
        }
        self.options.after = next;
        self.page = page.into_iter();
        Ok(())
    }

    fn lies_ahead(&self, next: Option<&Prefix>) -> bool {
        let after = self.options.after.as_ref();
        match self.options.order {
            Order::Ascending => next > after,
            Order::Descending => after.is_none() || next < after,
        }
    }

    fn target(&self) -> String {
        let page = self.options.limit.map_or(MAX_PAGE_KEYS, |limit| {
            usize::try_from(limit).map_or(MAX_PAGE_KEYS, |limit| limit.min(MAX_PAGE_KEYS))
        });
        let mut target = format!(
            "{}?{}&{}={page}",
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
        match self.options.levels {
            Levels::All => {}
            Levels::One => target.push_str("&delimiter=/"),
            Levels::OneCounted(at_most) => {
                // Writing to a string can't fail.
                let _ = write!(target, "&delimiter=/&{}={at_most}", parameter::COUNTS);
            }
        }
        if self.options.order == Order::Descending {
            target.push_str("&order=desc");
        }
        if let Some(after) = &self.options.after {
            // Writing to a string can't fail.
            let _ = write!(target, "&after={}", path::query_value(after.as_str()));
        }
        target
    }
}

impl Pages {
    /// The revision of the first page; `None` before it is fetched, and from an earlier server.
    #[must_use]
    pub fn first(&self) -> Option<Revision> {
        self.ended
            .first()
            .map(|(_, revision)| *revision)
            .or(self.last)
    }

    /// True if the listing already shows the effect of a change with this revision on this key, that is if the page of
    /// the key has this revision or a later one.
    #[must_use]
    pub fn show(&self, key: &str, revision: Revision) -> bool {
        let at = self.ended.partition_point(|(last, _)| match self.order {
            Order::Ascending => last.as_str() < key,
            Order::Descending => last.as_str() > key,
        });
        let page = self.ended.get(at).map(|(_, revision)| *revision);
        page.or(self.last).is_some_and(|page| revision <= page)
    }

    fn add(&mut self, next: Option<&Prefix>, revision: Option<Revision>) {
        match (next, revision) {
            (Some(last), Some(revision)) => self.ended.push((last.clone(), revision)),
            (None, revision) => self.last = revision,
            (Some(_), None) => {}
        }
    }
}

/// The revision of an answer.
fn revision(reply: &Reply) -> Option<Revision> {
    reply
        .header(name::REVISION)?
        .parse()
        .ok()
        .map(Revision::new)
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

/// The start of the next page: the `after` of `<…>; rel="next"` (RFC 8288). The rest of the link repeats the request,
/// and may have an address that only a proxy can reach.
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
    fn a_listing_shows_changes_up_to_the_revision_of_the_page_that_their_key_is_on() {
        let mut pages = Pages::default();
        assert_eq!(pages.first(), None);
        let name = |text| Prefix::parse(text).unwrap();
        pages.add(Some(&name("/d")), Some(Revision::new(7)));
        pages.add(Some(&name("/m")), Some(Revision::new(9)));
        pages.add(None, Some(Revision::new(12)));
        assert_eq!(pages.first(), Some(Revision::new(7)));
        for (key, latest) in [("/a", 7), ("/d", 7), ("/d/a", 9), ("/m", 9), ("/n", 12)] {
            assert!(pages.show(key, Revision::new(latest)), "{key}");
            assert!(!pages.show(key, Revision::new(latest + 1)), "{key}");
        }
    }

    #[test]
    fn the_next_page_starts_where_the_link_says() {
        let next = |link| next_page(link).map(|prefix| prefix.to_string());
        assert_eq!(
            next("</prominence/v1/kv/a?list&limit=2&after=/a/%C3%A9%20%26b&detail>; rel=\"next\"")
                .as_deref(),
            Some("/a/é &b")
        );
        // A reference relative to the page, as the server sends it, and one that a proxy has rewritten.
        assert_eq!(
            next("<?list&limit=2&after=/a>; rel=\"next\"").as_deref(),
            Some("/a")
        );
        let rewritten = "<https://site/kv-service/prominence/v1/kv?list&after=/a>; rel=\"next\"";
        assert_eq!(next(rewritten).as_deref(), Some("/a"));
        for odd in ["", "<>", "</kv?list>; rel=\"next\"", "</kv?after=%>"] {
            assert_eq!(next(odd), None, "{odd}");
        }
    }
}

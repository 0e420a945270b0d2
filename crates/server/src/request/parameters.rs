//! Every parameter of the query string, declared once: its name, how its value is parsed, and what the OpenAPI
//! document says about it.

use std::num::NonZero;
use std::time::Duration;

use prominence_api::name::parameter as name;
use prominence_core::{Cursor, Depth, Order, PageLimit, Prefix};
use utoipa::openapi::Required;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::ObjectBuilder;

use crate::failure::Failure;
use crate::request::query::Query;

mod values;

pub(crate) use values::{Ttl, Wait};

/// A parameter of the query string.
pub(crate) struct Parameter<T> {
    pub(super) name: &'static str,
    about: &'static str,
    schema: fn() -> ObjectBuilder,
    take: fn(&mut Query<'_>, &'static str) -> Result<T, Failure>,
}

pub(crate) const LIST: Parameter<bool> =
    flag(name::LIST, "List the keys that begin with the path.");

pub(crate) const VALUES: Parameter<bool> =
    flag(name::VALUES, "With `list` and `watch`: with the values.");

pub(crate) const DETAIL: Parameter<bool> = flag(
    name::DETAIL,
    "With `list`: each key with its size, revision, times and job.",
);

pub(crate) const DELIMITER: Parameter<Depth> = Parameter {
    name: name::DELIMITER,
    about: "With `list`: `/` for one level only; deeper keys fold into one entry that ends in `/`.",
    schema: values::slash_schema,
    take: values::depth,
};

pub(crate) const LIMIT: Parameter<Option<PageLimit>> = Parameter {
    name: name::LIMIT,
    about: "With `list`: the most entries on a page; a page also ends at about 8 MiB.",
    schema: values::page_limit_schema,
    take: values::page_limit,
};

pub(crate) const AFTER: Parameter<Option<Prefix>> = Parameter {
    name: name::AFTER,
    about: "With `list`: only keys and folders that sort after this one; with `order=desc`, before it.",
    schema: values::text_schema,
    take: values::prefix,
};

pub(crate) const ORDER: Parameter<Order> = Parameter {
    name: name::ORDER,
    about: "With `list`: `asc` for byte order, which is the default, or `desc` for its reverse.",
    schema: values::order_schema,
    take: values::order,
};

pub(crate) const COUNT: Parameter<bool> = flag(name::COUNT, "The number of keys alone.");

pub(crate) const COUNTS: Parameter<Option<NonZero<u64>>> = Parameter {
    name: name::COUNTS,
    about: "With `list`, `delimiter` and `detail`: each folder with its number of keys, counted up to this number. \
            A page may then end after about 100,000 counted keys.",
    schema: values::folder_count_schema,
    take: values::folder_count,
};

pub(crate) const AT_MOST: Parameter<Option<NonZero<u64>>> = Parameter {
    name: name::AT_MOST,
    about: "With `count`: count up to this number and say whether there are more keys. Not with `at_least`.",
    schema: values::positive_schema,
    take: values::non_zero,
};

pub(crate) const AT_LEAST: Parameter<Option<u64>> = Parameter {
    name: name::AT_LEAST,
    about: "With `count` and `wait`: the number of keys to wait for.",
    schema: values::positive_schema,
    take: values::positive,
};

pub(crate) const WAIT_TO_READ: Parameter<Option<Wait>> = Parameter {
    name: name::WAIT,
    about: "How long the request may wait, at most `10m`: until the key exists or, with `If-None-Match`, has \
            another revision; with `count`, until there are `at_least` keys.",
    schema: values::duration_schema,
    take: values::wait,
};

pub(crate) const WATCH: Parameter<bool> = flag(name::WATCH, "Changes as server-sent events.");

pub(crate) const SINCE: Parameter<Option<Cursor>> = Parameter {
    name: name::SINCE,
    about: "With `watch`: the revision, or the event's id, after which it starts. `Last-Event-ID` wins over it.",
    schema: values::cursor_schema,
    take: values::cursor,
};

pub(crate) const USAGE: Parameter<bool> = flag(
    name::USAGE,
    "The keys and bytes of the namespace and their limits; goes with no other parameter.",
);

pub(crate) const PREV: Parameter<Option<Vec<u8>>> = Parameter {
    name: name::PREV,
    about: "Only if the current value is this one; otherwise 412.",
    schema: values::text_schema,
    take: values::bytes,
};

pub(crate) const TTL: Parameter<Option<Ttl>> = Parameter {
    name: name::TTL,
    about: "How long the value stays: `90s`, `15m`, `1h30m`, `7d`, a number of seconds, or `job` for as long as \
            the token lasts.",
    schema: values::ttl_schema,
    take: values::ttl,
};

pub(crate) const ADD: Parameter<i64> = Parameter {
    name: name::ADD,
    about: "Add this to a decimal integer; an absent key counts as 0. Takes no body.",
    schema: values::integer_schema,
    take: values::integer,
};

pub(crate) const CLAIM: Parameter<Duration> = Parameter {
    name: name::CLAIM,
    about: "Take the first key under the path that has no live claim, for this long: at most `7d`. Takes no body.",
    schema: values::duration_schema,
    take: values::claim_duration,
};

pub(crate) const WAIT_TO_CLAIM: Parameter<Option<Wait>> = Parameter {
    name: name::WAIT,
    about: "With `claim`: how long the request may wait for a key to claim, at most `10m`.",
    schema: values::duration_schema,
    take: values::wait,
};

pub(crate) const RENEW: Parameter<Duration> = Parameter {
    name: name::RENEW,
    about: "The claim lasts this long from now on, at most `7d`. Needs `If-Match`; takes no body.",
    schema: values::duration_schema,
    take: values::claim_duration,
};

pub(crate) const RELEASE: Parameter<bool> = flag(
    name::RELEASE,
    "End the claim. Needs `If-Match`; takes no body.",
);

pub(crate) const PREFIX: Parameter<bool> = flag(
    name::PREFIX,
    "Delete every key that begins with the path, all at once.",
);

pub(crate) const IF_COUNT: Parameter<Option<u64>> = Parameter {
    name: name::IF_COUNT,
    about: "With `prefix`: delete only if exactly so many keys begin with the path, as `dry_run` counts them; \
            otherwise 412 with their number. Not with `dry_run`.",
    schema: values::number_of_keys_schema,
    take: values::number_of_keys,
};

pub(crate) const DRY_RUN: Parameter<bool> = flag(
    name::DRY_RUN,
    "With `prefix`: only count the keys that would be deleted.",
);

/// A parameter that is on or off.
const fn flag(name: &'static str, about: &'static str) -> Parameter<bool> {
    Parameter {
        name,
        about,
        schema: values::flag_schema,
        take: values::flag,
    }
}

impl<T> Parameter<T> {
    /// Takes the parameter out of a query and parses its value.
    ///
    /// # Errors
    /// 400 if the parameter can't have this value.
    pub(crate) fn take(&self, query: &mut Query<'_>) -> Result<T, Failure> {
        (self.take)(query, self.name)
    }

    /// The parameter in the OpenAPI document.
    pub(super) fn document(&self) -> utoipa::openapi::path::Parameter {
        let parameter = ParameterBuilder::new()
            .name(self.name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(self.about));
        parameter.schema(Some((self.schema)())).build()
    }
}

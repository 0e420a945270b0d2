//! The kinds of requests that each route has, and their parameters: one list, from which requests are parsed and
//! the OpenAPI document is made.

use std::num::NonZero;
use std::time::Duration;

use prominence_core::{Cursor, Depth, Order, PageLimit, Prefix};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::failure::Failure;
use crate::request::documented;
use crate::request::parameters::{
    ADD, AFTER, AT_LEAST, AT_MOST, CLAIM, COUNT, COUNTS, DELIMITER, DETAIL, DRY_RUN, IF_COUNT,
    LIMIT, LIST, ORDER, PREFIX, PREV, RELEASE, RENEW, SINCE, TTL, Ttl, USAGE, VALUES,
    WAIT_TO_CLAIM, WAIT_TO_READ, WATCH, Wait,
};
use crate::request::query::Query;

/// Declares a kind of request: what selects it, what errors call it, and a field for each of its parameters.
macro_rules! kind {
    (
        $(#[$about:meta])*
        $kind:ident, $selection:ident $(($selector:ident))?, $called:literal {
            $($field:ident: $type:ty = $parameter:ident,)*
        }
    ) => {
        $(#[$about])*
        pub(crate) struct $kind {
            $(pub(crate) $field: $type,)*
        }

        impl $kind {
            const NAMES: &'static [&'static str] =
                &[$($selector.name,)? $($parameter.name,)*];

            /// Takes the parameters, and refuses all others. `None` if the query asks for another kind.
            fn take(query: &mut Query<'_>) -> Result<Option<Self>, Failure> {
                if !kind!(@$selection $($selector)?, query) {
                    return Ok(None);
                }
                let kind = Self {
                    $($field: $parameter.take(query)?,)*
                };
                query.finish($called)?;
                Ok(Some(kind))
            }

            fn document(parameters: &mut Vec<Parameter>) {
                $(add(parameters, $selector.document());)?
                $(add(parameters, $parameter.document());)*
                let _ = parameters;
            }
        }
    };
    // Selected by a flag that is on.
    (@flag $selector:ident, $query:ident) => { $selector.take($query)? };
    // Selected by a parameter with a value, which is a field as well.
    (@given $selector:ident, $query:ident) => { $query.has($selector.name) };
    // The kind of all other requests.
    (@other, $query:ident) => { true };
}

/// Declares the kinds of requests of a route, in the order in which they are tried.
macro_rules! route {
    ($(#[$about:meta])* $route:ident { $($kind:ident),+ }, $headers:expr) => {
        $(#[$about])*
        pub(crate) enum $route {
            $($kind($kind),)+
        }

        impl $route {
            const NAMES: &'static [&'static [&'static str]] = &[$($kind::NAMES),+];

            /// Parses the query string of a request.
            ///
            /// # Errors
            /// 400 for a parameter that is unknown, repeated, misplaced, or without a valid value.
            pub(crate) fn parse(query: &str) -> Result<Self, Failure> {
                let mut query = Query::parse(query)?;
                $(if let Some(kind) = $kind::take(&mut query)? {
                    return Ok(Self::$kind(kind));
                })+
                Err(Failure::surprised())
            }
        }

        impl IntoParams for $route {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                let mut parameters = Vec::new();
                $($kind::document(&mut parameters);)+
                parameters.extend($headers);
                parameters
            }
        }
    };
}

kind! {
    /// Reads the value of a key.
    ReadValue, other, "reading a key; add ?list to list" {
        wait: Option<Wait> = WAIT_TO_READ,
    }
}

kind! {
    /// Lists keys.
    List, flag(LIST), "?list" {
        values: bool = VALUES,
        detail: bool = DETAIL,
        depth: Depth = DELIMITER,
        counts: Option<NonZero<u64>> = COUNTS,
        limit: Option<PageLimit> = LIMIT,
        after: Option<Prefix> = AFTER,
        order: Order = ORDER,
    }
}

kind! {
    /// Counts keys. The flag `list` changes nothing beside `count`.
    Count, flag(COUNT), "?count" {
        _list: bool = LIST,
        at_most: Option<NonZero<u64>> = AT_MOST,
        at_least: Option<u64> = AT_LEAST,
        wait: Option<Wait> = WAIT_TO_READ,
    }
}

kind! {
    /// Watches changes.
    Watch, flag(WATCH), "?watch" {
        values: bool = VALUES,
        since: Option<Cursor> = SINCE,
    }
}

kind! {
    /// Reads the usage of the namespace.
    ReadUsage, flag(USAGE), "?usage" {}
}

kind! {
    /// A read of the namespace without a parameter that says what is read.
    ReadNothing, other, "this request; add ?list to list" {}
}

kind! {
    /// Sets a value.
    #[derive(Default)]
    SetValue, other, "setting a value" {
        ttl: Option<Ttl> = TTL,
        prev: Option<Vec<u8>> = PREV,
    }
}

kind! {
    /// Adds to a number.
    Add, given(ADD), "?add" {
        by: i64 = ADD,
    }
}

kind! {
    /// Claims a key.
    Claim, given(CLAIM), "?claim" {
        duration: Duration = CLAIM,
        wait: Option<Wait> = WAIT_TO_CLAIM,
    }
}

kind! {
    /// Renews a claim.
    Renew, given(RENEW), "?renew" {
        duration: Duration = RENEW,
    }
}

kind! {
    /// Ends a claim.
    Release, flag(RELEASE), "?release" {}
}

kind! {
    /// Does a batch.
    DoBatch, other, "a batch; to set a value name its key, as in /kv/KEY" {}
}

kind! {
    /// Deletes every key that begins with a prefix.
    DeletePrefix, flag(PREFIX), "?prefix" {
        dry_run: bool = DRY_RUN,
        if_count: Option<u64> = IF_COUNT,
    }
}

kind! {
    /// Deletes one key.
    DeleteOne, other, "deleting a key; add ?prefix to delete all that begins with it" {}
}

kind! {
    /// A deletion in the namespace without the parameter that says what is deleted.
    DeleteNothing, other, "this request" {}
}

kind! {
    /// Describes the caller.
    DescribeCaller, other, "/whoami" {}
}

kind! {
    /// Describes the server.
    DescribeServer, other, "/about" {}
}

kind! {
    /// Exchanges a code for a token.
    RedeemCode, other, "/login/once" {}
}

kind! {
    /// Makes a token. What it is to be is in the body.
    MakeToken, other, "POST /token" {}
}

kind! {
    /// Lists the tokens that were made for the caller.
    ListTokens, other, "GET /token" {}
}

kind! {
    /// Revokes tokens. Which ones is in the body.
    RevokeToken, other, "/token/revoke" {}
}

kind! {
    /// Exchanges a code for a token. The code is in the body.
    ExchangeCode, other, "/login/code" {}
}

route! {
    /// `GET /kv/KEY`
    ReadKey { Watch, Count, List, ReadValue }, documented::read_headers()
}

route! {
    /// `GET /kv`
    ReadNamespace { ReadUsage, Watch, Count, List, ReadNothing }, [documented::last_event()]
}

route! {
    /// `POST /kv/KEY`
    PostKey { Claim, Renew, Release, Add, SetValue }, documented::set_headers()
}

route! {
    /// `PUT /kv/KEY`
    PutKey { SetValue }, documented::set_headers()
}

route! {
    /// `POST /kv`
    PostNamespace { Claim, DoBatch }, []
}

route! {
    /// `DELETE /kv/KEY`
    DeleteKey { DeletePrefix, DeleteOne }, documented::write_headers()
}

route! {
    /// `DELETE /kv`
    DeleteNamespace { DeletePrefix, DeleteNothing }, []
}

route! {
    /// `GET /whoami`
    Account { DescribeCaller }, []
}

route! {
    /// `GET /about`
    AboutServer { DescribeServer }, []
}

route! {
    /// `POST /login/once`
    LoginOnce { RedeemCode }, []
}

route! {
    /// `POST /token`
    PostToken { MakeToken }, []
}

route! {
    /// `GET /token`
    GetToken { ListTokens }, []
}

route! {
    /// `POST /token/revoke`
    PostRevocation { RevokeToken }, []
}

route! {
    /// `POST /login/code`
    PostCode { ExchangeCode }, []
}

/// The parameters of every route.
const ROUTES: [&[&[&str]]; 14] = [
    ReadKey::NAMES,
    ReadNamespace::NAMES,
    PostKey::NAMES,
    PutKey::NAMES,
    PostNamespace::NAMES,
    DeleteKey::NAMES,
    DeleteNamespace::NAMES,
    Account::NAMES,
    AboutServer::NAMES,
    LoginOnce::NAMES,
    PostToken::NAMES,
    GetToken::NAMES,
    PostRevocation::NAMES,
    PostCode::NAMES,
];

/// True if any route has a parameter of this name.
pub(super) fn is_known(name: &str) -> bool {
    let mut names = ROUTES.into_iter().flatten().copied().flatten();
    names.any(|known| *known == name)
}

/// Adds a parameter to those of a route, unless another kind of request has added it.
fn add(parameters: &mut Vec<Parameter>, new: Parameter) {
    if parameters.iter().all(|other| other.name != new.name) {
        parameters.push(new);
    }
}

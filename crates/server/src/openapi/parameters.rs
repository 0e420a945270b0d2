//! Every parameter and conditional header, declared once, and the groups that requests take.

use prominence_api::name::parameter as name;
use prominence_core::limits::{MAX_KEY_BYTES, MAX_PAGE_KEYS};
use serde_json::Value;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};

/// A duration: a number of seconds, or numbers with their units.
const DURATION: &str = "^[0-9]{1,8}$|^([0-9]{1,6}[smhd]){1,4}$";

/// `*`, or entity tags in quotes, as one list (RFC 9110, sections 8.8.3 and 13.1).
const TAGS: &str = "^(\\*|(W/)?\"[!#-~]*\"([ \\t]*,[ \\t]*(W/)?\"[!#-~]*\")*)$";

/// A date in the form that is sent today (RFC 9110, section 5.6.7).
const DATE: &str = "^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] \
    (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [12][0-9]{3} [0-2][0-9]:[0-5][0-9]:[0-5][0-9] GMT$";

/// A parameter of the query string.
struct Declared {
    name: &'static str,
    kind: Kind,
    about: &'static str,
}

/// The values that a parameter takes.
enum Kind {
    /// Bare, or one of seven words.
    Flag,
    Duration,
    /// A duration, or `job`.
    Lifetime,
    Text,
    Slash,
    /// From 1 to the limit of a page.
    PageSize,
    /// From the first to the second.
    Number(i64, i64),
    Place,
}

const LISTING: [Declared; 6] = [
    Declared {
        name: name::LIST,
        kind: Kind::Flag,
        about: "List the keys that begin with the path.",
    },
    Declared {
        name: name::VALUES,
        kind: Kind::Flag,
        about: "With `list` and `watch`: with the values.",
    },
    Declared {
        name: name::DETAIL,
        kind: Kind::Flag,
        about: "With `list`: each key with its size, revision, times and job.",
    },
    Declared {
        name: name::DELIMITER,
        kind: Kind::Slash,
        about: "With `list`: `/` for one level only; deeper keys fold into one entry that ends in `/`.",
    },
    Declared {
        name: name::LIMIT,
        kind: Kind::PageSize,
        about: "With `list`: the most entries on a page; a page also ends at about 8 MiB.",
    },
    Declared {
        name: name::AFTER,
        kind: Kind::Text,
        about: "With `list`: only keys and folders that sort after this one.",
    },
];

const COUNTING: [Declared; 2] = [
    Declared {
        name: name::COUNT,
        kind: Kind::Flag,
        about: "The number of keys alone.",
    },
    Declared {
        name: name::AT_LEAST,
        kind: Kind::Number(1, i64::MAX),
        about: "With `count` and `wait`: the number of keys to wait for.",
    },
];

const WAIT_TO_READ: Declared = Declared {
    name: name::WAIT,
    kind: Kind::Duration,
    about: "How long the request may be held, at most `10m`: until the key exists or, with \
            `If-None-Match`, has another revision; with `count`, until there are `at_least` keys.",
};

const WATCHING: [Declared; 2] = [
    Declared {
        name: name::WATCH,
        kind: Kind::Flag,
        about: "Changes as server-sent events.",
    },
    Declared {
        name: name::SINCE,
        kind: Kind::Place,
        about: "With `watch`: the revision, or the event's id, after which it starts. `Last-Event-ID` wins over it.",
    },
];

const USAGE: Declared = Declared {
    name: name::USAGE,
    kind: Kind::Flag,
    about: "The keys and bytes that the namespace holds and may hold; goes with no other parameter.",
};

const SETTING: [Declared; 2] = [
    Declared {
        name: name::PREV,
        kind: Kind::Text,
        about: "Only where the current value is this one; otherwise 412.",
    },
    Declared {
        name: name::TTL,
        kind: Kind::Lifetime,
        about: "How long the value stays: `90s`, `15m`, `1h30m`, `7d`, a number of seconds, or `job` for as long as the token lasts.",
    },
];

const ADD: Declared = Declared {
    name: name::ADD,
    kind: Kind::Number(i64::MIN, i64::MAX),
    about: "Add this to a decimal integer; an absent key counts as 0. Takes no body.",
};

const CLAIMING: [Declared; 2] = [
    Declared {
        name: name::CLAIM,
        kind: Kind::Duration,
        about: "Take the first key under the path that nobody holds, for this long: at most `7d`. Takes no body.",
    },
    Declared {
        name: name::WAIT,
        kind: Kind::Duration,
        about: "With `claim`: hold the request until there is something to take, at most `10m`.",
    },
];

const HOLDING: [Declared; 2] = [
    Declared {
        name: name::RENEW,
        kind: Kind::Duration,
        about: "The claim lasts this long from now on, at most `7d`. Needs `If-Match`; takes no body.",
    },
    Declared {
        name: name::RELEASE,
        kind: Kind::Flag,
        about: "End the claim. Needs `If-Match`; takes no body.",
    },
];

const DELETING: [Declared; 2] = [
    Declared {
        name: name::PREFIX,
        kind: Kind::Flag,
        about: "Delete every key that begins with the path, all at once.",
    },
    Declared {
        name: name::DRY_RUN,
        kind: Kind::Flag,
        about: "With `prefix`: only count the keys that would be deleted.",
    },
];

/// Names of groups of parameters.
pub(crate) struct KeyInPath;
pub(crate) struct ReadKey;
pub(crate) struct ReadNamespace;
pub(crate) struct PostKey;
pub(crate) struct PutKey;
pub(crate) struct PostNamespace;
pub(crate) struct DeleteKey;
pub(crate) struct DeleteNamespace;

macro_rules! group {
    ($name:ident: $($parameters:expr),+ $(; $headers:expr)?) => {
        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                let mut all: Vec<Parameter> = Vec::new();
                $(all.extend($parameters.iter().map(Declared::parameter));)+
                $(all.extend($headers);)?
                all
            }
        }
    };
}

group!(ReadKey: LISTING, COUNTING, [WAIT_TO_READ], WATCHING; read_headers());
group!(ReadNamespace: LISTING, COUNTING, [WAIT_TO_READ], WATCHING, [USAGE]; [last_event()]);
group!(PostKey: SETTING, [ADD], CLAIMING, HOLDING; set_headers());
group!(PutKey: SETTING; set_headers());
group!(PostNamespace: CLAIMING);
group!(DeleteKey: DELETING; write_headers());
group!(DeleteNamespace: DELETING);

impl IntoParams for KeyInPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let key = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX_KEY_BYTES))
            .pattern(Some("^[^\\u0000-\\u001f\\u007f]+$"));
        let key = ParameterBuilder::new()
            .name("key")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(
                "The key, or the prefix where a parameter asks for one; may contain `/`.",
            ))
            .schema(Some(key));
        vec![key.build()]
    }
}

impl Declared {
    fn parameter(&self) -> Parameter {
        let parameter = ParameterBuilder::new()
            .name(self.name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(self.about));
        parameter.schema(Some(self.kind.schema())).build()
    }
}

impl Kind {
    fn schema(&self) -> ObjectBuilder {
        let text = ObjectBuilder::new().schema_type(Type::String);
        match self {
            Self::Flag => text.enum_values(Some(["", "true", "True", "1", "false", "False", "0"])),
            Self::Duration => text.pattern(Some(DURATION)).examples([Value::from("90s")]),
            Self::Lifetime => {
                let pattern = format!("^job$|{DURATION}");
                text.pattern(Some(pattern)).examples([Value::from("12h")])
            }
            Self::Text => text,
            Self::Slash => text.enum_values(Some(["/"])),
            Self::PageSize => integer().minimum(Some(1)).maximum(Some(MAX_PAGE_KEYS)),
            Self::Number(least, most) => integer().minimum(Some(*least)).maximum(Some(*most)),
            Self::Place => text.pattern(Some("^[0-9]+(\\.[0-9]+)?$")),
        }
    }
}

fn integer() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
}

fn header(name: &str, pattern: &str, example: &str, about: &str) -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .examples([Value::from(example)]);
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about));
    parameter.schema(Some(schema)).build()
}

/// An `ETag`, as an example.
const TAG: &str = "\"7\"";

/// A date in `Last-Modified`, as an example.
const MODIFIED: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

fn read_headers() -> Vec<Parameter> {
    let key_only = "Only where a key is read.";
    vec![
        header(
            "If-None-Match",
            TAGS,
            TAG,
            &format!("The `ETag` that you have: 304 while it is current. {key_only}"),
        ),
        header(
            "If-Match",
            TAGS,
            TAG,
            &format!("The only `ETag` that you want: 412 otherwise. {key_only}"),
        ),
        header(
            "If-Modified-Since",
            DATE,
            MODIFIED,
            &format!("304 where `Last-Modified` is not later. Not with `wait`. {key_only}"),
        ),
        header(
            "If-Unmodified-Since",
            DATE,
            MODIFIED,
            &format!("412 where `Last-Modified` is later. {key_only}"),
        ),
        last_event(),
    ]
}

fn write_headers() -> Vec<Parameter> {
    vec![
        header(
            "If-Match",
            TAGS,
            TAG,
            "Only where the key has one of these `ETag`s, or with `*` exists: 412 otherwise.",
        ),
        header(
            "If-None-Match",
            "^\\*$",
            "*",
            "`*`: only where the key does not exist; 412 otherwise.",
        ),
    ]
}

fn set_headers() -> Vec<Parameter> {
    let mut headers = write_headers();
    headers.push(header(
        "Prominence-Write-Id",
        "^[!-~]{1,64}$",
        "0123456789abcdef0123456789abcdef",
        "Made for this one set; only with a condition. Where the key's current value was set with the \
         same id, the answer is that of the set that stored it, so the request can be repeated.",
    ));
    headers
}

fn last_event() -> Parameter {
    header(
        "Last-Event-ID",
        "^[0-9]+(\\.[0-9]+)?$",
        "7",
        "With `watch`: the id of the last event that you have seen.",
    )
}

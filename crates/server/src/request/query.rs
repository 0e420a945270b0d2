//! The query string, strictly: every parameter known, given once, and with a value that it can
//! take. A misspelt `?prefx` must never delete the wrong thing.

use std::borrow::Cow;

use prominence_api::path;

use crate::failure::Failure;
use crate::request::kinds;

/// The most parameters of a request: several times as many as any request has. Each is compared with the
/// others, so the work for one request is limited by this.
const MAX_PARAMETERS: usize = 32;

/// The parameters of one request. They are taken out one by one; those that remain are refused.
pub(crate) struct Query<'a> {
    given: Vec<(Cow<'a, str>, Option<&'a str>)>,
}

impl<'a> Query<'a> {
    /// Splits a query string (`application/x-www-form-urlencoded`, WHATWG URL standard).
    pub(crate) fn parse(raw: &'a str) -> Result<Self, Failure> {
        let mut given: Vec<(Cow<'a, str>, Option<&'a str>)> = Vec::new();
        for part in raw.split('&').filter(|part| !part.is_empty()) {
            if given.len() == MAX_PARAMETERS {
                return Err(Failure::bad_request(format!(
                    "the request has more than {MAX_PARAMETERS} parameters, which is the limit; \
                     send those that it needs"
                )));
            }
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (part, None),
            };
            let name = decode_text(name)
                .map_err(|why| Failure::bad_request(format!("a parameter's name: {why}")))?;
            if given.iter().any(|(other, _)| *other == name) {
                return Err(Failure::bad_request(format!(
                    "the parameter \"{name}\" is repeated"
                )));
            }
            given.push((name, value));
        }
        Ok(Self { given })
    }

    /// A flag: bare, or `true`, `True`, `1` or empty for on and `false`, `False` or `0` for off.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Failure> {
        match self.take(name).map(Option::unwrap_or_default) {
            None | Some("false" | "False" | "0") => Ok(false),
            Some("" | "true" | "True" | "1") => Ok(true),
            Some(other) => Err(bad_value(
                name,
                &format!("is \"{other}\"; it can be true or false"),
            )),
        }
    }

    /// A parameter's value as text, or `None` if the request does not have it.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, Failure> {
        let Some(raw) = self.take(name) else {
            return Ok(None);
        };
        let raw = raw.ok_or_else(|| bad_value(name, "needs a value"))?;
        decode_text(raw)
            .map(Some)
            .map_err(|why| bad_value(name, why))
    }

    /// A parameter's value as bytes, or `None` if the request does not have it.
    pub(crate) fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let Some(raw) = self.take(name) else {
            return Ok(None);
        };
        let raw = raw.ok_or_else(|| bad_value(name, "needs a value"))?;
        decode(raw).map(Some).map_err(|why| bad_value(name, why))
    }

    /// A parameter's value, parsed by this function.
    pub(crate) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Failure> {
        let raw = self.given.iter().find(|(given, _)| given == name);
        let has_plus = raw.is_some_and(|(_, raw)| raw.is_some_and(|raw| raw.contains('+')));
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        parse(&text).map(Some).map_err(|why| {
            let hint = match has_plus {
                true => "; + in a URL stands for a space, so write %2B for it",
                false => "",
            };
            bad_value(name, &format!("is not valid: {why}{hint}"))
        })
    }

    /// True if the request has a parameter; does not take it.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| given == name)
    }

    /// Refuses the parameters that were not taken; `request` names the kind of request.
    pub(crate) fn finish(&self, request: &str) -> Result<(), Failure> {
        match self.given.first() {
            None => Ok(()),
            Some((name, _)) if kinds::is_known(name) => Err(Failure::bad_request(format!(
                "the parameter \"{name}\" does not go with {request}"
            ))),
            Some((name, _)) => Err(Failure::bad_request(format!(
                "the parameter \"{name}\" is not known"
            ))),
        }
    }

    fn take(&mut self, name: &str) -> Option<Option<&'a str>> {
        let at = self.given.iter().position(|(given, _)| given == name)?;
        Some(self.given.swap_remove(at).1)
    }
}

fn bad_value(name: &str, why: &str) -> Failure {
    Failure::bad_request(format!("the parameter \"{name}\" {why}"))
}

fn decode(raw: &str) -> Result<Vec<u8>, &'static str> {
    let spaced = raw.replace('+', " ");
    let decoded =
        path::decode(&spaced).map_err(|_| "has a \"%\" without two hexadecimal digits")?;
    Ok(decoded.into_owned())
}

fn decode_text(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    if !raw.contains(['+', '%']) && raw.is_ascii() {
        return Ok(Cow::Borrowed(raw));
    }
    let text = String::from_utf8(decode(raw)?).map_err(|_| "is not valid UTF-8")?;
    Ok(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T>(result: Result<T, Failure>) -> String {
        result
            .err()
            .map(|failure| failure.message().to_owned())
            .unwrap_or_default()
    }

    #[test]
    fn every_route_answers_any_query() {
        use crate::request::kinds::{
            DeleteKey, PostKey, PostNamespace, PutKey, ReadKey, ReadNamespace,
        };
        prominence_fuzz::run("query", |input| {
            let Ok(query) = std::str::from_utf8(input) else {
                return;
            };
            let parsed = [
                ReadKey::parse(query).err(),
                ReadNamespace::parse(query).err(),
                PostKey::parse(query).err(),
                PostNamespace::parse(query).err(),
                PutKey::parse(query).err(),
                DeleteKey::parse(query).err(),
            ];
            for failure in parsed.into_iter().flatten() {
                assert_eq!(failure.status().as_u16(), 400, "{}", failure.message());
            }
        });
    }

    #[test]
    fn a_flag_is_on_in_five_spellings_and_off_in_four() {
        for (query, on) in [
            ("list", true),
            ("list=", true),
            ("list=true", true),
            ("list=True", true),
            ("list=1", true),
            ("", false),
            ("list=false", false),
            ("list=False", false),
            ("list=0", false),
        ] {
            assert_eq!(
                Query::parse(query).unwrap().flag("list").unwrap(),
                on,
                "{query}"
            );
        }
        let odd = Query::parse("list=yes").unwrap().flag("list");
        assert_eq!(
            message(odd),
            "the parameter \"list\" is \"yes\"; it can be true or false"
        );
    }

    #[test]
    fn unknown_repeated_and_misplaced_parameters_are_named() {
        let finish = |raw| message(Query::parse(raw).unwrap().finish("a read"));
        assert_eq!(finish("prefx"), "the parameter \"prefx\" is not known");
        assert_eq!(
            finish("ttl=1"),
            "the parameter \"ttl\" does not go with a read"
        );
        assert_eq!(
            message(Query::parse("a&b&a=1")),
            "the parameter \"a\" is repeated"
        );
        assert_eq!(
            message(Query::parse("li%73t&list")),
            "the parameter \"list\" is repeated"
        );
    }

    #[test]
    fn a_request_has_a_limited_number_of_parameters_and_is_parsed_no_further() {
        let many = |count: usize| {
            let names: Vec<_> = (0..count).map(|n| format!("p{n}=%zz")).collect();
            names.join("&&")
        };
        assert!(Query::parse(&many(MAX_PARAMETERS)).is_ok());
        for count in [MAX_PARAMETERS + 1, 14_500] {
            let refused = message(Query::parse(&many(count)));
            assert!(refused.contains("more than 32 parameters"), "{refused}");
        }
        // A later mistake is not looked for.
        let later = format!("{}&%zz", many(MAX_PARAMETERS + 1));
        assert!(message(Query::parse(&later)).contains("32"));
    }

    #[test]
    fn values_are_decoded_as_forms_are() {
        let mut query = Query::parse("prev=a+b%2Bc&after=%ff&x=%&ttl").unwrap();
        assert_eq!(
            query.bytes("prev").unwrap().as_deref(),
            Some(b"a b+c".as_slice())
        );
        assert!(message(query.text("after")).contains("UTF-8"));
        assert!(message(query.bytes("x")).contains("hexadecimal"));
        assert_eq!(
            message(query.text("ttl")),
            "the parameter \"ttl\" needs a value"
        );
    }
}

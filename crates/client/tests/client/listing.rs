//! Listings over several pages, and pages that are cut off.

use prominence_api::Listed;
use prominence_client::{Error, Levels, ListOptions, Show};
use prominence_core::{Order, Prefix};

use crate::script::{Script, answer};

fn page(names: &str, next: Option<&str>) -> String {
    let link = next.map_or_else(String::new, |after| {
        format!("Link: </prominence/v1/kv/in?list&limit=10000&after={after}>; rel=\"next\"\r\n")
    });
    answer("200 OK", &link, names)
}

fn names(script: &Script) -> Vec<Result<String, Error>> {
    let client = script.client();
    let items = client.list(&Prefix::parse("/in").unwrap(), ListOptions::default());
    items
        .map(|item| match item? {
            Listed::Name(name) => Ok(name),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn pages_follow_each_other_to_the_end() {
    let script = Script::new(&[
        page("[\"/in/a\", \"/in/b c\"]", Some("/in/b%20c")),
        page("[]", Some("/in/x")),
        page("[\"/in/y\"]", None),
    ]);
    let names: Vec<_> = names(&script).into_iter().map(Result::unwrap).collect();
    assert_eq!(names, ["/in/a", "/in/b c", "/in/y"]);
    let requests = script.played();
    assert!(requests[0].starts_with("GET /prominence/v1/kv/in?list&limit=10000 HTTP/1.1"));
    assert!(requests[1].contains("&after=/in/b%20c HTTP/1.1"));
    assert!(requests[2].contains("&after=/in/x HTTP/1.1"));
}

#[test]
fn a_page_that_breaks_off_is_an_error_and_never_a_shorter_listing() {
    let whole = page("[\"/in/a\", \"/in/b\"]", None);
    let cut_off = whole[..whole.len() - 9].to_owned();
    let first = page("[\"/in/0\"]", Some("/in/0"));
    let mut script = vec![first];
    // Requested again until the time is over; after these the server has ended.
    script.extend(vec![cut_off; 3]);
    let script = Script::new(&script);
    let names = names(&script);
    assert_eq!(names.len(), 2, "one name, then the error, then nothing");
    assert_eq!(names[0].as_ref().unwrap(), "/in/0");
    assert!(
        matches!(names[1], Err(Error::Unreachable { .. })),
        "{names:?}"
    );
    script.played();
}

#[test]
fn a_page_that_ends_early_but_politely_is_an_error_too() {
    let script = Script::new(&[page("[\"/in/a\", ", None)]);
    let names = names(&script);
    assert!(
        matches!(names[..], [Err(Error::BadAnswer { .. })]),
        "{names:?}"
    );
    script.played();
}

#[test]
fn a_server_that_leads_in_circles_is_left() {
    let script = Script::new(&[
        page("[\"/in/a\"]", Some("/in/a")),
        page("[\"/in/a\"]", Some("/in/a")),
    ]);
    let names = names(&script);
    assert_eq!(names.len(), 2);
    let error = names[1].as_ref().unwrap_err();
    assert!(error.to_string().contains("ahead"), "{error}");
    script.played();
}

#[test]
fn options_are_asked_for_by_their_parameters() {
    let script = Script::new(&[page("[{\"prefix\": \"/in/\"}]", None)]);
    let options = ListOptions {
        levels: Levels::One,
        show: Show::Entries,
        limit: None,
        after: Some(Prefix::parse("/a&b").unwrap()),
        order: Order::Descending,
    };
    let client = script.client();
    let items: Vec<_> = client.list(&Prefix::everything(), options).collect();
    assert!(
        matches!(items[..], [Ok(Listed::Folder { .. })]),
        "{items:?}"
    );
    let requests = script.played();
    assert!(
        requests[0].starts_with(
            "GET /prominence/v1/kv?list&limit=10000&detail&values&delimiter=/&order=desc&after=/a%26b HTTP/1.1"
        ),
        "{}",
        requests[0]
    );
}

//! Watches after lost connections: missing changes are always reported.

use std::time::Duration;

use prominence_client::{Event, Start, WatchOptions};
use prominence_core::{Prefix, Revision};

use crate::script::{Script, answer, refusal};

/// The events of a watch before its connection is closed.
fn told(text: &str) -> String {
    answer("200 OK", "Content-Type: text/event-stream\r\n", text)
}

fn put(revision: u64) -> String {
    let data = format!(
        "{{\"key\":\"/a\",\"revision\":{revision},\"time\":\"2026-01-01T00:00:00.000Z\",\"size\":1}}"
    );
    format!("id: {revision}\nevent: put\ndata: {data}\n\n")
}

fn compacted() -> String {
    refusal(
        "410 Gone",
        "compacted",
        "Prominence-Oldest-Revision: 11\r\n",
    )
}

/// A short form of an event.
fn seen(event: Event) -> String {
    match event {
        Event::Put(changed) => format!("put {}", changed.revision),
        Event::Reset(revision) => format!("reset {revision}"),
        other => format!("{other:?}"),
    }
}

/// The first events of a watch from revision 5 on.
fn first(script: &Script, number: usize) -> Vec<String> {
    let client = script.client();
    let options = WatchOptions {
        start: Start::After(Revision::new(5)),
        ..WatchOptions::default()
    };
    let watch = client.watch(&Prefix::everything(), options);
    watch
        .take(number)
        .map(|event| seen(event.unwrap()))
        .collect()
}

#[test]
fn a_reset_midway_is_told_and_the_watch_goes_on_behind_it() {
    let reset = "id: 9\nevent: reset\ndata: {\"revision\":9}\n\n";
    let text = format!("id: 5\n\n{}{reset}{}", put(6), put(10));
    let script = Script::new(&[told(&text), told(&format!("id: 10\n\n{}", put(11)))]);
    assert_eq!(first(&script, 4), ["put 6", "reset 9", "put 10", "put 11"]);
    let requests = script.played();
    assert!(requests[0].starts_with("GET /prominence/v1/kv?watch&since=5 "));
    assert!(!requests[0].contains("last-event-id"), "{}", requests[0]);
    assert!(
        requests[1].contains("last-event-id: 10\r\n"),
        "{}",
        requests[1]
    );
}

#[test]
fn a_watch_whose_place_is_gone_when_it_comes_back_tells_a_reset_and_starts_anew() {
    let script = Script::new(&[
        told(&format!("id: 5\n\n{}", put(6))),
        compacted(),
        told(&format!("id: 12\n\n{}", put(13))),
    ]);
    assert_eq!(first(&script, 3), ["put 6", "reset 12", "put 13"]);
    let requests = script.played();
    assert!(
        requests[1].contains("last-event-id: 6\r\n"),
        "{}",
        requests[1]
    );
    assert!(
        requests[2].starts_with("GET /prominence/v1/kv?watch HTTP"),
        "{}",
        requests[2]
    );
    assert!(!requests[2].contains("last-event-id"), "{}", requests[2]);
}

#[test]
fn a_start_that_is_past_is_an_error_and_no_reset() {
    let script = Script::new(&[compacted()]);
    let client = script.client();
    let options = WatchOptions {
        start: Start::After(Revision::new(5)),
        ..WatchOptions::default()
    };
    let mut watch = client.watch(&Prefix::everything(), options);
    let error = watch.next().unwrap().unwrap_err();
    assert!(error.is_compacted(), "{error:?}");
    assert!(watch.next().is_none(), "it ends after its error");
    assert_eq!(script.played().len(), 1, "it is not asked again");
}

#[test]
fn a_pause_that_the_server_asks_for_is_not_cut_short_by_a_watch() {
    let busy = refusal(
        "429 Too Many Requests",
        "rate_limited",
        "Retry-After: 40\r\n",
    );
    let script = Script::new(&[busy, told(&format!("id: 5\n\n{}", put(6)))]);
    assert_eq!(first(&script, 1), ["put 6"]);
    let pauses = script.pauses();
    assert!(pauses[0] >= Duration::from_secs(40), "{pauses:?}");
    script.played();
}

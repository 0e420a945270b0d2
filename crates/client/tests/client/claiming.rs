//! Claims and batches: the requests, and the meaning of answers.

use std::time::Duration;

use prominence_api::{Batch, BatchOperation, BatchResult};
use prominence_client::Error;
use prominence_core::{Key, Prefix, Revision, Timestamp};

use crate::script::{Script, answer, refusal};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_claim_gives_the_key_the_value_and_what_to_name_later() {
    let headers = "ETag: \"3\"\r\nProminence-Key: /w/a%20b\r\n\
                   Prominence-Claimed-Until: 2023-11-14T22:14:20.000Z\r\n";
    let renewed = r#"{"key":"/w/a b","revision":4,"claimed_until":"2023-11-14T22:15:20.000Z"}"#;
    let script = Script::new(&[
        answer("200 OK", headers, "work"),
        answer("200 OK", "ETag: \"4\"\r\n", renewed),
        answer("200 OK", "", r#"{"key":"/w/a b","revision":5}"#),
        refusal("412 Precondition Failed", "precondition_failed", ""),
    ]);
    let client = script.client();
    let prefix = Prefix::parse("/w/").unwrap();
    let claimed = client
        .claim(&prefix, MINUTE, Some(MINUTE / 2))
        .unwrap()
        .unwrap();
    assert_eq!(claimed.key.as_str(), "/w/a b");
    assert_eq!(claimed.entry.value, b"work");
    let revision = claimed.entry.metadata.revision;
    let held = client.renew(&claimed.key, revision, MINUTE).unwrap();
    assert_eq!(held.until, Timestamp::from_secs(1_700_000_120));
    assert_eq!(
        client.release(&claimed.key, held.revision).unwrap(),
        Revision::new(5)
    );
    let late = client.release(&claimed.key, held.revision);
    assert!(matches!(late, Err(Error::PreconditionFailed(_))));
    let requests = script.played();
    for (request, start, condition) in [
        (
            &requests[0],
            "POST /prominence/v1/kv/w/?claim=1m&wait=25 ",
            "",
        ),
        (
            &requests[1],
            "POST /prominence/v1/kv/w/a%20b?renew=1m ",
            "if-match: \"3\"",
        ),
        (
            &requests[2],
            "POST /prominence/v1/kv/w/a%20b?release ",
            "if-match: \"4\"",
        ),
    ] {
        assert!(request.starts_with(start), "{request}");
        assert!(request.contains(condition), "{request}");
    }
}

#[test]
fn nothing_to_take_is_no_error() {
    let script = Script::new(&["HTTP/1.1 204 No Content\r\nX-Request-Id: r-0\r\n\r\n".to_owned()]);
    let everything = Prefix::everything();
    assert_eq!(
        script.client().claim(&everything, MINUTE, None).unwrap(),
        None
    );
    assert!(script.played()[0].starts_with("POST /prominence/v1/kv?claim=1m "));
}

#[test]
fn a_claim_is_repeated_since_what_a_lost_answer_took_frees_itself() {
    let nothing = "HTTP/1.1 204 No Content\r\nX-Request-Id: r-0\r\n\r\n".to_owned();
    let script = Script::new(&[
        refusal("503 Service Unavailable", "unavailable", ""),
        String::new(),
        nothing,
    ]);
    let claimed = script.client().claim(&Prefix::everything(), MINUTE, None);
    assert_eq!(claimed.unwrap(), None);
    assert_eq!(script.played().len(), 3);
}

#[test]
fn a_batch_says_what_each_operation_did() {
    let body = r#"{"revision":7,"results":[{"key":"/n","value":3},{"key":"/b","deleted":0}]}"#;
    let script = Script::new(&[answer("200 OK", "ETag: \"7\"\r\n", body)]);
    let add = BatchOperation {
        add: Some("/n".to_owned()),
        by: Some(1),
        ..BatchOperation::default()
    };
    let batch = Batch {
        operations: vec![add],
        ..Batch::default()
    };
    let done = script.client().batch(&batch).unwrap();
    assert_eq!(done.revision, 7);
    let key = Key::parse("/n").unwrap().to_string();
    assert_eq!(done.results[0], BatchResult::Added { key, value: 3 });
    let request = &script.played()[0];
    assert!(
        request.starts_with("POST /prominence/v1/kv HTTP/1.1"),
        "{request}"
    );
    assert!(
        request.contains("content-type: application/json"),
        "{request}"
    );
    assert!(
        request.ends_with(r#"{"do":[{"add":"/n","by":1}]}"#),
        "{request}"
    );
}

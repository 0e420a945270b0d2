//! The client library against a real server, where the program does not use all of it.

use std::num::NonZero;
use std::time::Duration;

use prominence_api::Listed;
use prominence_client::{Error, Levels, Lifetime, ListOptions, SetOptions, Show, Stored};
use prominence_core::{Key, Order, Precondition, Prefix, Revision, Value};

use crate::support::Server;

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn only(condition: Precondition) -> SetOptions {
    SetOptions {
        condition: Some(condition),
        ..SetOptions::default()
    }
}

#[test]
fn every_condition_is_understood_by_the_server() {
    let server = Server::start();
    let client = server.user("me").client();
    let a = key("/a");
    let plain = SetOptions::default();

    let absent = client.set(&a, b"1", &only(Precondition::Present));
    assert!(
        matches!(absent, Err(Error::PreconditionFailed(_))),
        "{absent:?}"
    );
    let created = client.set(&a, b"x y&\xff", &plain).unwrap();
    assert_eq!(created.stored, Stored::Created);
    let value = |bytes: &[u8]| Precondition::Value(Value::new(bytes.to_vec(), 100).unwrap());
    let replaced = client.set(&a, b"2", &only(value(b"x y&\xff"))).unwrap();
    assert_eq!(replaced.stored, Stored::Replaced);
    let other = client.set(&a, b"3", &only(value(b"x")));
    assert!(
        matches!(other, Err(Error::PreconditionFailed(_))),
        "{other:?}"
    );
    client.set(&a, b"4", &only(Precondition::Present)).unwrap();

    let revision = client.head(&a).unwrap().unwrap().revision;
    let stale = client.delete_revision(&a, Revision::new(revision.get() - 1));
    assert!(
        matches!(stale, Err(Error::PreconditionFailed(_))),
        "{stale:?}"
    );
    assert_eq!(client.delete_revision(&a, revision).unwrap(), 1);
    assert_eq!(client.delete(&a).unwrap(), 0);
}

#[test]
fn head_knows_what_get_knows_but_for_the_value() {
    let server = Server::start();
    let client = server.user("me").client();
    let a = key("/a");
    assert_eq!(client.head(&a).unwrap(), None);
    let options = SetOptions {
        lifetime: Lifetime::For(Duration::from_secs(3_600)),
        ..SetOptions::default()
    };
    let written = client.set(&a, b"12345", &options).unwrap();
    let entry = client.get(&a).unwrap().unwrap();
    assert_eq!(client.head(&a).unwrap(), Some(entry.metadata.clone()));
    assert_eq!(entry.metadata.size, 5);
    assert_eq!(entry.metadata.revision, written.revision);
    assert!(entry.metadata.expires > entry.metadata.modified);
}

#[test]
fn a_listing_of_many_pages_has_every_key_once_in_each_form() {
    const KEYS: usize = 10_050;
    let server = Server::start();
    let client = server.user("me").client();
    // Many at once share the wait for the disk.
    std::thread::scope(|scope| {
        for part in 0..50 {
            let client = client.clone();
            scope.spawn(move || {
                for number in (part..KEYS).step_by(50) {
                    let key = key(&format!("/k/{number:06}"));
                    client.set(&key, b"v", &SetOptions::default()).unwrap();
                }
            });
        }
    });
    let names: Vec<_> = client
        .list(&Prefix::parse("/k/").unwrap(), ListOptions::default())
        .map(|item| match item.unwrap() {
            Listed::Name(name) => name,
            other => panic!("{other:?}"),
        })
        .collect();
    let expected: Vec<_> = (0..KEYS).map(|number| format!("/k/{number:06}")).collect();
    assert_eq!(names, expected);
    assert_eq!(client.count(&Prefix::everything()).unwrap(), KEYS as u64);

    let after = |show| ListOptions {
        levels: Levels::All,
        show,
        limit: None,
        after: Some(Prefix::parse("/k/010048").unwrap()),
        order: Order::Ascending,
    };
    let everything = Prefix::everything();
    let last = |show| -> Vec<Listed> {
        client
            .list(&everything, after(show))
            .collect::<Result<_, _>>()
            .unwrap()
    };
    let values = last(Show::Values);
    assert!(
        matches!(&values[..], [Listed::Value(pair)] if pair.contains_key("/k/010049")),
        "{values:?}"
    );
    let entries = last(Show::Entries);
    assert!(
        matches!(&entries[..], [Listed::Detail(detail)] if detail.value.as_deref() == Some("v")),
        "{entries:?}"
    );
    let few = NonZero::new(10).unwrap();
    let counted = client.count_up_to(&everything, few).unwrap();
    assert_eq!((counted.count, counted.more), (10, true));
    let counted_level = ListOptions {
        levels: Levels::OneCounted(few),
        show: Show::Details,
        ..ListOptions::default()
    };
    let level: Vec<_> = client.list(&everything, counted_level).collect();
    let folder = Listed::Folder {
        prefix: "/k/".to_owned(),
        count: Some(10),
        more: true,
    };
    assert!(
        matches!(&level[..], [Ok(found)] if *found == folder),
        "{level:?}"
    );
    assert_eq!(client.dry_run(&everything).unwrap(), KEYS as u64);
    let refused = client.delete_prefix_if_count(&everything, KEYS as u64 - 1);
    assert!(
        matches!(refused, Err(Error::PreconditionFailed(_))),
        "{refused:?}"
    );
    let deleted = client.delete_prefix_if_count(&everything, KEYS as u64);
    assert_eq!(deleted.unwrap(), KEYS as u64);
    assert_eq!(client.usage().unwrap().keys, 0);
}

//! A server that dies, hangs, or changes.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use donjon_domain::{
    ContentType, SecretBytes, SecretType,
    ports::{
        GenerationRequest, Locator, OutsidePayload, PayloadName, PayloadStore, StoreError,
        StoreErrorKind,
    },
};
use donjon_store_kmip::{KmipConfig, KmipStore};
use donjon_testkit::{block_on, sample};

use crate::{
    contract::enter,
    fake::{Fake, Fault, Object, login},
};

pub(crate) fn name(secret: u64, put: u64) -> PayloadName {
    sample::payload_name(1, secret, put)
}

pub(crate) fn put(
    store: &KmipStore,
    name: &PayloadName,
    bytes: &[u8],
) -> Result<Locator, StoreError> {
    let (project, secret) = (sample::project("p"), SecretBytes::new(bytes.to_vec()));
    let payload = OutsidePayload {
        project: &project,
        secret_type: SecretType::Opaque,
        content_type: ContentType::OctetStream,
        algorithm: None,
        bit_length: None,
        bytes: &secret,
    };
    block_on(store.put(name, &payload))
}

pub(crate) fn get(store: &KmipStore, locator: &Locator) -> Result<Vec<u8>, StoreError> {
    block_on(store.get(locator)).map(|bytes| bytes.expose().to_vec())
}

fn kind<T>(done: Result<T, StoreError>) -> StoreErrorKind {
    done.map(drop).unwrap_err().kind()
}

#[test]
fn connections_are_kept() {
    let _entered = enter();
    let (fake, at) = (Fake::start(), name(1, 1));
    let store = fake.store();
    let locator = put(&store, &at, b"a").unwrap();
    for _ in 0..10 {
        get(&store, &locator).unwrap();
    }
    assert_eq!(fake.shared().connections.load(Ordering::SeqCst), 1);
}

#[test]
fn connections_that_ended_meanwhile_are_no_failure() {
    let _entered = enter();
    let (fake, at) = (Fake::start(), name(1, 1));
    let store = fake.store();
    let locator = put(&store, &at, b"a").unwrap();
    for round in 2..6 {
        fake.drop_connections();
        put(&store, &name(1, round), b"b").unwrap();
        fake.drop_connections();
        assert_eq!(get(&store, &locator).unwrap(), b"a");
    }
}

/// The connection ends while the message is under way: whether it got there is
/// not known, and it must not be there twice.
#[test]
fn a_put_that_a_kept_connection_lost_is_there_once() {
    let _entered = enter();
    for was_done in [false, true] {
        let (fake, at) = (Fake::start(), name(1, 1));
        let store = fake.store();
        put(&store, &name(2, 1), b"before").unwrap();
        fake.set_fault(Some(Fault::CloseOnce(was_done)));
        let locator = put(&store, &at, b"a").unwrap();
        assert_eq!(fake.state().objects.len(), 2, "{was_done}");
        assert_eq!(get(&store, &locator).unwrap(), b"a");
    }
}

#[test]
fn a_pair_that_a_kept_connection_lost_is_there_once() {
    let _entered = enter();
    let (spec, project) = (sample::key_spec("rsa", 2048), sample::project("p"));
    let request = GenerationRequest::KeyPair(&spec, None);
    for was_done in [false, true] {
        let fake = Fake::start();
        let store = fake.store();
        put(&store, &name(9, 1), b"before").unwrap();
        fake.set_fault(Some(Fault::CloseOnce(was_done)));
        let names = [name(1, 1), name(2, 1)];
        let made = block_on(store.generate(&names, &project, request)).unwrap();
        assert_eq!(fake.state().objects.len(), 3, "{was_done}");
        let types = made.iter().map(|locator| {
            let pem = String::from_utf8(get(&store, locator).unwrap()).unwrap();
            pem.lines().next().unwrap().to_owned()
        });
        let expected = ["-----BEGIN PRIVATE KEY-----", "-----BEGIN PUBLIC KEY-----"];
        assert_eq!(types.collect::<Vec<_>>(), expected);
    }
}

/// What servers do not make alike is made elsewhere, and so is all where the
/// operator wants it.
#[test]
fn few_keys_are_made() {
    let _entered = enter();
    let fake = Fake::start();
    let (store, secret) = (fake.store(), SecretBytes::new(b"passphrase".to_vec()));
    let aes = sample::key_spec("aes", 256);
    let idle = KmipStore::new(KmipConfig {
        makes_keys: false,
        ..fake.config()
    })
    .unwrap();
    assert!(!idle.can_generate(GenerationRequest::Symmetric(&aes)));
    for (name, bits, pair, passphrase) in [
        ("aes", 512, false, None),
        ("3des", 192, false, None),
        ("aes", 256, true, None),
        ("rsa", 2048, false, None),
        ("rsa", 1024, true, None),
        ("rsa", 2048, true, Some(&secret)),
        ("dsa", 2048, true, None),
    ] {
        let spec = sample::key_spec(name, bits);
        let request = if pair {
            GenerationRequest::KeyPair(&spec, passphrase)
        } else {
            GenerationRequest::Symmetric(&spec)
        };
        assert!(!store.can_generate(request), "{name} {bits}");
    }
    // More or fewer names than keys.
    let names = [name(1, 1), name(2, 1)];
    let wrong = GenerationRequest::Symmetric(&aes);
    let refused = block_on(store.generate(&names, &sample::project("p"), wrong));
    assert_eq!(kind(refused), StoreErrorKind::Refused);
    assert!(fake.state().objects.is_empty());
}

#[test]
fn what_changes_nothing_is_asked_again() {
    let _entered = enter();
    let (fake, at) = (Fake::start(), name(1, 1));
    let store = fake.store();
    let locator = put(&store, &at, b"a").unwrap();
    fake.set_fault(Some(Fault::CloseOnce(false)));
    assert_eq!(get(&store, &locator).unwrap(), b"a");
    fake.set_fault(Some(Fault::CloseOnce(false)));
    assert_eq!(block_on(store.find(&at)).unwrap(), Some(locator.clone()));
    fake.set_fault(Some(Fault::CloseOnce(true)));
    block_on(store.delete(&locator)).unwrap();
    assert!(fake.state().objects.is_empty());
}

#[test]
fn a_server_that_is_away_is_unavailable() {
    let _entered = enter();
    let (fake, at) = (Fake::start(), name(1, 1));
    let store = fake.store();
    let locator = put(&store, &at, b"a").unwrap();
    fake.set_fault(Some(Fault::Away));
    fake.drop_connections();
    assert_eq!(kind(get(&store, &locator)), StoreErrorKind::Unavailable);
    assert_eq!(
        kind(put(&store, &name(1, 2), b"b")),
        StoreErrorKind::Unavailable
    );
    assert_eq!(kind(block_on(store.check())), StoreErrorKind::Unavailable);
    fake.set_fault(None);
    assert_eq!(get(&store, &locator).unwrap(), b"a");
}

#[test]
fn one_that_ends_connections_is_unavailable() {
    let _entered = enter();
    for is_done in [false, true] {
        let (fake, at) = (Fake::start(), name(1, 1));
        let store = fake.store();
        let locator = put(&store, &at, b"a").unwrap();
        fake.set_fault(Some(Fault::Close(is_done)));
        assert_eq!(kind(get(&store, &locator)), StoreErrorKind::Unavailable);
        let lost = put(&store, &name(1, 2), b"b");
        assert_eq!(kind(lost), StoreErrorKind::Unavailable);
        fake.set_fault(None);
        let found = block_on(store.find(&name(1, 2))).unwrap();
        assert!(is_done || found.is_none());
    }
}

#[test]
fn one_that_hangs_is_given_up_in_time() {
    let _entered = enter();
    let fake = Fake::start();
    let store = KmipStore::new(KmipConfig {
        patience: Duration::from_millis(200),
        ..fake.config()
    })
    .unwrap();
    let locator = put(&store, &name(1, 1), b"a").unwrap();
    fake.set_fault(Some(Fault::Hang));
    let begun = Instant::now();
    assert_eq!(kind(get(&store, &locator)), StoreErrorKind::Unavailable);
    let all = [
        kind(put(&store, &name(1, 2), b"b")),
        kind(block_on(store.delete(&locator))),
        kind(block_on(store.find(&name(1, 1)))),
        kind(block_on(store.list(name(1, 1).deployment, None, 1))),
    ];
    assert_eq!(all, [StoreErrorKind::Unavailable; 4]);
    assert!(begun.elapsed() < Duration::from_secs(5));
    fake.set_fault(None);
    // It has failed five times, and is left alone for a while.
    let messages = fake.shared().messages.load(Ordering::SeqCst);
    assert_eq!(kind(get(&store, &locator)), StoreErrorKind::Unavailable);
    assert_eq!(fake.shared().messages.load(Ordering::SeqCst), messages);
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(get(&store, &locator).unwrap(), b"a");
}

/// The id of what was destroyed may become another's.
#[test]
fn an_id_that_comes_back_is_another_object() {
    let _entered = enter();
    let fake = Fake::start();
    fake.state().reuses_ids = true;
    let store = fake.store();
    let gone = put(&store, &name(1, 1), b"a").unwrap();
    block_on(store.delete(&gone)).unwrap();
    let other = put(&store, &name(2, 1), b"b").unwrap();
    assert_eq!(
        gone.as_bytes().last(),
        other.as_bytes().last(),
        "the same id"
    );
    assert_eq!(kind(get(&store, &gone)), StoreErrorKind::Missing);
    block_on(store.delete(&gone)).unwrap();
    assert_eq!(get(&store, &other).unwrap(), b"b");
    let listed = block_on(store.list(name(1, 1).deployment, None, 10)).unwrap();
    assert_eq!(listed.len(), 1);
    block_on(store.delete(&other)).unwrap();
    put(&store, &name(3, 1), b"c").unwrap();
    let listed = block_on(store.list(name(1, 1).deployment, None, 10)).unwrap();
    assert_eq!(listed.first().map(|found| found.name), Some(name(3, 1)));
}

/// Of others, in the same group even, nothing shows.
#[test]
fn objects_of_others_do_not_show() {
    let _entered = enter();
    let fake = Fake::start();
    let store = fake.store();
    put(&store, &name(1, 1), b"a").unwrap();
    let own = fake.state().objects.values().next().unwrap().clone();
    for name in [None, Some("key of somebody".to_owned())] {
        let other = Object {
            name,
            object_type: 2,
            ..own.clone()
        };
        fake.state().keep(other);
    }
    let listed = block_on(store.list(name(1, 1).deployment, None, 10)).unwrap();
    assert_eq!(listed.len(), 1);
}

#[test]
fn every_version_is_spoken() {
    let _entered = enter();
    for minor in 0..=4 {
        let fake = Fake::start();
        fake.state().minor_max = minor;
        let store = fake.store();
        let locator = put(&store, &name(1, 1), b"a").unwrap();
        assert_eq!(get(&store, &locator).unwrap(), b"a", "1.{minor}");
    }
    // Another server takes its place.
    let fake = Fake::start();
    let store = fake.store();
    let locator = put(&store, &name(1, 1), b"a").unwrap();
    fake.state().minor_max = 0;
    assert_eq!(kind(get(&store, &locator)), StoreErrorKind::Refused);
    assert_eq!(get(&store, &locator).unwrap(), b"a");
}

#[test]
fn who_is_not_let_in_is_refused() {
    let _entered = enter();
    let fake = Fake::start();
    fake.state().password = Some("right");
    let with = |login| {
        let config = KmipConfig {
            login,
            ..fake.config()
        };
        put(&KmipStore::new(config).unwrap(), &name(1, 1), b"a")
    };
    for wrong in [None, Some(login("wrong"))] {
        let error = with(wrong).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Refused);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("who are you?"), "{source}");
    }
    with(Some(login("right"))).unwrap();
    // Without a certificate nobody gets that far.
    let mut config = fake.config();
    config.tls.certfile = None;
    config.tls.keyfile = None;
    let error = put(&KmipStore::new(config).unwrap(), &name(1, 1), b"a").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

#[test]
fn what_is_too_large_is_not_sent() {
    let _entered = enter();
    let fake = Fake::start();
    let store = fake.store();
    let largest = vec![7; 65_536];
    let locator = put(&store, &name(1, 1), &largest).unwrap();
    assert_eq!(get(&store, &locator).unwrap(), largest);
    let messages = fake.shared().messages.load(Ordering::SeqCst);
    let refused = put(&store, &name(1, 2), &vec![7; 65_537]);
    assert_eq!(kind(refused), StoreErrorKind::Refused);
    assert_eq!(fake.shared().messages.load(Ordering::SeqCst), messages);
}

/// Whoever takes less from now on still reads what was put before.
#[test]
fn what_was_put_under_a_larger_limit_is_read() {
    let _entered = enter();
    let fake = Fake::start();
    let with = |payload_bytes_max| {
        KmipStore::new(KmipConfig {
            payload_bytes_max,
            ..fake.config()
        })
        .unwrap()
    };
    let largest = vec![7; KmipConfig::PAYLOAD_BYTES_MAX];
    let locator = put(&with(largest.len()), &name(1, 1), &largest).unwrap();
    let store = with(16);
    assert_eq!(
        kind(put(&store, &name(1, 2), &[7; 17])),
        StoreErrorKind::Refused
    );
    assert!(get(&store, &locator).unwrap() == largest);
}

/// Of two objects with one name, as a put that arrived twice leaves them, none
/// hides the other for good.
#[test]
fn two_of_one_name_are_found_one_after_the_other() {
    let _entered = enter();
    let (fake, at) = (Fake::start(), name(1, 1));
    let store = fake.store();
    put(&store, &at, b"a").unwrap();
    let double = fake.state().objects.values().next().unwrap().clone();
    fake.state().keep(double);
    for left in [1, 0] {
        let found = block_on(store.find(&at)).unwrap().unwrap();
        block_on(store.delete(&found)).unwrap();
        assert_eq!(fake.state().objects.len(), left);
    }
    assert_eq!(block_on(store.find(&at)).unwrap(), None);
}

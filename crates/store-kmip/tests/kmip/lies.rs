//! A server that lies: each lie ends in an error of the port, in time, and the
//! next call is right again.

use std::sync::Arc;

use donjon_domain::ports::{GenerationRequest, PayloadName, PayloadStore, StoreErrorKind};
use donjon_kmip_ttlv::{Item, Limits, Tag, Value, decode, encode};
use donjon_store_kmip::KmipStore;
use donjon_testkit::{block_on, sample};

use crate::{
    contract::enter,
    fake::{Fake, Fault},
    faults::{get, name, put},
    message::{find_mut, items_mut, structure},
};

type Lie = Box<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>;

/// Changes items.
fn of_items(change: fn(&mut Item)) -> Lie {
    Box::new(move |bytes| {
        let mut message = decode(&bytes, &Limits::default()).unwrap();
        change(&mut message);
        encode(&message).unwrap().to_vec()
    })
}

/// Changes the first result.
fn of_result(change: fn(&mut Item)) -> Lie {
    Box::new(move |bytes| {
        let mut message = decode(&bytes, &Limits::default()).unwrap();
        change(find_mut(&mut message, 0x000f).unwrap());
        encode(&message).unwrap().to_vec()
    })
}

fn lies() -> Vec<(&'static str, Lie)> {
    vec![
        (
            "no TTLV",
            Box::new(|_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ),
        ("nothing but zeros", Box::new(|_| vec![0; 64])),
        (
            "promises 4 GiB",
            Box::new(|mut bytes| {
                bytes[4..8].copy_from_slice(&[0xff, 0xff, 0xff, 0xf8]);
                bytes
            }),
        ),
        (
            "a structure that goes on behind its end",
            Box::new(|mut bytes| {
                bytes[12..16].copy_from_slice(&[0x7f, 0xff, 0xff, 0xf8]);
                bytes
            }),
        ),
        (
            "an item in the middle is cut",
            Box::new(|mut bytes| {
                let cut = bytes.len() - 16;
                bytes.truncate(cut);
                let inside = u32::try_from(cut - 8).unwrap();
                bytes[4..8].copy_from_slice(&inside.to_be_bytes());
                bytes
            }),
        ),
        (
            "a request",
            of_items(|message| message.tag = Tag::standard(0x0078)),
        ),
        (
            "no header",
            of_items(|message| drop(items_mut(message).remove(0))),
        ),
        (
            "no result",
            of_items(|message| items_mut(message).truncate(1)),
        ),
        (
            "a result too many",
            of_items(|message| {
                let last = items_mut(message).last().unwrap().clone();
                items_mut(message).push(last);
            }),
        ),
        (
            "no batch item",
            of_items(|message| items_mut(message)[1].tag = Tag::standard(0x0001)),
        ),
        (
            "a batch item that is a number",
            of_items(|message| items_mut(message)[1].value = Value::Integer(1)),
        ),
        (
            "another operation",
            of_result(|result| {
                find_mut(result, 0x005c).unwrap().value = Value::Enumeration(0x18);
            }),
        ),
        (
            "no status",
            of_result(|result| find_mut(result, 0x007f).unwrap().tag = Tag::standard(0x0001)),
        ),
        (
            "pending",
            of_result(|result| {
                find_mut(result, 0x007f).unwrap().value = Value::Enumeration(2);
            }),
        ),
        (
            "a status of another type",
            of_result(|result| {
                find_mut(result, 0x007f).unwrap().value = Value::text("Success");
            }),
        ),
        (
            "a payload of another type",
            of_result(|result| {
                if let Some(payload) = find_mut(result, 0x007c) {
                    payload.value = Value::bytes([1, 2, 3]);
                }
            }),
        ),
        (
            "another object",
            of_result(|result| {
                let id = find_mut(result, 0x007c).and_then(|found| find_mut(found, 0x0094));
                if let Some(id) = id {
                    id.value = Value::text("another");
                }
            }),
        ),
        (
            "an id that is none",
            of_result(|result| {
                let id = find_mut(result, 0x007c).and_then(|found| find_mut(found, 0x0094));
                if let Some(id) = id {
                    id.value = Value::Integer(1);
                }
            }),
        ),
        (
            "an id that is too long",
            of_result(|result| {
                let id = find_mut(result, 0x007c).and_then(|found| find_mut(found, 0x0094));
                if let Some(id) = id {
                    id.value = Value::text("x".repeat(2_000));
                }
            }),
        ),
    ]
}

#[test]
fn every_lie_is_an_error() {
    let _entered = enter();
    for (what, lie) in lies() {
        let fake = Fake::start();
        let store = fake.store();
        let locator = put(&store, &name(1, 1), b"a").unwrap();
        fake.set_fault(Some(Fault::Lie(Arc::from(lie))));
        let known = [StoreErrorKind::Unavailable, StoreErrorKind::Refused];
        let got = get(&store, &locator).unwrap_err();
        assert!(known.contains(&got.kind()), "{what}: {got:?}");
        let deleted = block_on(store.delete(&locator)).unwrap_err();
        assert!(known.contains(&deleted.kind()), "{what}: {deleted:?}");
        assert_eq!(fake.state().objects.len(), 1, "{what}");
        // What a put says of the new object cannot be checked.
        let done = put(&store, &name(1, 2), b"b");
        if what != "another object" {
            let error = done.unwrap_err();
            assert!(known.contains(&error.kind()), "{what}: {error:?}");
        }
        for error in [
            block_on(store.find(&name(1, 1))).map(drop),
            block_on(store.list(name(1, 1).deployment, None, 10)).map(drop),
        ] {
            // Where ids are none, nothing is found; else it is said what is wrong.
            if let Err(error) = error {
                assert!(known.contains(&error.kind()), "{what}: {error:?}");
            }
        }
        fake.set_fault(None);
        std::thread::sleep(fake.config().rest * 2);
        assert_eq!(get(&store, &locator).unwrap(), b"a", "{what}");
    }
}

/// Other bytes of the payload, an object of another type, and one without bytes.
#[test]
fn an_object_that_was_not_put_is_corrupt() {
    let _entered = enter();
    let fake = Fake::start();
    let store = fake.store();
    let locator = put(&store, &name(1, 1), b"a").unwrap();
    let corrupt = |change: fn(&mut Item)| {
        let lie: Lie = Box::new(move |bytes| {
            let mut message = decode(&bytes, &Limits::default()).unwrap();
            let last = items_mut(&mut message).last_mut().unwrap();
            if let Some(payload) = find_mut(last, 0x007c) {
                change(payload);
            }
            encode(&message).unwrap().to_vec()
        });
        fake.set_fault(Some(Fault::Lie(Arc::from(lie))));
        let error = get(&store, &locator).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
    };
    corrupt(|payload| find_mut(payload, 0x0057).unwrap().value = Value::Enumeration(6));
    corrupt(|payload| find_mut(payload, 0x0057).unwrap().value = Value::text("Opaque"));
    corrupt(|payload| drop(items_mut(payload).pop()));
    corrupt(|payload| {
        let value = find_mut(payload, 0x005b).and_then(|object| find_mut(object, 0x005a));
        value.unwrap().value = Value::text("a");
    });
}

/// A key that is wrapped, in numbers, or in no form that is known here.
#[test]
fn a_key_in_another_form_is_corrupt() {
    let _entered = enter();
    let fake = Fake::start();
    let store = fake.store();
    let (aes, rsa) = (sample::key_spec("aes", 128), sample::key_spec("rsa", 2048));
    let project = sample::project("p");
    let of = |names: &[PayloadName], request| {
        block_on(store.generate(names, &project, request)).unwrap()
    };
    let mut made = of(&[name(1, 1)], GenerationRequest::Symmetric(&aes));
    let pair = GenerationRequest::KeyPair(&rsa, None);
    made.extend(of(&[name(2, 1), name(3, 1)], pair));
    let changes: [fn(&mut Item); 4] = [
        |block| find_mut(block, 0x0042).unwrap().value = Value::Enumeration(7),
        |block| items_mut(block).push(structure(0x0046, Vec::new())),
        |block| {
            let value = find_mut(block, 0x0045).unwrap();
            find_mut(value, 0x0043).unwrap().value = Value::Structure(Vec::new());
        },
        |block| find_mut(block, 0x0045).unwrap().value = Value::bytes([0; 24]),
    ];
    for (locator, tag) in made.iter().zip([0x008f, 0x0064, 0x006d]) {
        get(&store, locator).unwrap();
        for change in changes {
            let lie: Lie = Box::new(move |bytes| {
                let mut message = decode(&bytes, &Limits::default()).unwrap();
                let last = items_mut(&mut message).last_mut().unwrap();
                let object = find_mut(last, 0x007c).and_then(|found| find_mut(found, tag));
                change(object.and_then(|key| find_mut(key, 0x0040)).unwrap());
                encode(&message).unwrap().to_vec()
            });
            fake.set_fault(Some(Fault::Lie(Arc::from(lie))));
            let error = get(&store, locator).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
            fake.set_fault(None);
        }
    }
}

/// A byte of an answer after the other is another one: nothing but errors, or what
/// was put.
#[test]
fn no_byte_of_an_answer_matters_too_much() {
    let _entered = enter();
    let fake = Fake::start();
    let config = donjon_store_kmip::KmipConfig {
        patience: std::time::Duration::from_millis(300),
        rest: std::time::Duration::ZERO,
        ..fake.config()
    };
    let store = KmipStore::new(config).unwrap();
    let locator = put(&store, &name(1, 1), &[0x55; 32]).unwrap();
    let mut wrong = 0;
    for at in 0..400 {
        let lie: Lie = Box::new(move |mut bytes| {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 0x81;
            }
            bytes
        });
        fake.set_fault(Some(Fault::Lie(Arc::from(lie))));
        wrong += usize::from(get(&store, &locator).is_err());
    }
    assert!(wrong > 200, "{wrong}");
    fake.set_fault(None);
    assert_eq!(get(&store, &locator).unwrap(), [0x55; 32]);
}

/// Who may not look, or may not see what is there, does not know that it is gone.
#[test]
fn a_lack_of_rights_is_no_absence() {
    const PERMISSION_DENIED: u32 = 0x0c;
    let _entered = enter();
    let fake = Fake::start();
    let store = fake.store();
    let locator = put(&store, &name(1, 1), b"a").unwrap();
    for operation in [0x08, 0x0b] {
        // Locate, and the attributes of what it found.
        let lie: Lie = Box::new(move |bytes| {
            let mut message = decode(&bytes, &Limits::default()).unwrap();
            let result = find_mut(&mut message, 0x000f).unwrap();
            if find_mut(result, 0x005c).unwrap().value == Value::Enumeration(operation) {
                find_mut(result, 0x007f).unwrap().value = Value::Enumeration(1);
                items_mut(result).retain(|item| item.tag != Tag::standard(0x007c));
                items_mut(result).push(Item {
                    tag: Tag::standard(0x007e),
                    value: Value::Enumeration(PERMISSION_DENIED),
                });
            }
            encode(&message).unwrap().to_vec()
        });
        fake.set_fault(Some(Fault::Lie(Arc::from(lie))));
        let found = block_on(store.find(&name(1, 1))).unwrap_err();
        assert_eq!(found.kind(), StoreErrorKind::Refused, "{operation:#x}");
        fake.set_fault(None);
    }
    assert_eq!(block_on(store.find(&name(1, 1))).unwrap(), Some(locator));
}

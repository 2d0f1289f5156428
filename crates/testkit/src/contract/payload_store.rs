//! What every `PayloadStore` has to do.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a fact panics where it does not hold"
)]

use std::{future::poll_fn, pin::Pin, task::Poll};

use donjon_domain::{
    ContentType, KeySpec, SecretBytes, SecretType,
    ports::{
        BoxFuture, GenerationRequest, Locator, OutsidePayload, PayloadName, PayloadStore,
        StoreError, StoreErrorKind,
    },
};

use crate::{block_on, sample};

/// What the facts need: a store that nobody else uses, and what it makes.
pub trait PayloadStoreCase {
    /// The store.
    fn store(&self) -> &dyn PayloadStore;

    /// Symmetric keys that it makes itself.
    fn symmetric(&self) -> Vec<KeySpec> {
        Vec::new()
    }

    /// Key pairs that it makes itself.
    fn key_pairs(&self) -> Vec<KeySpec> {
        Vec::new()
    }
}

/// Makes a test of each fact. The expression makes a box (or another pointer)
/// of a [`PayloadStoreCase`].
#[macro_export]
macro_rules! payload_store_contract {
    ($make:expr) => {
        $crate::contract_tests! {
            $make;
            payload_store {
                what_was_put_comes_back,
                a_huge_payload_is_whole_or_refused,
                what_was_never_put_is_missing,
                what_is_deleted_is_gone,
                deleting_twice_is_no_error,
                two_puts_for_one_secret_stand_apart,
                a_put_is_found_by_its_name,
                a_list_names_all_of_one_installation,
                a_list_is_walked_in_parts,
                calls_at_once_do_not_mix,
                it_makes_what_it_says,
                it_refuses_to_make_anything_else,
                it_answers,
            }
        }
    };
}

/// Payloads of many sizes, of every byte and of every type.
pub fn what_was_put_comes_back(case: &dyn PayloadStoreCase) {
    let all = (0..=u8::MAX).cycle();
    for (number, size) in (1..).zip([0, 1, 32, 255, 256, 4_096, 20_000, 65_536]) {
        let bytes: Vec<u8> = all.clone().take(size).collect();
        let locator = put(case, &name(1, number, 1), &bytes).unwrap();
        assert_eq!(get(case, &locator).unwrap(), bytes, "{size} bytes");
    }
    for (number, content_type) in (100..).zip(ContentType::ALL) {
        for secret_type in SecretType::ALL {
            let (name, bytes) = (name(1, number, secret_type as u64), b"-----\r\n\0".to_vec());
            let project = sample::project("p/../\u{e9} %2f\"'");
            let algorithm = sample::label("\u{1f511} \"'");
            let secret = SecretBytes::new(bytes.clone());
            let payload = OutsidePayload {
                secret_type,
                content_type,
                algorithm: Some(&algorithm),
                bit_length: sample::full_secret(1, "p").bit_length,
                project: &project,
                bytes: &secret,
            };
            let locator = block_on(case.store().put(&name, &payload)).unwrap();
            assert_eq!(get(case, &locator).unwrap(), bytes, "{content_type:?}");
        }
    }
}

/// A payload is never cut: beyond its limit a store keeps nothing.
pub fn a_huge_payload_is_whole_or_refused(case: &dyn PayloadStoreCase) {
    let bytes = vec![0x5a; 4 * 1024 * 1024];
    let huge = name(1, 1, 1);
    match put(case, &huge, &bytes) {
        Ok(locator) => assert_eq!(get(case, &locator).unwrap(), bytes),
        Err(error) => {
            assert_eq!(error.kind(), StoreErrorKind::Refused, "{error:?}");
            assert_eq!(find(case, &huge), None);
        }
    }
    let locator = put(case, &name(1, 1, 2), b"small").unwrap();
    assert_eq!(get(case, &locator).unwrap(), b"small");
}

/// Also where the locator makes no sense.
pub fn what_was_never_put_is_missing(case: &dyn PayloadStoreCase) {
    let strange = put(case, &name(1, 1, 1), b"a").unwrap();
    block_on(case.store().delete(&strange)).unwrap();
    let mut longer = strange.as_bytes().to_vec();
    longer.push(b'x');
    for bytes in [strange.as_bytes(), &longer, b"x", b"../../sys", &[0xff; 40]] {
        let locator = Locator::new(bytes).unwrap();
        let kind = get(case, &locator).unwrap_err().kind();
        assert_eq!(kind, StoreErrorKind::Missing, "{locator:?}");
        block_on(case.store().delete(&locator)).unwrap();
    }
}

/// Nothing of it is left: no older version, no name.
pub fn what_is_deleted_is_gone(case: &dyn PayloadStoreCase) {
    let (gone, stays) = (name(1, 1, 1), name(1, 2, 1));
    let locator = put(case, &gone, b"a").unwrap();
    let other = put(case, &stays, b"b").unwrap();
    block_on(case.store().delete(&locator)).unwrap();
    assert_eq!(
        get(case, &locator).unwrap_err().kind(),
        StoreErrorKind::Missing
    );
    assert_eq!(find(case, &gone), None);
    assert_eq!(names(case, 1, 10), [stays]);
    assert_eq!(get(case, &other).unwrap(), b"b");
}

/// However often.
pub fn deleting_twice_is_no_error(case: &dyn PayloadStoreCase) {
    let locator = put(case, &name(1, 1, 1), b"a").unwrap();
    for _ in 0..3 {
        block_on(case.store().delete(&locator)).unwrap();
    }
}

/// While a payload moves, there are two.
pub fn two_puts_for_one_secret_stand_apart(case: &dyn PayloadStoreCase) {
    let first = put(case, &name(1, 1, 1), b"first").unwrap();
    let second = put(case, &name(1, 1, 2), b"second").unwrap();
    assert_ne!(first, second);
    assert_eq!(get(case, &first).unwrap(), b"first");
    block_on(case.store().delete(&first)).unwrap();
    assert_eq!(get(case, &second).unwrap(), b"second");
}

/// Where its locator did not become known.
pub fn a_put_is_found_by_its_name(case: &dyn PayloadStoreCase) {
    let own = name(1, 1, 1);
    assert_eq!(find(case, &own), None);
    let locator = put(case, &own, b"a").unwrap();
    let found = find(case, &own).expect("it is there");
    assert_eq!(get(case, &found).unwrap(), b"a");
    for other in [name(1, 1, 2), name(1, 2, 1), name(2, 1, 1)] {
        assert_eq!(find(case, &other), None, "{other:?}");
    }
    block_on(case.store().delete(&found)).unwrap();
    assert_eq!(
        get(case, &locator).unwrap_err().kind(),
        StoreErrorKind::Missing
    );
}

/// And of no other.
pub fn a_list_names_all_of_one_installation(case: &dyn PayloadStoreCase) {
    assert_eq!(names(case, 1, 10), []);
    let own = [name(1, 1, 1), name(1, 1, 2), name(1, 3, 1)];
    for name in own.iter().rev().chain(&[name(2, 2, 1)]) {
        put(case, name, b"a").unwrap();
    }
    assert_eq!(names(case, 1, 10), own);
    assert_eq!(names(case, 2, 10), [name(2, 2, 1)]);
    assert_eq!(names(case, 3, 10), []);
    let listed = block_on(case.store().list(own[0].deployment, None, 10)).unwrap();
    for found in listed {
        assert_eq!(get(case, &found.locator).unwrap(), b"a");
    }
}

/// Whatever goes meanwhile, what stays is listed once.
pub fn a_list_is_walked_in_parts(case: &dyn PayloadStoreCase) {
    let all: Vec<_> = (1..=5)
        .flat_map(|secret| [name(1, secret, 1), name(1, secret, 2)])
        .collect();
    for name in &all {
        put(case, name, b"a").unwrap();
    }
    for limit in [1, 2, 3, 7, 10] {
        assert_eq!(names(case, 1, limit), all, "{limit}");
    }
    // What a walk goes on behind may be gone.
    let gone = find(case, &all[3]).unwrap();
    block_on(case.store().delete(&gone)).unwrap();
    let rest = block_on(case.store().list(all[3].deployment, Some(&all[3]), 2)).unwrap();
    let rest: Vec<_> = rest.iter().map(|found| found.name).collect();
    assert_eq!(rest, all[4..6]);
}

/// Many payloads on the way at once.
pub fn calls_at_once_do_not_mix(case: &dyn PayloadStoreCase) {
    let one = |number: u64| {
        let store = case.store();
        let work = async move {
            let bytes = number.to_be_bytes().repeat(100);
            let (project, secret) = (sample::project("p"), SecretBytes::new(bytes.clone()));
            let name = name(1, number, 1);
            let payload = payload(&project, &secret);
            let locator = store.put(&name, &payload).await.unwrap();
            assert_eq!(store.get(&locator).await.unwrap().expose(), bytes);
            if number.is_multiple_of(2) {
                store.delete(&locator).await.unwrap();
            }
        };
        Box::pin(work) as BoxFuture<'_, ()>
    };
    all_at_once((1..=32).map(one).collect());
    let left: Vec<_> = (1..=32)
        .step_by(2)
        .map(|number| name(1, number, 1))
        .collect();
    assert_eq!(names(case, 1, 100), left);
}

/// Each key as long as was asked for, no two alike, and kept as a put is.
pub fn it_makes_what_it_says(case: &dyn PayloadStoreCase) {
    let project = sample::project("p");
    for (number, spec) in (1..).zip(case.symmetric()) {
        let request = GenerationRequest::Symmetric(&spec);
        assert!(case.store().can_generate(request), "{spec:?}");
        let mut keys = Vec::new();
        for put in 1..=2 {
            let names = [name(1, number, put)];
            let made = block_on(case.store().generate(&names, &project, request)).unwrap();
            let [locator] = made.as_slice() else {
                panic!("{made:?}");
            };
            assert_eq!(find(case, &names[0]).as_ref(), Some(locator));
            let key = get(case, locator).unwrap();
            assert_eq!(key.len() * 8, usize::from(spec.bit_length.get()));
            assert!(!keys.contains(&key));
            keys.push(key);
            block_on(case.store().delete(locator)).unwrap();
            assert_eq!(find(case, &names[0]), None);
        }
    }
    for (number, spec) in (100..).zip(case.key_pairs()) {
        let request = GenerationRequest::KeyPair(&spec, None);
        assert!(case.store().can_generate(request), "{spec:?}");
        let names = [name(1, number, 1), name(1, number, 2)];
        let made = block_on(case.store().generate(&names, &project, request)).unwrap();
        assert_eq!(made.len(), 2);
        for (name, locator) in names.iter().zip(&made) {
            assert_eq!(find(case, name).as_ref(), Some(locator));
            assert!(!get(case, locator).unwrap().is_empty());
        }
    }
}

/// Nothing is there afterwards.
pub fn it_refuses_to_make_anything_else(case: &dyn PayloadStoreCase) {
    let project = sample::project("p");
    let spec = sample::key_spec("no such algorithm", 256);
    for request in [
        GenerationRequest::Symmetric(&spec),
        GenerationRequest::KeyPair(&spec, None),
    ] {
        assert!(!case.store().can_generate(request));
        let wanted = [name(1, 1, 1), name(1, 1, 2)];
        let refused = block_on(case.store().generate(&wanted, &project, request));
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Refused);
    }
    assert_eq!(names(case, 1, 10), []);
}

/// The operator can see so.
pub fn it_answers(case: &dyn PayloadStoreCase) {
    block_on(case.store().check()).unwrap();
}

fn name(deployment: u64, secret: u64, put: u64) -> PayloadName {
    sample::payload_name(deployment, secret, put)
}

fn payload<'a>(
    project: &'a donjon_domain::ProjectId,
    bytes: &'a SecretBytes,
) -> OutsidePayload<'a> {
    OutsidePayload {
        project,
        secret_type: SecretType::Opaque,
        content_type: ContentType::OctetStream,
        algorithm: None,
        bit_length: None,
        bytes,
    }
}

fn put(
    case: &dyn PayloadStoreCase,
    name: &PayloadName,
    bytes: &[u8],
) -> Result<Locator, StoreError> {
    let (project, secret) = (sample::project("p"), SecretBytes::new(bytes.to_vec()));
    block_on(case.store().put(name, &payload(&project, &secret)))
}

fn get(case: &dyn PayloadStoreCase, locator: &Locator) -> Result<Vec<u8>, StoreError> {
    // A locator is nothing but its bytes.
    let locator = Locator::new(locator.as_bytes()).expect("they were those of a locator");
    block_on(case.store().get(&locator)).map(|bytes| bytes.expose().to_vec())
}

fn find(case: &dyn PayloadStoreCase, name: &PayloadName) -> Option<Locator> {
    block_on(case.store().find(name)).unwrap()
}

/// A whole list, in parts.
fn names(case: &dyn PayloadStoreCase, deployment: u64, limit: usize) -> Vec<PayloadName> {
    let deployment = name(deployment, 1, 1).deployment;
    let mut all: Vec<PayloadName> = Vec::new();
    loop {
        let part = case.store().list(deployment, all.last(), limit);
        let part = block_on(part).unwrap();
        assert!(part.len() <= limit);
        if part.is_empty() {
            return all;
        }
        all.extend(part.iter().map(|found| found.name));
    }
}

fn all_at_once(mut futures: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>>) {
    block_on(poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
}

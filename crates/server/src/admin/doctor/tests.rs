//! What is removed, and when nothing is.

use std::sync::Arc;

use donjon_app::OutsideStores;
use donjon_domain::{
    ContentType, SecretBytes, SecretType,
    ports::{BoxFuture, OutsidePayload, PayloadStore, RepositoryError, RepositoryErrorKind},
};
use donjon_testkit::{FakePayloadStore, block_on, sample};

use super::*;
use crate::admin::{Integrity, tests::admin_with};

/// Finds what it was made with, or fails.
struct Found(Option<&'static str>, bool);

impl Integrity for Found {
    fn check(&self) -> BoxFuture<'_, Result<Vec<String>, RepositoryError>> {
        let failed = RepositoryError::new(RepositoryErrorKind::Overloaded);
        let found = self.0.iter().map(|line| (*line).to_owned()).collect();
        let outcome = if self.1 { Err(failed) } else { Ok(found) };
        Box::pin(async move { outcome })
    }
}

/// With a payload that is nobody's.
fn store_with_a_stray() -> Arc<FakePayloadStore> {
    let fake = Arc::new(FakePayloadStore::new());
    let (project, bytes) = (sample::project("p"), SecretBytes::new(b"stray".to_vec()));
    let payload = OutsidePayload {
        project: &project,
        secret_type: SecretType::Opaque,
        content_type: ContentType::Text,
        algorithm: None,
        bit_length: None,
        bytes: &bytes,
    };
    let mut name = sample::payload_name(1, 1, 1);
    name.deployment = sample::deployment().id;
    block_on(fake.put(&name, &payload)).unwrap();
    fake
}

fn repair(fake: &Arc<FakePayloadStore>, integrity: Found) -> Response {
    let mut outside = OutsideStores::new(sample::deployment().id);
    let payloads: Arc<dyn PayloadStore> = fake.clone();
    outside.add(sample::secret_store(1, "x").id, "bao".to_owned(), payloads);
    let admin = admin_with(outside, Arc::new(integrity));
    match block_on(admin.diagnose(true, false)) {
        Ok(response) | Err(response) => response,
    }
}

#[test]
fn nothing_is_removed_by_what_a_damaged_database_says() {
    let fake = store_with_a_stray();
    let Response::Diagnosis(view) = repair(&fake, Found(Some("a row is missing"), false)) else {
        panic!("no diagnosis");
    };
    assert_eq!((view.damage.count, view.stores.len()), (1, 0));
    assert_eq!(fake.names().len(), 1);
}

#[test]
fn nothing_is_removed_where_nobody_knows_whether_it_is_damaged() {
    let fake = store_with_a_stray();
    let response = repair(&fake, Found(None, true));
    assert!(matches!(response, Response::Failed { .. }), "{response:?}");
    assert_eq!(fake.names().len(), 1);
}

#[test]
fn what_is_nobodys_is_removed_and_looked_at_again() {
    let fake = store_with_a_stray();
    let Response::Diagnosis(view) = repair(&fake, Found(None, false)) else {
        panic!("no diagnosis");
    };
    let [store] = &view.stores[..] else {
        panic!("{view:?}");
    };
    assert_eq!((store.removed, store.payloads), (1, 0));
    assert_eq!((store.strays.count, store.lost.count), (0, 0));
    assert!(fake.names().is_empty());
}

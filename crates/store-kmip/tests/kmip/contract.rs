//! What every store has to do, on the server of these tests.

use std::sync::OnceLock;

use donjon_domain::{KeySpec, ports::PayloadStore};
use donjon_store_kmip::KmipStore;
use donjon_testkit::{contract::payload_store::PayloadStoreCase, sample};
use tokio::runtime::{EnterGuard, Runtime};

use crate::fake::Fake;

struct Case {
    store: KmipStore,
    _fake: Fake,
    _entered: EnterGuard<'static>,
}

impl Case {
    fn new() -> Self {
        let fake = Fake::start();
        Self {
            store: fake.store(),
            _fake: fake,
            _entered: enter(),
        }
    }
}

impl PayloadStoreCase for Case {
    fn store(&self) -> &dyn PayloadStore {
        &self.store
    }

    fn symmetric(&self) -> Vec<KeySpec> {
        symmetric()
    }

    fn key_pairs(&self) -> Vec<KeySpec> {
        key_pairs()
    }
}

pub(crate) fn symmetric() -> Vec<KeySpec> {
    let of = |bits| sample::key_spec("Aes", bits);
    [128, 192, 256].map(of).into()
}

pub(crate) fn key_pairs() -> Vec<KeySpec> {
    vec![sample::key_spec("rsa", 2048)]
}

donjon_testkit::payload_store_contract!(Box::new(Case::new()));

/// The runtime that all stores of these tests need.
pub(crate) fn enter() -> EnterGuard<'static> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap()).enter()
}

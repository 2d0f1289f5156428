//! The contract and every failure, on an engine that does as it is told.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails where something is lacking"
)]

mod engine;
mod entered;
#[path = "../../vault-client/tests/fake/mod.rs"]
mod fake;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use donjon_crypto_vault::{TransitConfig, TransitError, TransitWrapper};
use donjon_domain::{
    DeploymentId, SecretBytes, WrapBinding,
    ports::{CryptoErrorKind, Entropy, KeyWrapper},
};
use donjon_testkit::{SeededEntropy, contract::key_wrapper::KeyWrapperCase};
use donjon_vault_client::{Login, SecretSource, ServerConfig, TlsFiles, VaultClient};
use tokio::runtime::Runtime;

use self::{
    engine::{Fault, Shared, Transit},
    entered::Entered,
    fake::Fake,
};

struct Rig {
    fake: Fake,
    transit: Shared,
    runtime: Runtime,
}

impl Rig {
    fn new() -> Self {
        let transit = Arc::new(Mutex::new(Transit::new()));
        let engine = Arc::clone(&transit);
        let fake = Fake::start(move |request| engine.lock().unwrap().answer(request));
        Self {
            fake,
            transit,
            runtime: Runtime::new().unwrap(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Transit)) {
        change(&mut self.transit.lock().unwrap());
    }

    fn open(&self, mount: &str, key: &str, version: u32) -> Result<TransitWrapper, TransitError> {
        let token = Arc::new(SecretBytes::new(b"token".to_vec()));
        let client = VaultClient::new(ServerConfig {
            url: self.fake.url.clone(),
            namespace: Some("team".to_owned()),
            login: Login::Token(SecretSource::given(token)),
            tls: TlsFiles::default(),
            patience: Duration::from_secs(5),
            rest: Duration::from_millis(50),
        });
        let config = TransitConfig {
            mount: mount.to_owned(),
            key: key.to_owned(),
            version,
        };
        config.check().unwrap();
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
        self.runtime
            .block_on(TransitWrapper::open(client.unwrap(), config, &entropy))
    }

    fn wrapper(&self) -> TransitWrapper {
        self.open("transit", "donjon", 1).unwrap()
    }

    fn wrap(&self, wrapper: &TransitWrapper) -> Result<Vec<u8>, CryptoErrorKind> {
        let key = SecretBytes::new(vec![5; 32]);
        let wrapped = self.runtime.block_on(wrapper.wrap(&key, binding()));
        wrapped.map_err(|error| error.kind())
    }

    fn unwrap(&self, wrapper: &TransitWrapper, wrapped: &[u8]) -> Result<(), CryptoErrorKind> {
        let unwrapped = self.runtime.block_on(wrapper.unwrap(wrapped, binding()));
        match unwrapped {
            Ok(key) => {
                assert_eq!(key.expose(), [5; 32]);
                Ok(())
            }
            Err(error) => Err(error.kind()),
        }
    }
}

fn binding() -> WrapBinding<'static> {
    WrapBinding::Canary(DeploymentId::from_bytes([1; 16]))
}

/// A text for the operator, with what it comes from.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

struct Case(Rig);

impl Case {
    fn open(&self, key: &str) -> Box<dyn KeyWrapper> {
        Box::new(Entered {
            wrapper: self.0.open("transit", key, 1).unwrap(),
            runtime: self.0.runtime.handle().clone(),
        })
    }
}

impl KeyWrapperCase for Case {
    fn wrapper(&self) -> Box<dyn KeyWrapper> {
        self.open("donjon")
    }

    fn stranger(&self) -> Box<dyn KeyWrapper> {
        self.open("other")
    }
}

donjon_testkit::key_wrapper_contract!(Box::new(Case(Rig::new())));

#[test]
fn each_version_of_a_key_is_a_root_key_of_its_own() {
    let rig = Rig::new();
    let first = rig.wrapper();
    let by_first = rig.wrap(&first).unwrap();
    rig.change(|transit| transit.keys.get_mut("donjon").unwrap().push(8));
    // A new version changes nothing for whoever names the old one.
    assert_eq!(rig.wrapper().id(), first.id());
    rig.unwrap(&first, &rig.wrap(&first).unwrap()).unwrap();
    let second = rig.open("transit", "donjon", 2).unwrap();
    assert_ne!(second.id(), first.id());
    let by_second = rig.wrap(&second).unwrap();
    rig.unwrap(&second, &by_second).unwrap();
    assert_eq!(
        rig.unwrap(&second, &by_first),
        Err(CryptoErrorKind::DoesNotOpen)
    );
    assert_eq!(
        rig.unwrap(&first, &by_second),
        Err(CryptoErrorKind::DoesNotOpen)
    );
}

#[test]
fn a_start_names_what_to_mend() {
    let rig = Rig::new();
    for (mount, key, version, expected) in [
        ("nowhere", "donjon", 1, "no transit engine at nowhere/"),
        ("transit", "nokey", 1, "there is no key \"nokey\""),
        (
            "transit",
            "donjon",
            2,
            "version 2 of the transit key \"donjon\" cannot be used",
        ),
    ] {
        let error = rig.open(mount, key, version).unwrap_err();
        assert!(told(&error).contains(expected), "{}", told(&error));
    }
    assert!(!rig.transit.lock().unwrap().keys.contains_key("nokey"));
    for (change, expected) in [
        (
            (|transit| transit.denied = vec!["hmac"]) as fn(&mut Transit),
            "transit/hmac/donjon/sha2-256",
        ),
        (
            |transit| transit.denied = vec!["encrypt"],
            "capability update",
        ),
        (
            |transit| transit.denied = vec!["decrypt"],
            "capability update",
        ),
        (|transit| transit.min_encryption = 2, "encrypts from 2 on"),
        (|transit| transit.min_decryption = 2, "decrypts from 2 on"),
        (
            |transit| transit.fault = Fault::Sealed,
            "bao operator unseal",
        ),
        (|transit| transit.fault = Fault::Dead, "cannot be asked"),
        (|transit| transit.fault = Fault::Careless, "associated data"),
        (
            |transit| transit.fault = Fault::Convergent,
            "encrypts equal keys alike",
        ),
        (
            |transit| transit.fault = Fault::Lying,
            "is no answer to that",
        ),
        (
            |transit| transit.fault = Fault::Forgetful,
            "it does not decrypt",
        ),
    ] {
        let rig = Rig::new();
        rig.change(change);
        let error = rig.open("transit", "donjon", 1).unwrap_err();
        assert!(told(&error).contains(expected), "{}", told(&error));
    }
}

#[test]
fn nobody_has_to_be_allowed_to_read_about_the_key() {
    let rig = Rig::new();
    rig.change(|transit| transit.denied = vec!["keys"]);
    let wrapper = rig.wrapper();
    rig.unwrap(&wrapper, &rig.wrap(&wrapper).unwrap()).unwrap();
    let error = rig.open("transit", "nokey", 1).unwrap_err();
    assert!(
        told(&error).contains("encryption key not found"),
        "{}",
        told(&error)
    );
}

#[test]
fn what_the_server_does_to_the_key_is_no_fault_of_the_bytes() {
    for change in [
        (|transit| transit.keys.clear()) as fn(&mut Transit),
        |transit| {
            transit
                .keys
                .insert("donjon".to_owned(), vec![77])
                .map_or((), drop)
        },
        |transit| transit.min_decryption = 2,
        |transit| transit.denied = vec!["decrypt"],
        |transit| transit.fault = Fault::Sealed,
        |transit| transit.fault = Fault::Dead,
    ] {
        let rig = Rig::new();
        let wrapper = rig.wrapper();
        let wrapped = rig.wrap(&wrapper).unwrap();
        rig.change(change);
        let unwrapped = rig.unwrap(&wrapper, &wrapped);
        assert_eq!(unwrapped, Err(CryptoErrorKind::Unavailable));
        assert_eq!(rig.wrap(&wrapper), Err(CryptoErrorKind::Unavailable));
    }
}

#[test]
fn a_key_that_was_deleted_is_not_made_anew_by_wrapping() {
    let rig = Rig::new();
    let wrapper = rig.wrapper();
    rig.change(|transit| transit.keys.clear());
    assert_eq!(rig.wrap(&wrapper), Err(CryptoErrorKind::Unavailable));
    assert!(rig.transit.lock().unwrap().keys.is_empty());
}

#[test]
fn nothing_counts_as_wrapped_that_does_not_unwrap() {
    for fault in [Fault::Forgetful, Fault::Lying] {
        let rig = Rig::new();
        let wrapper = rig.wrapper();
        rig.change(|transit| transit.fault = fault);
        assert_eq!(rig.wrap(&wrapper), Err(CryptoErrorKind::Unavailable));
    }
}

#[test]
fn a_server_that_is_back_is_used_again() {
    let rig = Rig::new();
    let wrapper = rig.wrapper();
    let wrapped = rig.wrap(&wrapper).unwrap();
    rig.change(|transit| transit.fault = Fault::Dead);
    for _ in 0..5 {
        assert_eq!(
            rig.unwrap(&wrapper, &wrapped),
            Err(CryptoErrorKind::Unavailable)
        );
    }
    rig.change(|transit| transit.fault = Fault::None);
    let rest = Duration::from_millis(60);
    rig.runtime
        .block_on(async { tokio::time::sleep(rest).await });
    rig.unwrap(&wrapper, &wrapped).unwrap();
}

#[test]
fn calls_are_few_and_carry_token_and_namespace() {
    let rig = Rig::new();
    let wrapper = rig.wrapper();
    let opened = rig.fake.seen().len();
    let wrapped = rig.wrap(&wrapper).unwrap();
    rig.unwrap(&wrapper, &wrapped).unwrap();
    let (hmac, encrypt, decrypt) = (
        "POST /v1/transit/hmac/donjon/sha2-256",
        "POST /v1/transit/encrypt/donjon",
        "POST /v1/transit/decrypt/donjon",
    );
    let seen = &rig.fake.seen()[opened..];
    assert_eq!(seen, [hmac, encrypt, decrypt, hmac, decrypt]);
    for request in rig.fake.requests() {
        assert_eq!(request.token.as_deref(), Some("token"), "{request:?}");
        assert_eq!(request.namespace.as_deref(), Some("team"), "{request:?}");
        assert!(request.method == "POST" || request.body.is_empty());
    }
    assert!(!format!("{wrapper:?}").contains("token"));
}

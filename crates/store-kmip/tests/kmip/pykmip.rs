//! The contract on a real PyKMIP: at `DONJON_PYKMIP_PORT` of this machine, with
//! certificates in the folder `DONJON_PYKMIP`. Run by `cargo xtask conformance
//! pykmip`, which starts it.

use std::{
    env,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use donjon_domain::{
    KeySpec,
    ports::{GenerationRequest, PayloadStore, StoreErrorKind},
};
use donjon_store_kmip::{KmipConfig, KmipStore, TlsFiles};
use donjon_testkit::{
    block_on,
    contract::payload_store::{self as facts, PayloadStoreCase},
    sample,
};

use crate::{
    contract::{enter, key_pairs, symmetric},
    faults::{get, name, put},
};

struct Case(KmipStore);

impl PayloadStoreCase for Case {
    fn store(&self) -> &dyn PayloadStore {
        &self.0
    }

    fn symmetric(&self) -> Vec<KeySpec> {
        symmetric()
    }

    fn key_pairs(&self) -> Vec<KeySpec> {
        key_pairs()
    }
}

fn config(prefix: &str) -> KmipConfig {
    let variable = |name| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let folder = PathBuf::from(variable("DONJON_PYKMIP"));
    KmipConfig {
        host: "127.0.0.1".to_owned(),
        port: variable("DONJON_PYKMIP_PORT").parse().unwrap(),
        tls: TlsFiles {
            cafile: Some(folder.join("ca.pem")),
            certfile: Some(folder.join("client.pem")),
            keyfile: Some(folder.join("client.key")),
        },
        login: None,
        prefix: prefix.to_owned(),
        payload_bytes_max: 65_536,
        makes_keys: true,
        patience: Duration::from_secs(20),
        rest: Duration::from_secs(1),
    }
}

/// All facts on one server, each under a prefix of its own.
#[test]
#[ignore = "needs PyKMIP: cargo xtask conformance pykmip"]
fn it_keeps_the_contract() {
    let _entered = enter();
    let used = AtomicU64::new(0);
    for fact in [
        facts::what_was_put_comes_back as fn(&dyn PayloadStoreCase),
        facts::a_huge_payload_is_whole_or_refused,
        facts::what_was_never_put_is_missing,
        facts::what_is_deleted_is_gone,
        facts::deleting_twice_is_no_error,
        facts::two_puts_for_one_secret_stand_apart,
        facts::a_put_is_found_by_its_name,
        facts::a_list_names_all_of_one_installation,
        facts::a_list_is_walked_in_parts,
        facts::calls_at_once_do_not_mix,
        facts::it_makes_what_it_says,
        facts::it_refuses_to_make_anything_else,
        facts::it_answers,
    ] {
        let prefix = format!("test/{}", used.fetch_add(1, Ordering::Relaxed));
        fact(&Case(KmipStore::new(config(&prefix)).unwrap()));
    }
}

/// PyKMIP wants a certificate for clients, and one that it believes.
#[test]
#[ignore = "needs PyKMIP: cargo xtask conformance pykmip"]
fn who_shows_no_certificate_is_not_let_in() {
    let _entered = enter();
    let mut config = config("test/nobody");
    config.tls.certfile = None;
    config.tls.keyfile = None;
    let store = KmipStore::new(config).unwrap();
    let error = put(&store, &name(1, 1), b"a").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
}

/// PyKMIP keeps them as PKCS#8 and PKCS#1.
#[test]
#[ignore = "needs PyKMIP: cargo xtask conformance pykmip"]
fn a_pair_comes_as_orders_have_it() {
    let _entered = enter();
    let store = KmipStore::new(config("test/pair")).unwrap();
    for spec in key_pairs() {
        let names = [name(1, 1), name(2, 1)];
        let request = GenerationRequest::KeyPair(&spec, None);
        let made = block_on(store.generate(&names, &sample::project("p"), request)).unwrap();
        for (locator, label) in made.iter().zip(["PRIVATE KEY", "PUBLIC KEY"]) {
            let pem = String::from_utf8(get(&store, locator).unwrap()).unwrap();
            assert!(
                pem.starts_with(&format!("-----BEGIN {label}-----\n")),
                "{label}"
            );
            assert!(
                pem.ends_with(&format!("-----END {label}-----\n")),
                "{label}"
            );
        }
    }
}

/// It hangs up on nobody while it waits, and neither do we.
#[test]
#[ignore = "needs PyKMIP: cargo xtask conformance pykmip"]
fn a_connection_that_rested_works() {
    let _entered = enter();
    let store = KmipStore::new(config("test/rest")).unwrap();
    let locator = put(&store, &name(1, 1), b"a").unwrap();
    // Longer than PyKMIP waits for the next message.
    std::thread::sleep(Duration::from_secs(12));
    assert_eq!(get(&store, &locator).unwrap(), b"a");
    block_on(store.delete(&locator)).unwrap();
}

//! The contract on a real OpenBao server, whose program `DONJON_BAO` names. Run by
//! `cargo xtask conformance openbao`, which gets it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that fails where something is lacking"
)]

#[path = "../../vault-client/tests/bao/mod.rs"]
mod bao;

use std::sync::atomic::{AtomicU64, Ordering};

use donjon_domain::ports::{PayloadStore, StoreErrorKind};
use donjon_store_vault::{VaultConfig, VaultStore};
use donjon_testkit::{block_on, contract::payload_store::PayloadStoreCase};
use donjon_vault_client::Login;

use self::bao::{Bao, token};

/// What README.md says.
const POLICY: &str = r#"
path "secret/data/donjon/*"     { capabilities = ["create", "read", "update"] }
path "secret/metadata/donjon/*" { capabilities = ["read", "list", "delete"] }
"#;

fn store_as(bao: &Bao, login: Login, prefix: &str, mount: &str) -> VaultStore {
    VaultStore::new(VaultConfig {
        server: bao.config(login),
        mount: mount.to_owned(),
        prefix: prefix.to_owned(),
    })
    .unwrap()
}

fn store(bao: &Bao, by: &str, prefix: &str, mount: &str) -> VaultStore {
    store_as(bao, token(by), prefix, mount)
}

struct Case(VaultStore);

impl PayloadStoreCase for Case {
    fn store(&self) -> &dyn PayloadStore {
        &self.0
    }
}

/// All facts on one server, each under a prefix of its own.
#[test]
#[ignore = "needs OpenBao: cargo xtask conformance openbao"]
fn it_keeps_the_contract() {
    use donjon_testkit::contract::payload_store as facts;
    let mut bao = Bao::start(None);
    let login = || bao.app_role(POLICY, "1h", "1h");
    let used = AtomicU64::new(0);
    let run = |fact: fn(&dyn PayloadStoreCase)| {
        let prefix = format!("donjon/{}", used.fetch_add(1, Ordering::Relaxed));
        let store = store_as(&bao, login(), &prefix, "secret");
        let _entered = bao.runtime.enter();
        fact(&Case(store));
    };
    for fact in [
        facts::what_was_put_comes_back,
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
        run(fact);
    }
    let runtime = bao.runtime.handle().clone();
    let _entered = runtime.enter();
    // A wrong token, and a mount that is not there, are no missing payloads.
    let name = donjon_testkit::sample::payload_name(1, 1, 1);
    let wrong = block_on(store(&bao, "wrong", "a", "secret").find(&name));
    assert_eq!(wrong.unwrap_err().kind(), StoreErrorKind::Refused);
    let nowhere = block_on(store(&bao, "root", "a", "nowhere").find(&name));
    assert_ne!(nowhere.unwrap_err().kind(), StoreErrorKind::Missing);
    // Nobody is there any more.
    let store = store(&bao, "root", "a", "secret");
    bao.kill();
    let gone = block_on(store.find(&name)).unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::Unavailable);
}

//! The contract on a real OpenBao server, whose program `DONJON_BAO` names. Run by
//! `cargo xtask conformance openbao`, which gets it.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that fails where something is lacking, and waits for a program"
)]

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use donjon_domain::{
    SecretBytes,
    ports::{PayloadStore, StoreErrorKind},
};
use donjon_store_vault::{Login, TlsFiles, VaultConfig, VaultStore};
use donjon_testkit::{block_on, contract::payload_store::PayloadStoreCase};
use tokio::runtime::Runtime;

struct Bao {
    child: Child,
    url: String,
}

impl Bao {
    fn start() -> Self {
        let program = std::env::var("DONJON_BAO").expect("DONJON_BAO names the program `bao`");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let url = format!("http://127.0.0.1:{port}");
        let child = Command::new(program)
            .args([
                "server",
                "-dev",
                "-dev-no-store-token",
                "-dev-root-token-id=root",
            ])
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, url }
    }

    fn store(&self, token: &str, prefix: &str, mount: &str) -> VaultStore {
        VaultStore::new(VaultConfig {
            url: self.url.clone(),
            mount: mount.to_owned(),
            prefix: prefix.to_owned(),
            namespace: None,
            login: Login::Token(SecretBytes::new(token.as_bytes().to_vec())),
            tls: TlsFiles::default(),
            patience: Duration::from_secs(10),
        })
        .unwrap()
    }

    fn wait(&self, store: &VaultStore) {
        for _ in 0..100 {
            if block_on(store.check()).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the server at {} does not answer", self.url);
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
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
    let bao = Bao::start();
    let runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    bao.wait(&bao.store("root", "probe", "secret"));
    let used = AtomicU64::new(0);
    let run = |fact: fn(&dyn PayloadStoreCase)| {
        let prefix = format!("test/{}", used.fetch_add(1, Ordering::Relaxed));
        fact(&Case(bao.store("root", &prefix, "secret")));
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
    // A wrong token, and a mount that is not there, are no missing payloads.
    let name = donjon_testkit::sample::payload_name(1, 1, 1);
    let wrong = block_on(bao.store("wrong", "a", "secret").find(&name));
    assert_eq!(wrong.unwrap_err().kind(), StoreErrorKind::Refused);
    let nowhere = block_on(bao.store("root", "a", "nowhere").find(&name));
    assert_ne!(nowhere.unwrap_err().kind(), StoreErrorKind::Missing);
    // Nobody is there any more.
    let store = bao.store("root", "a", "secret");
    drop(bao);
    let gone = block_on(store.find(&name)).unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::Unavailable);
}

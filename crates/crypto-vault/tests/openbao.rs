//! The contract, on the transit engine of a real OpenBao.

#![expect(
    clippy::unwrap_used,
    reason = "a test that fails where something is lacking"
)]

#[path = "../../vault-client/tests/bao/mod.rs"]
mod bao;
mod entered;

use std::sync::Arc;

use donjon_crypto_vault::{TransitConfig, TransitError, TransitWrapper};
use donjon_domain::{
    DeploymentId, SecretBytes, WrapBinding,
    ports::{CryptoErrorKind, Entropy, KeyWrapper},
};
use donjon_testkit::{SeededEntropy, contract::key_wrapper::KeyWrapperCase};
use donjon_vault_client::{Login, VaultClient};
use http::Method;

use self::{
    bao::{Bao, token},
    entered::Entered,
};

/// What README.md says.
const POLICY: &str = r#"
path "transit/encrypt/donjon"       { capabilities = ["update"] }
path "transit/decrypt/donjon"       { capabilities = ["update"] }
path "transit/hmac/donjon/sha2-256" { capabilities = ["update"] }
path "transit/keys/donjon"          { capabilities = ["read"] }
"#;

fn with_keys() -> Bao {
    let bao = Bao::start(None);
    bao.admin(None, "sys/mounts/transit", r#"{"type":"transit"}"#);
    for (key, settings) in [
        ("donjon", "{}"),
        ("other", "{}"),
        ("derived", r#"{"derived":true}"#),
        ("chacha", r#"{"type":"chacha20-poly1305"}"#),
        ("rsa", r#"{"type":"rsa-2048"}"#),
        ("alike", r#"{"derived":true,"convergent_encryption":true}"#),
    ] {
        bao.admin(None, &format!("transit/keys/{key}"), settings);
    }
    bao
}

fn open(bao: &Bao, login: Login, key: &str, version: u32) -> Result<Entered, TransitError> {
    let client = VaultClient::new(bao.config(login)).unwrap();
    let config = TransitConfig {
        mount: "transit".to_owned(),
        key: key.to_owned(),
        version,
    };
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(3));
    let opened = TransitWrapper::open(client, config, &entropy);
    Ok(Entered {
        wrapper: bao.runtime.block_on(opened)?,
        runtime: bao.runtime.handle().clone(),
    })
}

struct Case<'a>(&'a Bao, &'static str);

impl KeyWrapperCase for Case<'_> {
    fn wrapper(&self) -> Box<dyn KeyWrapper> {
        Box::new(open(self.0, token("root"), self.1, 1).unwrap())
    }

    fn stranger(&self) -> Box<dyn KeyWrapper> {
        Box::new(open(self.0, token("root"), "other", 1).unwrap())
    }
}

#[test]
#[ignore = "needs OpenBao: cargo xtask conformance openbao"]
fn it_keeps_the_contract() {
    use donjon_testkit::contract::key_wrapper as facts;
    let bao = with_keys();
    for key in ["donjon", "derived", "chacha"] {
        for fact in [
            facts::a_root_key_has_one_id,
            facts::what_was_wrapped_unwraps,
            facts::another_wrapper_with_the_root_key_unwraps,
            facts::equal_keys_are_wrapped_differently,
            facts::another_root_key_does_not_unwrap,
            facts::another_binding_does_not_unwrap,
            facts::changed_bytes_do_not_unwrap,
        ] {
            fact(&Case(&bao, key));
        }
    }
    for (key, expected) in [
        ("rsa", "associated_data"),
        ("alike", "encrypts equal keys alike"),
    ] {
        let error = open(&bao, token("root"), key, 1).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// As an application with no more rights than it needs.
#[test]
#[ignore = "needs OpenBao: cargo xtask conformance openbao"]
fn keys_are_wrapped_until_their_version_is_switched_off_or_the_key_is_gone() {
    let bao = with_keys();
    let role = || bao.app_role(POLICY, "1h", "1h");
    let one = open(&bao, role(), "donjon", 1).unwrap();
    let wrapped = wrap(&one).unwrap();
    bao.admin(None, "transit/keys/donjon/rotate", "{}");
    unwrap(&one, &wrapped).unwrap();
    wrap(&one).unwrap();
    let two = open(&bao, role(), "donjon", 2).unwrap();
    assert_ne!(one.id(), two.id());
    assert_eq!(unwrap(&two, &wrapped), Err(CryptoErrorKind::DoesNotOpen));
    let config = "transit/keys/donjon/config";
    for switched_off in [
        r#"{"min_encryption_version":2}"#,
        r#"{"min_encryption_version":0,"min_decryption_version":2}"#,
    ] {
        bao.admin(None, config, switched_off);
        assert_eq!(wrap(&one), Err(CryptoErrorKind::Unavailable));
        let error = open(&bao, role(), "donjon", 1).err().unwrap();
        assert!(matches!(error, TransitError::NoVersion { .. }), "{error:?}");
    }
    assert_eq!(unwrap(&one, &wrapped), Err(CryptoErrorKind::Unavailable));
    bao.admin(
        None,
        config,
        r#"{"min_decryption_version":1,"deletion_allowed":true}"#,
    );
    unwrap(&one, &wrapped).unwrap();
    bao.admin_by(None, Method::DELETE, "transit/keys/donjon", "");
    assert_eq!(unwrap(&one, &wrapped), Err(CryptoErrorKind::Unavailable));
    assert_eq!(wrap(&one), Err(CryptoErrorKind::Unavailable));
    let error = open(&bao, role(), "donjon", 1).err().unwrap();
    assert!(matches!(error, TransitError::NoKey { .. }), "{error:?}");
    // Another key of the same name is another root key.
    bao.admin(None, "transit/keys/donjon", "{}");
    assert_eq!(unwrap(&one, &wrapped), Err(CryptoErrorKind::Unavailable));
    assert_eq!(wrap(&one), Err(CryptoErrorKind::Unavailable));
    assert_ne!(open(&bao, role(), "donjon", 1).unwrap().id(), one.id());
}

fn binding() -> WrapBinding<'static> {
    WrapBinding::Canary(DeploymentId::from_bytes([1; 16]))
}

fn wrap(wrapper: &Entered) -> Result<Vec<u8>, CryptoErrorKind> {
    let key = SecretBytes::new(vec![5; 32]);
    let done = wrapper
        .runtime
        .block_on(wrapper.wrapper.wrap(&key, binding()));
    done.map_err(|error| error.kind())
}

fn unwrap(wrapper: &Entered, wrapped: &[u8]) -> Result<(), CryptoErrorKind> {
    let unwrapped = wrapper.wrapper.unwrap(wrapped, binding());
    let done = wrapper.runtime.block_on(unwrapped);
    let key = done.map_err(|error| error.kind())?;
    assert_eq!(key.expose(), [5; 32]);
    Ok(())
}

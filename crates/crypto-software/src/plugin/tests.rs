use donjon_domain::ProjectId;
use donjon_domain::ServerKey;
use donjon_testkit::{FakeKeyWrapper, SeededEntropy, block_on, contract::crypto::CryptoCase};

use super::*;
use crate::{RootKey, RootKeyWrapper};

struct Case;

impl CryptoCase for Case {
    fn plugin(&self) -> Box<dyn CryptoPlugin> {
        Box::new(plugin(1, None))
    }

    fn stranger(&self) -> Box<dyn CryptoPlugin> {
        Box::new(plugin(2, None))
    }

    fn successor(&self) -> Box<dyn CryptoPlugin> {
        Box::new(plugin(2, Some(1)))
    }
}

mod contract {
    use super::Case;

    donjon_testkit::crypto_contract!(Box::new(Case));
}

fn root(number: u8) -> RootKey {
    RootKey::parse(&[number; 32]).unwrap()
}

fn plugin(current: u8, previous: Option<u8>) -> SoftwareCrypto {
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(5));
    let wrapper = |number| -> Arc<dyn KeyWrapper> {
        Arc::new(RootKeyWrapper::new(root(number), Arc::clone(&entropy)))
    };
    let (current, previous) = (wrapper(current), previous.map(wrapper));
    SoftwareCrypto::new(current, previous, entropy, 1_024)
}

fn adopted(current: u8, previous: Option<u8>, deployment: &Deployment) -> SoftwareCrypto {
    let plugin = plugin(current, previous);
    block_on(plugin.adopt(deployment)).unwrap();
    plugin
}

const NOW: Timestamp = Timestamp::from_micros(0);

#[test]
fn what_the_previous_root_key_wrapped_still_opens() {
    let deployment =
        block_on(plugin(1, None).new_deployment(DeploymentId::from_bytes([9; 16]), NOW)).unwrap();
    let old = adopted(1, None, &deployment);
    let project = ProjectId::new("p");
    let kek = block_on(old.new_kek(
        KekId::from_bytes([4; 16]),
        KekScope::Project(project.clone()),
        1,
        NOW,
    ))
    .unwrap();
    let binding = Binding {
        project: &project,
        object: [3; 16],
        kind: SealedKind::Payload,
        version: 1,
    };
    let sealed =
        block_on(old.seal(&kek, &binding, &SecretBytes::new(b"payload".to_vec()))).unwrap();

    let new = adopted(2, Some(1), &deployment);
    assert_eq!(
        block_on(new.open(&kek, &binding, &sealed))
            .unwrap()
            .expose(),
        b"payload"
    );
    let fresh = block_on(new.new_kek(
        KekId::from_bytes([5; 16]),
        KekScope::Project(project.clone()),
        1,
        NOW,
    ))
    .unwrap();
    assert_eq!(fresh.root, root(2).id());
}

#[test]
fn a_kek_moved_to_another_scope_does_not_open() {
    let deployment =
        block_on(plugin(1, None).new_deployment(DeploymentId::from_bytes([9; 16]), NOW)).unwrap();
    let plugin = adopted(1, None, &deployment);
    let scope = KekScope::Project(ProjectId::new("p"));
    let kek = block_on(plugin.new_kek(KekId::from_bytes([4; 16]), scope, 1, NOW)).unwrap();
    let moved = [
        WrappedKek {
            scope: KekScope::Server(ServerKey::TokenHash),
            ..kek.clone()
        },
        WrappedKek {
            scope: KekScope::Project(ProjectId::new("q")),
            ..kek.clone()
        },
        WrappedKek {
            generation: 2,
            ..kek.clone()
        },
        WrappedKek {
            id: KekId::from_bytes([5; 16]),
            ..kek
        },
    ];
    for kek in moved {
        assert_eq!(
            block_on(plugin.unwrap(&kek)).unwrap_err().kind(),
            CryptoErrorKind::DoesNotOpen,
            "{kek:?}"
        );
    }
}

#[test]
fn one_plugin_serves_one_installation() {
    let first =
        block_on(plugin(1, None).new_deployment(DeploymentId::from_bytes([1; 16]), NOW)).unwrap();
    let second =
        block_on(plugin(1, None).new_deployment(DeploymentId::from_bytes([2; 16]), NOW)).unwrap();
    let plugin = adopted(1, None, &first);
    assert_eq!(
        block_on(plugin.adopt(&second)).unwrap_err().kind(),
        CryptoErrorKind::DoesNotOpen
    );
}

/// What was unwrapped once is served while the root key is out of reach.
#[test]
fn an_unwrapped_kek_outlasts_its_root_key() {
    let root = Arc::new(FakeKeyWrapper::new(1));
    let entropy = Arc::new(SeededEntropy::new(5));
    let plugin = SoftwareCrypto::new(root.clone(), None, entropy, 1);
    let deployment = plugin.new_deployment(DeploymentId::from_bytes([9; 16]), NOW);
    block_on(plugin.adopt(&block_on(deployment).unwrap())).unwrap();
    let project = ProjectId::new("p");
    let kek = |number| {
        let scope = KekScope::Project(project.clone());
        block_on(plugin.new_kek(KekId::from_bytes([number; 16]), scope, 1, NOW)).unwrap()
    };
    let (used, unused) = (kek(1), kek(2));
    let binding = Binding {
        project: &project,
        object: [3; 16],
        kind: SealedKind::Payload,
        version: 1,
    };
    let payload = SecretBytes::new(b"payload".to_vec());
    let sealed = block_on(plugin.seal(&used, &binding, &payload)).unwrap();
    root.set_away(true);
    assert_eq!(
        block_on(plugin.open(&used, &binding, &sealed)).unwrap(),
        payload
    );
    let missed = block_on(plugin.seal(&unused, &binding, &payload)).unwrap_err();
    assert_eq!(missed.kind(), CryptoErrorKind::Unavailable);
    // A miss throws nothing out of a cache with room for one.
    assert!(block_on(plugin.seal(&used, &binding, &payload)).is_ok());
    root.set_away(false);
    assert!(block_on(plugin.seal(&unused, &binding, &payload)).is_ok());
}

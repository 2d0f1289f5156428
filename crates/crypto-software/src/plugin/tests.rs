use donjon_domain::ProjectId;
use donjon_testkit::{SeededEntropy, contract::crypto::CryptoCase};

use super::*;

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
    SoftwareCrypto::new(
        root(current),
        previous.map(root),
        Arc::new(SeededEntropy::new(5)),
    )
}

fn adopted(current: u8, previous: Option<u8>, deployment: &Deployment) -> SoftwareCrypto {
    let plugin = plugin(current, previous);
    plugin.adopt(deployment).unwrap();
    plugin
}

const NOW: Timestamp = Timestamp::from_micros(0);

#[test]
fn what_the_previous_root_key_wrapped_still_opens() {
    let deployment = plugin(1, None)
        .new_deployment(DeploymentId::from_bytes([9; 16]), NOW)
        .unwrap();
    let old = adopted(1, None, &deployment);
    let project = ProjectId::new("p");
    let kek = old
        .new_kek(
            KekId::from_bytes([4; 16]),
            KekScope::Project(project.clone()),
            1,
            NOW,
        )
        .unwrap();
    let binding = Binding {
        project: &project,
        object: [3; 16],
        kind: SealedKind::Payload,
        version: 1,
    };
    let sealed = old
        .seal(&kek, &binding, &SecretBytes::new(b"payload".to_vec()))
        .unwrap();

    let new = adopted(2, Some(1), &deployment);
    assert_eq!(
        new.open(&kek, &binding, &sealed).unwrap().expose(),
        b"payload"
    );
    let fresh = new
        .new_kek(
            KekId::from_bytes([5; 16]),
            KekScope::Project(project.clone()),
            1,
            NOW,
        )
        .unwrap();
    assert_eq!(fresh.root, root(2).id());
}

#[test]
fn a_kek_moved_to_another_scope_does_not_open() {
    let deployment = plugin(1, None)
        .new_deployment(DeploymentId::from_bytes([9; 16]), NOW)
        .unwrap();
    let plugin = adopted(1, None, &deployment);
    let scope = KekScope::Project(ProjectId::new("p"));
    let kek = plugin
        .new_kek(KekId::from_bytes([4; 16]), scope, 1, NOW)
        .unwrap();
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
            plugin.unwrap(&kek).unwrap_err().kind(),
            CryptoErrorKind::DoesNotOpen,
            "{kek:?}"
        );
    }
}

#[test]
fn one_plugin_serves_one_installation() {
    let first = plugin(1, None)
        .new_deployment(DeploymentId::from_bytes([1; 16]), NOW)
        .unwrap();
    let second = plugin(1, None)
        .new_deployment(DeploymentId::from_bytes([2; 16]), NOW)
        .unwrap();
    let plugin = adopted(1, None, &first);
    assert_eq!(
        plugin.adopt(&second).unwrap_err().kind(),
        CryptoErrorKind::DoesNotOpen
    );
}

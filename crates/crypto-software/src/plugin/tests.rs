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

/// A plugin on a root key that can be held, and a KEK that it has not seen.
fn cold(root: &Arc<FakeKeyWrapper>) -> (SoftwareCrypto, WrappedKek) {
    let plugin = || {
        let entropy = Arc::new(SeededEntropy::new(5));
        SoftwareCrypto::new(root.clone(), None, entropy, 8)
    };
    let (maker, cold) = (plugin(), plugin());
    let deployment = maker.new_deployment(DeploymentId::from_bytes([9; 16]), NOW);
    let deployment = block_on(deployment).unwrap();
    block_on(maker.adopt(&deployment)).unwrap();
    block_on(cold.adopt(&deployment)).unwrap();
    let scope = KekScope::Project(ProjectId::new("p"));
    let kek = block_on(maker.new_kek(KekId::from_bytes([4; 16]), scope, 1, NOW));
    (cold, kek.unwrap())
}

type Waiting<'a> = std::pin::Pin<Box<dyn Future<Output = Result<Arc<Key>, CryptoError>> + 'a>>;

/// So many requests for the key, each of which has begun to wait.
fn begun<'a>(plugin: &'a SoftwareCrypto, kek: &'a WrappedKek, count: usize) -> Vec<Waiting<'a>> {
    let begun = (0..count).map(|_| {
        let mut request: Waiting<'a> = Box::pin(plugin.unwrap(kek));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(request.as_mut().poll(&mut context).is_pending());
        request
    });
    begun.collect()
}

#[test]
fn requests_that_miss_one_key_ask_the_root_key_once() {
    let root = Arc::new(FakeKeyWrapper::new(1));
    let (plugin, kek) = cold(&root);
    let before = root.unwraps();
    root.hold();
    let requests = begun(&plugin, &kek, 100);
    assert_eq!(root.unwraps() - before, 1);
    root.release();
    for request in requests {
        assert!(block_on(request).is_ok());
    }
    assert!(block_on(plugin.unwrap(&kek)).is_ok());
    assert_eq!(root.unwraps() - before, 1);
}

#[test]
fn whoever_waits_is_woken() {
    let root = Arc::new(FakeKeyWrapper::new(1));
    let (plugin, kek) = cold(&root);
    root.hold();
    let before = root.unwraps();
    std::thread::scope(|scope| {
        let requests: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| block_on(plugin.unwrap(&kek)).is_ok()))
            .collect();
        while root.unwraps() == before {
            std::thread::yield_now();
        }
        root.release();
        assert!(requests.into_iter().all(|request| request.join().unwrap()));
    });
    assert_eq!(root.unwraps() - before, 1);
}

/// Else a device that is away would be waited for once by each of them.
#[test]
fn a_failure_is_shared_and_forgotten() {
    let root = Arc::new(FakeKeyWrapper::new(1));
    let (plugin, kek) = cold(&root);
    let before = root.unwraps();
    root.hold();
    let requests = begun(&plugin, &kek, 10);
    root.set_away(true);
    root.release();
    for request in requests {
        let kind = block_on(request).unwrap_err().kind();
        assert_eq!(kind, CryptoErrorKind::Unavailable);
    }
    assert_eq!(root.unwraps() - before, 1);
    root.set_away(false);
    assert!(block_on(plugin.unwrap(&kek)).is_ok());
    assert_eq!(root.unwraps() - before, 2);
}

/// A client that hangs up takes nobody with it.
#[test]
fn a_request_that_is_dropped_leaves_its_place_to_another() {
    let root = Arc::new(FakeKeyWrapper::new(1));
    let (plugin, kek) = cold(&root);
    let before = root.unwraps();
    root.hold();
    let mut requests = begun(&plugin, &kek, 3);
    drop(requests.remove(0));
    drop(requests.remove(1));
    root.release();
    for request in requests {
        assert!(block_on(request).is_ok());
    }
    assert_eq!(root.unwraps() - before, 2);
}

/// What was changed in the database does not open with what others wait for.
#[test]
fn another_row_of_the_same_id_is_not_joined() {
    let root = Arc::new(FakeKeyWrapper::new(1));
    let (plugin, kek) = cold(&root);
    let moved = WrappedKek {
        scope: KekScope::Project(ProjectId::new("q")),
        ..kek.clone()
    };
    root.hold();
    let good = begun(&plugin, &kek, 1);
    let bad = begun(&plugin, &moved, 1);
    root.release();
    for request in good {
        assert!(block_on(request).is_ok());
    }
    for request in bad {
        let kind = block_on(request).unwrap_err().kind();
        assert_eq!(kind, CryptoErrorKind::DoesNotOpen);
    }
}

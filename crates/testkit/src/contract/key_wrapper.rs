//! What every `KeyWrapper` has to do.

use donjon_domain::{
    DeploymentId, KekScope, ProjectId, SecretBytes, ServerKey, WrapBinding,
    ports::{CryptoError, CryptoErrorKind, KeyWrapper},
};

use crate::{block_on, contract::changes, sample};

/// What the facts need.
pub trait KeyWrapperCase {
    /// A wrapper with the first root key; each call makes another one.
    fn wrapper(&self) -> Box<dyn KeyWrapper>;

    /// A wrapper with another root key.
    fn stranger(&self) -> Box<dyn KeyWrapper>;
}

/// Makes a test of each fact. The expression makes a box (or another pointer)
/// of a [`KeyWrapperCase`].
#[macro_export]
macro_rules! key_wrapper_contract {
    ($make:expr) => {
        $crate::contract_tests! {
            $make;
            key_wrapper {
                a_root_key_has_one_id,
                what_was_wrapped_unwraps,
                another_wrapper_with_the_root_key_unwraps,
                equal_keys_are_wrapped_differently,
                another_root_key_does_not_unwrap,
                another_binding_does_not_unwrap,
                changed_bytes_do_not_unwrap,
            }
        }
    };
}

/// The id says which root key it is, whoever has it.
pub fn a_root_key_has_one_id(case: &dyn KeyWrapperCase) {
    assert_eq!(case.wrapper().id(), case.wrapper().id());
    assert_ne!(case.wrapper().id(), case.stranger().id());
}

/// Every length of key comes back.
pub fn what_was_wrapped_unwraps(case: &dyn KeyWrapperCase) {
    let wrapper = case.wrapper();
    for bytes in [1, 13, 16, 31, 32, 33, 64] {
        let key = key(bytes);
        let wrapped = wrap(&*wrapper, &key);
        let unwrapped = unwrap(&*wrapper, &wrapped, binding(&project()));
        assert_eq!(unwrapped.expect("it unwraps"), key, "{bytes} bytes");
    }
}

/// Nothing depends on the process.
pub fn another_wrapper_with_the_root_key_unwraps(case: &dyn KeyWrapperCase) {
    let wrapped = wrap(&*case.wrapper(), &key(32));
    let unwrapped = unwrap(&*case.wrapper(), &wrapped, binding(&project()));
    assert_eq!(unwrapped.expect("it unwraps"), key(32));
}

/// Whoever compares wrapped keys does not learn that they are equal; a wrapper
/// that encrypts nothing is let off.
pub fn equal_keys_are_wrapped_differently(case: &dyn KeyWrapperCase) {
    let wrapper = case.wrapper();
    let (one, two) = (wrap(&*wrapper, &key(32)), wrap(&*wrapper, &key(32)));
    assert!(one.starts_with(b"NOT ENCRYPTED") || one != two);
}

/// Only the root key that wrapped unwraps.
pub fn another_root_key_does_not_unwrap(case: &dyn KeyWrapperCase) {
    let wrapped = wrap(&*case.wrapper(), &key(32));
    let unwrapped = unwrap(&*case.stranger(), &wrapped, binding(&project()));
    assert_eq!(kind(unwrapped), CryptoErrorKind::DoesNotOpen);
}

/// Nothing of what a key is bound to can be swapped.
pub fn another_binding_does_not_unwrap(case: &dyn KeyWrapperCase) {
    let wrapper = case.wrapper();
    let (here, elsewhere) = (project(), KekScope::Project(ProjectId::new("elsewhere")));
    let server = KekScope::Server(ServerKey::TokenHash);
    let (deployment, id) = (DeploymentId::from_bytes([1; 16]), sample::kek_id(1));
    let kek = |deployment, id, scope, generation| WrapBinding::Kek {
        deployment,
        id,
        scope,
        generation,
    };
    let wrapped = wrap(&*wrapper, &key(32));
    for moved in [
        kek(DeploymentId::from_bytes([2; 16]), id, &here, 1),
        kek(deployment, sample::kek_id(2), &here, 1),
        kek(deployment, id, &elsewhere, 1),
        kek(deployment, id, &server, 1),
        kek(deployment, id, &here, 2),
        WrapBinding::Canary(deployment),
    ] {
        let unwrapped = unwrap(&*wrapper, &wrapped, moved);
        assert_eq!(kind(unwrapped), CryptoErrorKind::DoesNotOpen, "{moved:?}");
    }
}

/// Bytes that were changed anywhere, cut or grown do not unwrap.
pub fn changed_bytes_do_not_unwrap(case: &dyn KeyWrapperCase) {
    let wrapper = case.wrapper();
    let wrapped = wrap(&*wrapper, &key(32));
    for changed in changes(&wrapped) {
        let unwrapped = unwrap(&*wrapper, &changed, binding(&project()));
        assert_eq!(kind(unwrapped), CryptoErrorKind::DoesNotOpen);
    }
}

fn key(bytes: usize) -> SecretBytes {
    SecretBytes::new((1..=255).cycle().take(bytes).collect())
}

fn project() -> KekScope {
    KekScope::Project(sample::project("project"))
}

fn binding(scope: &KekScope) -> WrapBinding<'_> {
    WrapBinding::Kek {
        deployment: DeploymentId::from_bytes([1; 16]),
        id: sample::kek_id(1),
        scope,
        generation: 1,
    }
}

fn wrap(wrapper: &dyn KeyWrapper, key: &SecretBytes) -> Vec<u8> {
    block_on(wrapper.wrap(key, binding(&project()))).expect("it is wrapped")
}

fn unwrap(
    wrapper: &dyn KeyWrapper,
    wrapped: &[u8],
    binding: WrapBinding<'_>,
) -> Result<SecretBytes, CryptoError> {
    block_on(wrapper.unwrap(wrapped, binding))
}

fn kind<T>(done: Result<T, CryptoError>) -> CryptoErrorKind {
    done.err().expect("it fails").kind()
}

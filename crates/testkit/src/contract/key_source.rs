//! What every `KeySource` has to do. Whether private keys are good takes
//! cryptography, and is for the tests of whatever makes pairs of them.

use std::collections::HashSet;

use donjon_domain::ports::{GenerationErrorKind, KeySource, RawKey};

/// Makes a test of each fact. The expression makes a box (or another pointer)
/// of a [`KeySource`].
#[macro_export]
macro_rules! key_source_contract {
    ($make:expr) => {
        $crate::contract_tests! {
            $make;
            key_source {
                random_bytes_have_their_length,
                random_bytes_do_not_come_twice,
                it_makes_what_it_says,
                private_keys_have_their_form,
                no_private_key_is_made_twice,
            }
        }
    };
}

/// As many bytes as were asked for, of which not all are the same.
pub fn random_bytes_have_their_length(source: &dyn KeySource) {
    for bytes in [1, 7, 16, 32, 64, 512, 4_096] {
        let random = source.random(bytes).expect("random bytes");
        assert_eq!(random.len(), bytes);
        let different: HashSet<u8> = random.expose().iter().copied().collect();
        assert!(bytes < 16 || different.len() > bytes.min(64) / 4, "{bytes}");
    }
}

/// Equal requests get different bytes.
pub fn random_bytes_do_not_come_twice(source: &dyn KeySource) {
    let random: HashSet<_> = (0..20)
        .map(|_| source.random(16).expect("random bytes").expose().to_vec())
        .collect();
    assert_eq!(random.len(), 20);
}

/// What it says that it does not make is unsupported.
pub fn it_makes_what_it_says(source: &dyn KeySource) {
    let unusual = [RawKey::Rsa(8), RawKey::Ec(8), RawKey::Ec(255)];
    for key in unusual.into_iter().chain(USUAL) {
        let made = source.private(key);
        match made {
            Ok(_) => assert!(source.makes(key), "{key:?}"),
            Err(error) => {
                assert_eq!(error.kind(), GenerationErrorKind::Unsupported, "{key:?}");
                assert!(!source.makes(key), "{key:?}");
            }
        }
    }
}

/// A sequence that fills its bytes; a scalar that fills its field.
pub fn private_keys_have_their_form(source: &dyn KeySource) {
    for key in USUAL.into_iter().filter(|key| source.makes(*key)) {
        let private = source.private(key).expect("a private key");
        let bytes = private.expose();
        match key {
            RawKey::Ec(bits) => {
                assert_eq!(bytes.len(), usize::from(bits.div_ceil(8)), "{key:?}");
                assert!(bytes.iter().any(|byte| *byte != 0), "{key:?}");
            }
            _ => {
                let [0x30, 0x82, high, low, rest @ ..] = bytes else {
                    panic!("{key:?} is a sequence");
                };
                let length = u16::from_be_bytes([*high, *low]);
                assert_eq!(rest.len(), usize::from(length), "{key:?}");
            }
        }
    }
}

/// Equal requests get different keys.
pub fn no_private_key_is_made_twice(source: &dyn KeySource) {
    for key in USUAL.into_iter().filter(|key| source.makes(*key)) {
        let make = || {
            source
                .private(key)
                .expect("a private key")
                .expose()
                .to_vec()
        };
        assert_ne!(make(), make(), "{key:?}");
    }
}

const USUAL: [RawKey; 4] = [
    RawKey::Rsa(2_048),
    RawKey::Ec(256),
    RawKey::Ec(384),
    RawKey::Ec(521),
];

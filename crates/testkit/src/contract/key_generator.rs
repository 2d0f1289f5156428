//! What every `KeyGenerator` has to do. Whether the halves of a pair belong
//! together takes cryptography, and is for the tests of each generator.

use std::collections::HashSet;

use donjon_domain::{
    BitLength, KeySpec, SecretBytes,
    ports::{
        Generated, GenerationError, GenerationErrorKind, GenerationRequest, KeyGenerator, KeyPair,
    },
};

use crate::sample;

/// What the facts need: a generator, and some of what it makes. Each is made a
/// few times, so large keys take long.
pub trait KeyGeneratorCase {
    /// The generator.
    fn generator(&self) -> &dyn KeyGenerator;

    /// Symmetric keys that it makes, of at least 64 bits.
    fn symmetric(&self) -> Vec<KeySpec>;

    /// Key pairs that it makes, with and without a passphrase.
    fn key_pairs(&self) -> Vec<KeySpec>;
}

/// Makes a test of each fact. The expression makes a box (or another pointer)
/// of a [`KeyGeneratorCase`].
#[macro_export]
macro_rules! key_generator_contract {
    ($make:expr) => {
        $crate::contract_tests! {
            $make;
            key_generator {
                symmetric_keys_have_their_length,
                no_key_is_made_twice,
                algorithms_have_no_letter_case,
                what_only_labels_a_key_changes_nothing,
                a_pair_is_in_pem,
                a_passphrase_encrypts_the_private_key,
                an_unknown_algorithm_is_unsupported,
                each_algorithm_makes_its_own_kind,
                a_part_of_a_byte_is_unsupported,
            }
        }
    };
}

/// A symmetric key has as many bits as it was asked for.
pub fn symmetric_keys_have_their_length(case: &dyn KeyGeneratorCase) {
    for spec in some(case.symmetric()) {
        let key = symmetric(case, &spec);
        assert_eq!(
            key.len() * 8,
            usize::from(spec.bit_length.get()),
            "{spec:?}"
        );
    }
}

/// Equal requests make different keys.
pub fn no_key_is_made_twice(case: &dyn KeyGeneratorCase) {
    const EACH: usize = 3;
    for spec in some(case.symmetric()) {
        let keys: HashSet<_> = (0..EACH).map(|_| symmetric(case, &spec)).collect();
        assert_eq!(keys.len(), EACH, "{spec:?}");
    }
    for spec in some(case.key_pairs()) {
        let pairs: Vec<_> = (0..EACH).map(|_| key_pair(case, &spec, None)).collect();
        let private: HashSet<_> = pairs.iter().map(|pair| pair.private.expose()).collect();
        let public: HashSet<_> = pairs.iter().map(|pair| pair.public.expose()).collect();
        assert_eq!((private.len(), public.len()), (EACH, EACH), "{spec:?}");
    }
}

/// The names of algorithms are compared without regard to ASCII letter case.
pub fn algorithms_have_no_letter_case(case: &dyn KeyGeneratorCase) {
    let shout = |spec: &KeySpec| KeySpec {
        algorithm: sample::label(&spec.algorithm.as_str().to_ascii_uppercase()),
        ..spec.clone()
    };
    for spec in some(case.symmetric()) {
        assert_eq!(
            symmetric(case, &shout(&spec)).len(),
            symmetric(case, &spec).len()
        );
    }
    for spec in some(case.key_pairs()) {
        check_pem(&key_pair(case, &shout(&spec), None).public, "PUBLIC KEY");
    }
}

/// Name, expiration and content type do not decide what is made.
pub fn what_only_labels_a_key_changes_nothing(case: &dyn KeyGeneratorCase) {
    for spec in some(case.symmetric()) {
        let labelled = KeySpec {
            name: Some(sample::label("name")),
            expiration: Some(sample::NOW),
            content_type: Some(donjon_domain::ContentType::OctetStream),
            ..spec.clone()
        };
        assert_eq!(
            symmetric(case, &labelled).len(),
            symmetric(case, &spec).len()
        );
    }
}

/// Without a passphrase both halves are PEM, in the clear.
pub fn a_pair_is_in_pem(case: &dyn KeyGeneratorCase) {
    for spec in some(case.key_pairs()) {
        let pair = key_pair(case, &spec, None);
        check_pem(&pair.private, "PRIVATE KEY");
        check_pem(&pair.public, "PUBLIC KEY");
    }
}

/// With a passphrase the private key says that it is encrypted, and the public
/// one is what it was. The passphrase is in neither.
pub fn a_passphrase_encrypts_the_private_key(case: &dyn KeyGeneratorCase) {
    for spec in some(case.key_pairs()) {
        for text in ["correct horse battery staple", "\u{1f511} ключ"] {
            let passphrase = SecretBytes::new(text.as_bytes().to_vec());
            let pair = key_pair(case, &spec, Some(&passphrase));
            check_pem(&pair.private, "ENCRYPTED PRIVATE KEY");
            check_pem(&pair.public, "PUBLIC KEY");
            for half in [&pair.private, &pair.public] {
                let shown = half
                    .expose()
                    .windows(text.len())
                    .any(|part| part == text.as_bytes());
                assert!(!shown, "{spec:?}");
            }
        }
    }
}

/// An algorithm that nobody knows is unsupported, as a key and as a pair.
pub fn an_unknown_algorithm_is_unsupported(case: &dyn KeyGeneratorCase) {
    for spec in some([case.symmetric(), case.key_pairs()].concat()) {
        for algorithm in ["no such algorithm", "aes ", "\u{212a}", "a\0es"] {
            let unknown = KeySpec {
                algorithm: sample::label(algorithm),
                ..spec.clone()
            };
            check_unsupported(case, GenerationRequest::Symmetric(&unknown));
            check_unsupported(case, GenerationRequest::KeyPair(&unknown, None));
        }
    }
}

/// What makes a symmetric key makes no pair, and the other way round.
pub fn each_algorithm_makes_its_own_kind(case: &dyn KeyGeneratorCase) {
    let passphrase = SecretBytes::new(b"passphrase".to_vec());
    for spec in some(case.symmetric()) {
        check_unsupported(case, GenerationRequest::KeyPair(&spec, None));
        check_unsupported(case, GenerationRequest::KeyPair(&spec, Some(&passphrase)));
    }
    for spec in some(case.key_pairs()) {
        check_unsupported(case, GenerationRequest::Symmetric(&spec));
    }
}

/// A symmetric key that does not fill its bytes is unsupported.
pub fn a_part_of_a_byte_is_unsupported(case: &dyn KeyGeneratorCase) {
    for spec in some(case.symmetric()) {
        let bits = i64::from(spec.bit_length.get()) - 1;
        let shorter = KeySpec {
            bit_length: BitLength::new(bits).expect("one bit less is in range"),
            ..spec
        };
        check_unsupported(case, GenerationRequest::Symmetric(&shorter));
    }
}

/// A case that names nothing would prove nothing.
fn some(specs: Vec<KeySpec>) -> Vec<KeySpec> {
    assert!(!specs.is_empty(), "the case names something to make");
    specs
}

fn symmetric(case: &dyn KeyGeneratorCase, spec: &KeySpec) -> Vec<u8> {
    match generate(case, GenerationRequest::Symmetric(spec)).expect("the key is made") {
        Generated::Symmetric(key) => key.expose().to_vec(),
        Generated::KeyPair(_) => panic!("a pair for {spec:?}"),
    }
}

fn key_pair(
    case: &dyn KeyGeneratorCase,
    spec: &KeySpec,
    passphrase: Option<&SecretBytes>,
) -> KeyPair {
    let request = GenerationRequest::KeyPair(spec, passphrase);
    match generate(case, request).expect("the pair is made") {
        Generated::KeyPair(pair) => pair,
        Generated::Symmetric(_) => panic!("one key for {spec:?}"),
    }
}

fn generate(
    case: &dyn KeyGeneratorCase,
    request: GenerationRequest<'_>,
) -> Result<Generated, GenerationError> {
    case.generator().generate(request)
}

fn check_unsupported(case: &dyn KeyGeneratorCase, request: GenerationRequest<'_>) {
    // It is asked first, whatever was ordered.
    let _ = case.generator().blocks(request);
    let kind = generate(case, request).expect_err("nothing is made").kind();
    assert_eq!(kind, GenerationErrorKind::Unsupported, "{request:?}");
}

/// Checks one PEM block with this label: its frame, and that the lines between
/// are base64 of a DER sequence.
fn check_pem(text: &SecretBytes, label: &str) {
    let text = std::str::from_utf8(text.expose()).expect("PEM is text");
    let body = text
        .strip_prefix(&format!("-----BEGIN {label}-----\n"))
        .and_then(|rest| rest.strip_suffix(&format!("\n-----END {label}-----\n")))
        .unwrap_or_else(|| panic!("the frame of a {label}"));
    let lines: Vec<&str> = body.lines().collect();
    let (last, full) = lines.split_last().expect("there is a body");
    assert!(full.iter().all(|line| line.len() == 64), "{label}");
    assert!((1..=64).contains(&last.len()), "{label}");
    let digits = body.trim_end_matches('=').bytes();
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/\n".contains(&byte);
    assert!(digits.clone().all(is_digit), "{label}");
    assert_eq!(lines.iter().map(|line| line.len()).sum::<usize>() % 4, 0);
    assert!(body.starts_with('M'), "a sequence in a {label}");
}

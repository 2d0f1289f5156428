use std::sync::atomic::{AtomicUsize, Ordering};

use donjon_domain::{BitLength, KeySpec};
use donjon_testkit::{SeededEntropy, sample};
use proptest::prelude::*;

use super::*;

#[test]
fn symmetric_lengths_are_those_of_the_table() {
    let blocks = [64, 128, 192, 256];
    let all: Vec<u16> = (1..=32_767).collect();
    let whole: Vec<u16> = (64..=32_767).filter(|bits| bits % 8 == 0).collect();
    for (algorithm, expected) in [
        ("aes", blocks.to_vec()),
        ("des", [&[56][..], &blocks].concat()),
        ("3des", vec![56, 64, 112, 128, 168, 192, 256]),
        ("desede", vec![56, 64, 112, 128, 168, 192, 256]),
        ("hmacsha1", whole.clone()),
        ("hmacsha256", whole.clone()),
        ("hmacsha384", whole.clone()),
        ("hmacsha512", whole),
        ("rsa", vec![]),
        ("hmacmd5", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(made(algorithm, None, &all), expected, "{algorithm}");
    }
}

#[test]
fn xts_takes_two_keys() {
    let all: Vec<u16> = (1..=32_767).collect();
    for mode in ["xts", "XTS", "Xts"] {
        assert_eq!(made("aes", Some(mode), &all), [128, 256, 384, 512]);
    }
    for mode in ["cbc", "ctr", "", "xts "] {
        assert_eq!(made("aes", Some(mode), &all), [64, 128, 192, 256]);
    }
}

/// Those of `lengths` that are made, and have as many bytes as they should.
fn made(algorithm: &str, mode: Option<&str>, lengths: &[u16]) -> Vec<u16> {
    let generator = generator(1);
    let is_made = |bits: &u16| {
        let spec = KeySpec {
            mode: mode.map(sample::label),
            ..spec(algorithm, *bits)
        };
        match generator.generate(GenerationRequest::Symmetric(&spec)) {
            Ok(Generated::Symmetric(key)) => {
                assert_eq!(key.len() * 8, usize::from(*bits));
                true
            }
            Ok(Generated::KeyPair(_)) => panic!("a pair for {spec:?}"),
            Err(error) => {
                assert_eq!(error.kind(), GenerationErrorKind::Unsupported);
                false
            }
        }
    };
    lengths.iter().copied().filter(is_made).collect()
}

#[test]
fn pair_lengths_are_those_of_the_table() {
    for (algorithm, expected) in [
        ("rsa", vec![1_024, 2_048, 3_072, 4_096]),
        ("dsa", vec![1_024, 2_048, 3_072, 4_096]),
        ("ec", vec![256, 384, 521]),
        ("ed25519", vec![256]),
        ("aes", vec![]),
        ("diffie_hellman", vec![]),
    ] {
        let lengths = (1..=32_767).filter(|bits| recipe::pair(&spec(algorithm, *bits)).is_some());
        assert_eq!(lengths.collect::<Vec<_>>(), expected, "{algorithm}");
    }
}

#[test]
fn no_length_out_of_range_reaches_the_generator() {
    for bits in [i64::MIN, -256, -8, 0, 32_768, i64::MAX] {
        assert!(BitLength::new(bits).is_err(), "{bits}");
    }
}

#[test]
fn nothing_is_drawn_for_what_nothing_makes() {
    let entropy = Arc::new(Counting::default());
    let generator = SoftwareGenerator::new(Arc::clone(&entropy) as Arc<dyn Entropy>);
    for (algorithm, bits) in [
        ("aes", 7),
        ("aes", 512),
        ("rsa", 512),
        ("rsa", 32_760),
        ("dsa", 2_056),
        ("ec", 255),
        ("ed25519", 255),
        ("x448", 256),
    ] {
        let spec = spec(algorithm, bits);
        let passphrase = SecretBytes::new(b"passphrase".to_vec());
        for request in [
            GenerationRequest::Symmetric(&spec),
            GenerationRequest::KeyPair(&spec, None),
            GenerationRequest::KeyPair(&spec, Some(&passphrase)),
        ] {
            assert!(!generator.blocks(request), "{request:?}");
            let kind = generator.generate(request).unwrap_err().kind();
            assert_eq!(kind, GenerationErrorKind::Unsupported, "{request:?}");
        }
    }
    assert_eq!(entropy.0.load(Ordering::Relaxed), 0);
}

#[test]
fn what_takes_long_blocks() {
    let generator = generator(1);
    let (passphrase, empty) = (
        SecretBytes::new(b"passphrase".to_vec()),
        SecretBytes::new(vec![]),
    );
    for (algorithm, bits, plain, encrypted) in [
        ("rsa", 1_024, true, true),
        ("dsa", 1_024, true, true),
        ("ec", 521, false, true),
        ("ed25519", 256, false, true),
    ] {
        let spec = spec(algorithm, bits);
        let blocks = |passphrase| generator.blocks(GenerationRequest::KeyPair(&spec, passphrase));
        assert_eq!(blocks(None), plain, "{algorithm}");
        assert_eq!(blocks(Some(&empty)), plain, "{algorithm}");
        assert_eq!(blocks(Some(&passphrase)), encrypted, "{algorithm}");
    }
    assert!(!generator.blocks(GenerationRequest::Symmetric(&spec("hmacsha512", 32_760))));
}

/// RFC 8410, section 10: a private key and its public key.
#[test]
fn ed25519_is_as_in_the_standard() {
    let generator = SoftwareGenerator::new(Arc::new(Fixed([
        0xd4, 0xee, 0x72, 0xdb, 0xf9, 0x13, 0x58, 0x4a, 0xd5, 0xb6, 0xd8, 0xf1, 0xf7, 0x69, 0xf8,
        0xad, 0x3a, 0xfe, 0x7c, 0x28, 0xcb, 0xf1, 0xd4, 0xfb, 0xe0, 0x97, 0xa8, 0x8f, 0x44, 0x75,
        0x58, 0x42,
    ])));
    let pair = pair(&generator, &spec("Ed25519", 256));
    assert_eq!(
        text(&pair.private),
        "-----BEGIN PRIVATE KEY-----\n\
         MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
         -----END PRIVATE KEY-----\n"
    );
    assert_eq!(
        text(&pair.public),
        "-----BEGIN PUBLIC KEY-----\n\
         MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
         -----END PUBLIC KEY-----\n"
    );
}

#[test]
fn equal_entropy_makes_equal_keys_and_other_entropy_others() {
    for (algorithm, bits) in [("rsa", 1_024), ("dsa", 1_024), ("ec", 521)] {
        let spec = spec(algorithm, bits);
        let (one, two, other) = (
            pair(&generator(1), &spec),
            pair(&generator(1), &spec),
            pair(&generator(2), &spec),
        );
        assert_eq!(one.private, two.private, "{algorithm}");
        assert_eq!(one.public, two.public, "{algorithm}");
        assert_ne!(one.private, other.private, "{algorithm}");
        assert_ne!(one.public, other.public, "{algorithm}");
    }
}

#[test]
fn an_empty_passphrase_is_none() {
    let (spec, empty) = (spec("ec", 256), SecretBytes::new(vec![]));
    let made = generator(1).generate(GenerationRequest::KeyPair(&spec, Some(&empty)));
    let Ok(Generated::KeyPair(pair)) = made else {
        panic!("a pair is made");
    };
    assert!(text(&pair.private).starts_with("-----BEGIN PRIVATE KEY-----\n"));
}

#[test]
fn debug_shows_no_key() {
    let generator = generator(1);
    assert_eq!(format!("{generator:?}"), "SoftwareGenerator { .. }");
    let passphrase = SecretBytes::new(b"open sesame".to_vec());
    let spec = spec("ec", 256);
    let request = GenerationRequest::KeyPair(&spec, Some(&passphrase));
    assert!(!format!("{request:?}").contains("sesame"));
    let shown = format!("{:?}", generator.generate(request).unwrap());
    assert!(shown.contains("SecretBytes("), "{shown}");
    assert!(!shown.contains("BEGIN"), "{shown}");
}

proptest! {
    /// Names that are near those of the table, and what they make.
    #[test]
    fn the_letter_case_of_names_does_not_matter(
        (name, bits, shout) in prop_oneof![
            Just(("aes", 256)), Just(("des", 64)), Just(("3des", 192)), Just(("desede", 168)),
            Just(("hmacsha1", 160)), Just(("hmacsha256", 256)), Just(("hmacsha384", 384)),
            Just(("hmacsha512", 512)),
        ].prop_flat_map(|(name, bits)| (Just(name), Just(bits), any::<u32>()))
    ) {
        let cased = with_case(name, shout);
        let spec = spec(&cased, bits);
        prop_assert_eq!(recipe::symmetric(&spec), Some(usize::from(bits / 8)));
        prop_assert_eq!(recipe::pair(&spec), None);
    }

    #[test]
    fn the_letter_case_of_pairs_does_not_matter(
        (name, bits) in prop_oneof![
            Just(("rsa", 2_048)), Just(("dsa", 1_024)), Just(("ec", 384)), Just(("ed25519", 256)),
        ],
        shout: u32,
    ) {
        let spec = spec(&with_case(name, shout), bits);
        prop_assert!(recipe::pair(&spec).is_some());
        prop_assert_eq!(recipe::symmetric(&spec), None);
    }

    #[test]
    fn other_names_make_nothing(name in "[ -~]{1,12}|\\PC{1,6}", bits in 1_u16..=32_767) {
        let known = ["aes", "des", "3des", "desede", "rsa", "dsa", "ec", "ed25519"];
        let lower = name.to_ascii_lowercase();
        prop_assume!(!known.contains(&&*lower) && !lower.starts_with("hmacsha"));
        let spec = spec(&name, bits);
        prop_assert_eq!(recipe::symmetric(&spec), None);
        prop_assert_eq!(recipe::pair(&spec), None);
    }
}

/// The letters for which a bit is set in capitals.
fn with_case(name: &str, shout: u32) -> String {
    let cased = |(at, letter): (usize, char)| match shout >> (at % 32) & 1 {
        0 => letter,
        _ => letter.to_ascii_uppercase(),
    };
    name.chars().enumerate().map(cased).collect()
}

fn generator(seed: u64) -> SoftwareGenerator {
    SoftwareGenerator::new(Arc::new(SeededEntropy::new(seed)))
}

fn spec(algorithm: &str, bits: u16) -> KeySpec {
    sample::key_spec(algorithm, bits.into())
}

fn pair(generator: &SoftwareGenerator, spec: &KeySpec) -> KeyPair {
    match generator.generate(GenerationRequest::KeyPair(spec, None)) {
        Ok(Generated::KeyPair(pair)) => pair,
        other => panic!("{other:?}"),
    }
}

fn text(bytes: &SecretBytes) -> &str {
    std::str::from_utf8(bytes.expose()).unwrap()
}

/// Gives the same 32 bytes each time.
struct Fixed([u8; 32]);

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0);
    }
}

/// Counts how often somebody draws.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fetch_add(1, Ordering::Relaxed);
        bytes.fill(7);
    }
}

mod on_a_source {
    use donjon_testkit::{
        FakeKeySource, contract::key_generator::KeyGeneratorCase, sample::key_spec,
    };
    use rsa::pkcs1::EncodeRsaPrivateKey;

    use super::*;

    struct Case(SoftwareGenerator);

    impl KeyGeneratorCase for Case {
        fn generator(&self) -> &dyn KeyGenerator {
            &self.0
        }

        fn symmetric(&self) -> Vec<KeySpec> {
            vec![key_spec("aes", 256), key_spec("hmacsha1", 160)]
        }

        /// The source makes `ec` alone.
        fn key_pairs(&self) -> Vec<KeySpec> {
            let curves = [256, 384, 521].map(|bits| key_spec("ec", bits));
            [&curves[..], &[key_spec("ed25519", 256)]].concat()
        }
    }

    donjon_testkit::key_generator_contract!(Box::new(Case(on(FakeKeySource::new()))));

    fn on(source: impl KeySource + 'static) -> SoftwareGenerator {
        SoftwareGenerator::with_source(Arc::new(SeededEntropy::new(3)), Arc::new(source))
    }

    fn shared() -> (Arc<FakeKeySource>, SoftwareGenerator) {
        let source = Arc::new(FakeKeySource::new());
        let entropy = Arc::new(SeededEntropy::new(3));
        let generator = SoftwareGenerator::with_source(entropy, source.clone());
        (source, generator)
    }

    #[test]
    fn what_the_source_makes_is_made_nowhere_else() {
        let (source, generator) = shared();
        let (aes, ec) = (key_spec("aes", 256), key_spec("ec", 384));
        let (rsa, ed) = (key_spec("rsa", 1_024), key_spec("ed25519", 256));
        let requests = |is_away| {
            source.set_away(is_away);
            let symmetric = GenerationRequest::Symmetric(&aes);
            let pairs = [&ec, &rsa, &ed].map(|spec| GenerationRequest::KeyPair(spec, None));
            let all = [symmetric, pairs[0], pairs[1], pairs[2]];
            all.map(|request| {
                let made = generator.generate(request);
                (
                    generator.blocks(request),
                    made.map(drop).map_err(|error| error.kind()),
                )
            })
        };
        let here = [
            (true, Ok(())),
            (true, Ok(())),
            (true, Ok(())),
            (false, Ok(())),
        ];
        assert_eq!(requests(false), here);
        assert_eq!(source.made(), 2);
        let away = Err(GenerationErrorKind::Unavailable);
        assert_eq!(
            requests(true),
            [(true, away), (true, away), here[2], here[3]]
        );
        // What nobody makes does not go to a thread.
        let nonsense = key_spec("aes", 100);
        assert!(!generator.blocks(GenerationRequest::Symmetric(&nonsense)));
    }

    /// Makes these bytes, whatever was asked for.
    struct Raw(Vec<u8>);

    impl KeySource for Raw {
        fn random(&self, _: usize) -> Result<SecretBytes, GenerationError> {
            Ok(SecretBytes::new(self.0.clone()))
        }

        fn makes(&self, _: RawKey) -> bool {
            true
        }

        fn private(&self, _: RawKey) -> Result<SecretBytes, GenerationError> {
            self.random(0)
        }
    }

    fn pair_of(raw: Vec<u8>, spec: &KeySpec) -> Result<KeyPair, GenerationErrorKind> {
        match on(Raw(raw)).generate(GenerationRequest::KeyPair(spec, None)) {
            Ok(Generated::KeyPair(pair)) => Ok(pair),
            Ok(Generated::Symmetric(_)) => panic!("one key for {spec:?}"),
            Err(error) => Err(error.kind()),
        }
    }

    #[test]
    fn a_pair_is_that_of_the_private_key() {
        let entropy = SeededEntropy::new(9);
        let key = rsa::PrivateKey::new(&mut EntropyRng(&entropy), 1_024).unwrap();
        let raw = key.to_pkcs1_der().unwrap().as_bytes().to_vec();
        let pair = pair_of(raw.clone(), &key_spec("rsa", 1_024)).unwrap();
        let expected = Encoder {
            form: Form::Pem,
            passphrase: None,
            entropy: &entropy,
        };
        let expected = expected.pair(&key, key.as_public_key()).unwrap();
        assert_eq!(pair.private, expected.private);
        assert_eq!(pair.public, expected.public);
        let internal = GenerationErrorKind::Internal;
        let longer = pair_of(raw.clone(), &key_spec("rsa", 2_048));
        assert_eq!(longer.unwrap_err(), internal);
        let mut damaged = raw;
        damaged[40] ^= 1;
        assert_eq!(
            pair_of(damaged, &key_spec("rsa", 1_024)).unwrap_err(),
            internal
        );
    }

    #[test]
    fn keys_of_a_wrong_size_are_none() {
        let internal = GenerationErrorKind::Internal;
        let order = vec![0xff; 32];
        for raw in [vec![], vec![1; 31], vec![1; 33], vec![0; 32], order] {
            let made = pair_of(raw.clone(), &key_spec("ec", 256));
            assert_eq!(made.unwrap_err(), internal, "{raw:?}");
        }
        let aes = key_spec("aes", 256);
        let short = on(Raw(vec![1; 16])).generate(GenerationRequest::Symmetric(&aes));
        assert_eq!(short.unwrap_err().kind(), internal);
    }
}

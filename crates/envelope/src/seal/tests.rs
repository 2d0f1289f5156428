use super::*;
use crate::{
    OVERHEAD_BYTES,
    fixture::{CONTEXT, Forgery, KEK_ID, key, plain, random},
    open,
};

const PADDINGS: [Padding; 2] = [Padding::Blocks64, Padding::None];

/// The same envelope put together by hand, from the documented header.
#[test]
fn envelope_is_header_ciphertext_and_tag() {
    let sealed = seal(&key(), KEK_ID, &CONTEXT, b"body", &random(), Padding::None).unwrap();
    assert_eq!(sealed, Forgery::default().seal());

    let mut body = b"\0\0\0\x04body".to_vec();
    body.resize(64, 0);
    let sealed = seal(
        &key(),
        KEK_ID,
        &CONTEXT,
        b"body",
        &random(),
        Padding::Blocks64,
    )
    .unwrap();
    assert_eq!(
        sealed,
        Forgery {
            flags: 1,
            body: &body,
            ..Forgery::default()
        }
        .seal()
    );
}

#[test]
fn random_bytes_are_salt_then_nonce() {
    let sealed = seal(&key(), KEK_ID, &CONTEXT, b"", &random(), Padding::None).unwrap();
    assert_eq!(sealed[24..80], random());
}

#[test]
fn lengths_are_as_announced_and_no_buffer_grows() {
    for length in [0, 1, 31, 32, 59, 60, 61, 64, 65, 1000, 20_000] {
        for padding in PADDINGS {
            let plain = plain("plain", length);
            let sealed = seal(&key(), KEK_ID, &CONTEXT, &plain, &random(), padding).unwrap();
            assert_eq!(
                Some(sealed.len()),
                padding.sealed_bytes(length),
                "{length} {padding:?}"
            );
            assert_eq!(sealed.capacity(), sealed.len(), "{length} {padding:?}");
        }
    }
}

#[test]
fn padded_lengths_do_not_tell_short_keys_apart() {
    let length = |plain_bytes| {
        seal(
            &key(),
            KEK_ID,
            &CONTEXT,
            &plain("k", plain_bytes),
            &random(),
            Padding::Blocks64,
        )
        .unwrap()
        .len()
    };
    assert_eq!([0, 8, 16, 24, 32, 60].map(length), [OVERHEAD_BYTES + 64; 6]);
    assert_eq!(length(61), OVERHEAD_BYTES + 128);
}

#[test]
fn salt_and_nonce_change_everything_behind_them() {
    let other = crate::fixture::bytes("other random");
    let one = seal(&key(), KEK_ID, &CONTEXT, &[0; 60], &random(), Padding::None).unwrap();
    let two = seal(&key(), KEK_ID, &CONTEXT, &[0; 60], &other, Padding::None).unwrap();
    for part in [24..56, 56..80, 80..112, 112..172, 172..188] {
        assert_ne!(one[part.clone()], two[part.clone()], "{part:?}");
    }
}

/// Should the generator repeat itself, other contexts still get another key stream.
#[test]
fn repeated_randomness_does_not_repeat_the_key_stream_for_another_object() {
    let other = Context {
        object: b"another object",
        ..CONTEXT
    };
    let one = seal(&key(), KEK_ID, &CONTEXT, &[0; 64], &random(), Padding::None).unwrap();
    let two = seal(&key(), KEK_ID, &other, &[0; 64], &random(), Padding::None).unwrap();
    assert_ne!(one[112..176], two[112..176]);
}

#[test]
fn plaintext_does_not_show() {
    let plain = b"a plaintext that one would find".repeat(40);
    for padding in PADDINGS {
        let sealed = seal(&key(), KEK_ID, &CONTEXT, &plain, &random(), padding).unwrap();
        assert!(
            !sealed
                .windows(8)
                .any(|window| plain.windows(8).any(|part| part == window))
        );
        assert_eq!(open(&key(), &CONTEXT, &sealed).unwrap().as_slice(), plain);
    }
}

#[test]
fn too_long_says_how_long() {
    let error = SealError::from(FieldTooLong {
        bytes: 0x1_0000_0000,
    });
    assert_eq!(
        error,
        SealError::TooLong {
            bytes: 0x1_0000_0000
        }
    );
    assert_eq!(
        error.to_string(),
        "4294967296 bytes are more than an envelope can count"
    );
}

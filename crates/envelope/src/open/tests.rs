use super::*;
use crate::{
    Kind, OVERHEAD_BYTES, Padding,
    fixture::{CONTEXT, Forgery, KEK_ID, KINDS, bytes, key, plain, random},
    seal,
};

/// Plaintext lengths of the envelopes that are tampered with.
const LENGTHS: [usize; 10] = [0, 1, 16, 32, 60, 61, 257, 500, 1000, 20_000];
const PADDINGS: [Padding; 2] = [Padding::Blocks64, Padding::None];

fn sealed(context: &Context<'_>, plain: &[u8], padding: Padding) -> Vec<u8> {
    seal(&key(), KEK_ID, context, plain, &random(), padding).unwrap()
}

/// The one place where these tests see an envelope refused: always the same value, and nothing else.
#[track_caller]
fn assert_refused(key: &Key, context: &Context<'_>, envelope: &[u8]) {
    let error = open(key, context, envelope).expect_err("must not open");
    assert_eq!(error, OpenError);
    assert_eq!(error.to_string(), "envelope does not open");
    assert_eq!(format!("{error:?}"), "OpenError");
}

#[test]
fn what_was_sealed_comes_back() {
    for length in (0..=200).chain([1000, 4096, 20_000]) {
        let plain = plain("plain", length);
        for padding in PADDINGS {
            let opened = open(&key(), &CONTEXT, &sealed(&CONTEXT, &plain, padding)).unwrap();
            assert_eq!(*opened, plain, "{length} {padding:?}");
        }
    }
}

#[test]
fn unpadded_plaintext_has_no_spare_room() {
    let opened = open(
        &key(),
        &CONTEXT,
        &sealed(&CONTEXT, &[7; 1000], Padding::None),
    )
    .unwrap();
    assert_eq!(opened.capacity(), 1000);
}

// === changed bits ===

/// Every bit of 18 envelopes, and of two long ones every bit of header and tag and every bit of each 53rd byte between.
#[test]
fn every_single_bit_flip_is_refused() {
    let mut flips = 0;
    for (length, padding) in LENGTHS
        .into_iter()
        .flat_map(|length| PADDINGS.map(|padding| (length, padding)))
    {
        let mut envelope = sealed(&CONTEXT, &plain("plain", length), padding);
        let tag_at = envelope.len() - 16;
        let stride = if length > 1000 { 53 } else { 1 };
        for at in (0..envelope.len()).filter(|at| *at < 112 || *at >= tag_at || at % stride == 0) {
            for bit in 0..8 {
                envelope[at] ^= 1 << bit;
                assert_eq!(
                    open(&key(), &CONTEXT, &envelope),
                    Err(OpenError),
                    "byte {at} bit {bit}"
                );
                envelope[at] ^= 1 << bit;
                flips += 1;
            }
        }
        assert!(open(&key(), &CONTEXT, &envelope).is_ok());
    }
    assert!(flips > 60_000, "{flips}");
}

#[test]
fn every_cut_is_refused() {
    for padding in PADDINGS {
        for length in [0, 1, 64, 257] {
            let envelope = sealed(&CONTEXT, &plain("plain", length), padding);
            for end in 0..envelope.len() {
                assert_refused(&key(), &CONTEXT, &envelope[..end]);
                assert_refused(&key(), &CONTEXT, &envelope[envelope.len() - end..]);
            }
        }
    }
}

#[test]
fn everything_appended_is_refused() {
    for padding in PADDINGS {
        let envelope = sealed(&CONTEXT, b"plain", padding);
        for more in [1, 16, 64, 128] {
            assert_refused(&key(), &CONTEXT, &[&envelope[..], &vec![0; more]].concat());
        }
        assert_refused(&key(), &CONTEXT, &[&envelope[..], &envelope].concat());
    }
}

/// Two good envelopes of equal length, with each possible stretch of fields exchanged.
#[test]
fn parts_of_two_envelopes_do_not_mix() {
    let one = sealed(&CONTEXT, b"one", Padding::Blocks64);
    let two = seal(
        &key(),
        [0x4c; 16],
        &CONTEXT,
        b"two",
        &bytes("other random"),
        Padding::Blocks64,
    )
    .unwrap();
    let borders = [8, 24, 56, 80, 112, 176, 192];
    for (index, start) in borders.iter().enumerate() {
        for end in &borders[index + 1..] {
            let mut mixed = one.clone();
            mixed[*start..*end].copy_from_slice(&two[*start..*end]);
            match (*start, *end) {
                (8, 192) => assert_eq!(open(&key(), &CONTEXT, &mixed).unwrap().as_slice(), b"two"),
                _ => assert_refused(&key(), &CONTEXT, &mixed),
            }
        }
    }
}

// === other key, other context ===

/// Contexts and keys that differ in one thing each, every envelope tried with every one of them.
#[test]
fn swap_matrix() {
    let mut contexts: Vec<Context<'_>> = KINDS.map(|kind| Context { kind, ..CONTEXT }).to_vec();
    for other in [
        &b""[..],
        b"other",
        b"projec",
        b"projectx",
        b"PROJECT",
        b"object",
    ] {
        contexts.push(Context {
            deployment: other,
            ..CONTEXT
        });
        contexts.push(Context {
            project: other,
            ..CONTEXT
        });
    }
    for other in [
        &b""[..],
        b"other",
        b"objec",
        b"objectx",
        b"OBJECT",
        b"project",
    ] {
        contexts.push(Context {
            object: other,
            ..CONTEXT
        });
    }
    for version in [0, 2, 256, 1 << 24, u32::MAX] {
        contexts.push(Context { version, ..CONTEXT });
    }
    // The same bytes in other fields.
    contexts.push(Context {
        project: CONTEXT.object,
        object: CONTEXT.project,
        ..CONTEXT
    });
    contexts.push(Context {
        deployment: CONTEXT.project,
        project: CONTEXT.deployment,
        ..CONTEXT
    });
    let keys = [key(), Key::from(&[0; 32]), Key::from(&bytes("another key"))];

    let mut opened = 0;
    for (key_at, sealing) in keys.iter().enumerate() {
        for (context_at, context) in contexts.iter().enumerate() {
            let envelope = seal(
                sealing,
                KEK_ID,
                context,
                b"plain",
                &random(),
                Padding::Blocks64,
            )
            .unwrap();
            for (other_key_at, opening) in keys.iter().enumerate() {
                for (other_context_at, other) in contexts.iter().enumerate() {
                    if (key_at, context_at) == (other_key_at, other_context_at) {
                        assert_eq!(
                            open(opening, other, &envelope).unwrap().as_slice(),
                            b"plain"
                        );
                        opened += 1;
                    } else {
                        assert_refused(opening, other, &envelope);
                    }
                }
            }
        }
    }
    assert_eq!(opened, 3 * 31);
}

#[test]
fn each_bit_of_the_key_matters() {
    let envelope = sealed(&CONTEXT, b"plain", Padding::Blocks64);
    for bit in 0..256 {
        let mut other = *key().expose_bytes();
        other[bit / 8] ^= 1 << (bit % 8);
        assert_refused(&Key::from(&other), &CONTEXT, &envelope);
    }
}

/// Without lengths in front, these two contexts would be the same bytes.
#[test]
fn field_borders_matter() {
    let (one, two) = (
        Context {
            deployment: b"ab",
            project: b"c",
            object: b"",
            ..CONTEXT
        },
        Context {
            deployment: b"a",
            project: b"bc",
            object: b"",
            ..CONTEXT
        },
    );
    assert_refused(&key(), &two, &sealed(&one, b"plain", Padding::None));
    let (one, two) = (
        Context {
            object: b"xkek",
            kind: Kind::Payload,
            ..CONTEXT
        },
        Context {
            object: b"x",
            kind: Kind::Kek,
            ..CONTEXT
        },
    );
    assert_refused(&key(), &two, &sealed(&one, b"plain", Padding::None));
    let (one, two) = (
        Context {
            project: b"a",
            object: b"b\0\0\0\x01c",
            ..CONTEXT
        },
        Context {
            project: b"a\0\0\0\x01b",
            object: b"c",
            ..CONTEXT
        },
    );
    assert_refused(&key(), &two, &sealed(&one, b"plain", Padding::None));
}

// === authentic and wrong: the check that is meant for it must refuse ===

#[test]
fn a_forgery_with_nothing_wrong_opens() {
    assert_eq!(
        open(&key(), &CONTEXT, &Forgery::default().seal())
            .unwrap()
            .as_slice(),
        b"body"
    );
}

#[test]
fn unknown_headers_are_refused() {
    let mut forgeries = vec![];
    for magic in [*b"JD", *b"dj", *b"D\0", *b"\0J", [0; 2]] {
        forgeries.push(Forgery {
            magic,
            ..Forgery::default()
        });
    }
    for version in (0..=255).filter(|version| *version != 1) {
        forgeries.push(Forgery {
            version,
            ..Forgery::default()
        });
    }
    for suite in (0..=255).filter(|suite| *suite != 1) {
        forgeries.push(Forgery {
            suite,
            ..Forgery::default()
        });
    }
    for flags in 2..=255 {
        let mut body = b"\0\0\0\x04body".to_vec();
        body.resize(64, 0);
        forgeries.push(Forgery {
            flags,
            body: body.leak(),
            ..Forgery::default()
        });
    }
    for at in 0..24 {
        let mut reserved = [0; 3];
        reserved[at / 8] = 1 << (at % 8);
        forgeries.push(Forgery {
            reserved,
            ..Forgery::default()
        });
    }
    for forgery in forgeries {
        let envelope = forgery.seal();
        assert_refused(&key(), &CONTEXT, &envelope);
        assert_eq!(kek_id(&envelope), Err(OpenError));
    }
}

#[test]
fn the_commitment_is_compared_and_not_only_authenticated() {
    let right: [u8; 32] = Forgery::default().seal()[80..112].try_into().unwrap();
    for bit in 0..256 {
        let mut commitment = right;
        commitment[bit / 8] ^= 1 << (bit % 8);
        assert_refused(
            &key(),
            &CONTEXT,
            &Forgery {
                commitment: Some(commitment),
                ..Forgery::default()
            }
            .seal(),
        );
    }
}

#[test]
fn the_context_is_in_the_key_and_in_the_additional_data() {
    let other = Context {
        object: b"another object",
        ..CONTEXT
    };
    assert_refused(
        &key(),
        &CONTEXT,
        &Forgery {
            derived_for: other,
            ..Forgery::default()
        }
        .seal(),
    );
    assert_refused(
        &key(),
        &CONTEXT,
        &Forgery {
            bound_to: Some(other),
            ..Forgery::default()
        }
        .seal(),
    );
    assert_refused(
        &key(),
        &CONTEXT,
        &Forgery {
            bound_to: None,
            ..Forgery::default()
        }
        .seal(),
    );
}

#[test]
fn bodies_that_no_padding_makes_are_refused() {
    let mut filled = b"\0\0\0\x04body".to_vec();
    filled.resize(64, 0);
    assert_eq!(
        open(
            &key(),
            &CONTEXT,
            &Forgery {
                flags: 1,
                body: &filled,
                ..Forgery::default()
            }
            .seal()
        )
        .unwrap()
        .as_slice(),
        b"body"
    );
    let refuse = |change: fn(&mut Vec<u8>)| {
        let mut body = filled.clone();
        change(&mut body);
        assert_refused(
            &key(),
            &CONTEXT,
            &Forgery {
                flags: 1,
                body: &body,
                ..Forgery::default()
            }
            .seal(),
        );
    };
    refuse(|body| body[63] = 1);
    refuse(|body| body[8] = 1);
    refuse(|body| body[3] = 3);
    refuse(|body| body[3] = 61);
    refuse(|body| body[0] = 0xff);
    refuse(|body| body.resize(128, 0));
    refuse(|body| body.truncate(63));
    refuse(Vec::clear);
}

// === kek_id ===

#[test]
fn kek_id_is_read_without_a_key() {
    for padding in PADDINGS {
        assert_eq!(kek_id(&sealed(&CONTEXT, b"plain", padding)), Ok(KEK_ID));
    }
}

#[test]
fn kek_id_refuses_what_is_no_envelope() {
    let envelope = sealed(&CONTEXT, b"", Padding::None);
    for end in 0..OVERHEAD_BYTES {
        assert_eq!(kek_id(&envelope[..end]), Err(OpenError));
    }
    for at in 0..8 {
        for bit in 0..8 {
            // The padding flag alone is a known bit, and wrong here only because nothing padded is that short.
            let mut other = envelope.clone();
            other[at] ^= 1 << bit;
            assert_eq!(kek_id(&other), Err(OpenError), "byte {at} bit {bit}");
        }
    }
}

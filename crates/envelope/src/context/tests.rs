use std::collections::HashSet;

use super::*;
use crate::fixture::{CONTEXT, KINDS};

fn encoded(context: &Context<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    context
        .encode(|part| bytes.extend_from_slice(part))
        .ok()
        .unwrap();
    bytes
}

#[test]
fn five_fields_each_behind_its_length() {
    let context = Context {
        deployment: b"dep",
        project: b"",
        object: b"\0\xff",
        kind: Kind::Payload,
        version: 0x0102_0304,
    };
    let want = b"\0\0\0\x03dep\0\0\0\0\0\0\0\x02\0\xff\0\0\0\x07payload\0\0\0\x04\x01\x02\x03\x04";
    assert_eq!(encoded(&context), want);
}

#[test]
fn digest_and_additional_data_use_the_encoding() {
    let header = [9; HEADER_BYTES];
    let aad = CONTEXT.aad(&header).ok().unwrap();
    assert_eq!(aad, [&header[..], &encoded(&CONTEXT)].concat());
    assert_eq!(
        aad.capacity(),
        aad.len(),
        "allocated once, and no more than needed"
    );
    assert_eq!(
        CONTEXT.digest().ok().unwrap(),
        *Sha256::digest(encoded(&CONTEXT))
    );
}

#[test]
fn kind_texts_are_frozen() {
    let texts = KINDS.map(Kind::as_str);
    assert_eq!(
        texts,
        [
            "payload",
            "private",
            "public",
            "passphrase",
            "kek",
            "canary"
        ]
    );
}

/// The bytes "ab" and "c" in all ways over three fields, and fields that look like a length of their neighbour.
#[test]
fn no_two_contexts_share_an_encoding() {
    let texts: [&[u8]; 9] = [
        b"",
        b"a",
        b"ab",
        b"abc",
        b"b",
        b"bc",
        b"c",
        b"a\0\0\0\x01b",
        b"\0\0\0\x01",
    ];
    let mut seen = HashSet::new();
    let mut contexts = 0;
    for deployment in texts {
        for project in texts {
            for object in texts {
                for kind in KINDS {
                    for version in [0, 1, 256] {
                        contexts += 1;
                        seen.insert(encoded(&Context {
                            deployment,
                            project,
                            object,
                            kind,
                            version,
                        }));
                    }
                }
            }
        }
    }
    assert_eq!(seen.len(), contexts);
}

#[test]
fn lengths_end_at_four_bytes() {
    assert_eq!(length_prefix(0xffff_ffff).ok(), Some([0xff; 4]));
    assert_eq!(
        length_prefix(0x1_0000_0000).err().map(|error| error.bytes),
        Some(0x1_0000_0000)
    );
}

//! Base64 as Python reads it: characters outside the alphabet are skipped,
//! padding ends the text, and only a wrong number of characters is an error.
//! Clients send line breaks and rely on it.
//!
//! # Source
//! RFC 4648, section 4; the recorded exchanges `base64-lenient`,
//! `base64-bad-padding` and `payload-decodes-to-nothing`.

use base64ct::{Base64Unpadded, Encoding};
use donjon_domain::SecretBytes;
use zeroize::Zeroizing;

/// The text is not base64 even to a lenient reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidBase64;

/// Decodes `text`; the result may be empty.
pub(crate) fn decode_lenient(text: &[u8]) -> Result<SecretBytes, InvalidBase64> {
    if !text.is_ascii() {
        return Err(InvalidBase64);
    }
    let mut kept = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut pads = 0;
    let mut padded = false;
    for &byte in text {
        if byte == b'=' {
            pads += 1;
            let in_group = kept.len() % 4;
            if in_group >= 2 && in_group + pads >= 4 {
                padded = true;
                break;
            }
        } else if sextet(byte).is_some() {
            pads = 0;
            kept.push(byte);
        }
    }
    if kept.len() % 4 != 0 && !padded {
        return Err(InvalidBase64);
    }
    drop_loose_bits(&mut kept);
    let text = std::str::from_utf8(&kept).map_err(|_source| InvalidBase64)?;
    let bytes = Base64Unpadded::decode_vec(text).map_err(|_source| InvalidBase64)?;
    Ok(SecretBytes::new(bytes))
}

/// Bits beyond the last whole byte are ignored by Python and refused by the
/// decoder, so they are cleared.
fn drop_loose_bits(kept: &mut [u8]) {
    let mask = match kept.len() % 4 {
        2 => 0b11_0000,
        3 => 0b11_1100,
        _ => return,
    };
    let Some(last) = kept.last_mut() else { return };
    if let Some(character) = sextet(*last).and_then(|value| ALPHABET.get(usize::from(value & mask)))
    {
        *last = *character;
    }
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&[u8]>) {
        let decoded = decode_lenient(text.as_bytes());
        assert_eq!(
            decoded.as_ref().map(SecretBytes::expose).ok(),
            expected,
            "{text:?}"
        );
    }

    #[test]
    fn what_python_accepts() {
        check("c2VjcmV0", Some(b"secret"));
        check("c2Vj\r\ncm V0\n", Some(b"secret"));
        check("c2!V*j?cm.V0", Some(b"secret"));
        check("c2VjcmV0IQ==", Some(b"secret!"));
        check("c2VjcmV0IQ==c2Vj", Some(b"secret!"));
        check("_-_-c2Vj", Some(b"sec"));
        check("QR==", Some(b"A"));
        check("QUJ=", Some(b"AB"));
        check("ab=c=", Some(b"i\xb7"));
        for nothing in ["", "====", "=", "----", "!!!!"] {
            check(nothing, Some(b""));
        }
    }

    #[test]
    fn what_python_refuses() {
        for text in [
            "c2VjcmV0I",
            "c2VjcmV0IQ",
            "c2VjcmV0IQ=",
            "c",
            "ab",
            "abc",
            "a=bc",
            "not base64!",
            "ü",
        ] {
            check(text, None);
        }
    }
}

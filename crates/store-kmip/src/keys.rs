//! Keys that the server makes, and managed objects as the bytes of a secret.
//!
//! Keys that were made come in whatever of the usual forms the server keeps them,
//! and are given as an order's keys are: the bytes of a symmetric key, PKCS#8 and
//! SubjectPublicKeyInfo in PEM.

use donjon_domain::{
    KeySpec, SecretBytes,
    ports::{GenerationRequest, StoreError, StoreErrorKind},
};
use donjon_kmip_ttlv::Value;
use pkcs8::{
    LineEnding, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument,
    der::{
        Decode, Encode,
        asn1::{AnyRef, BitStringRef, OctetStringRef},
        pem::PemLabel,
    },
    spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef},
};
use zeroize::Zeroizing;

use crate::{
    answer::Fields,
    tag::{self, format, object},
};

/// A key that servers make as a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Of so many bits.
    Aes(u16),
    /// Likewise.
    RsaPair(u16),
}

impl Wanted {
    /// `None` for what is better made elsewhere: servers differ in what 3DES has
    /// for a length, for one, and none encrypts with a passphrase.
    pub(crate) fn of(request: GenerationRequest<'_>) -> Option<Self> {
        let is = |spec: &KeySpec, name| spec.algorithm.as_str().eq_ignore_ascii_case(name);
        match request {
            GenerationRequest::Symmetric(spec) if is(spec, "aes") => match spec.bit_length.get() {
                192 if spec.is_xts() => None,
                bits @ (128 | 192 | 256) => Some(Self::Aes(bits)),
                _ => None,
            },
            GenerationRequest::KeyPair(spec, None) if is(spec, "rsa") => {
                match spec.bit_length.get() {
                    bits @ (2048 | 3072 | 4096) => Some(Self::RsaPair(bits)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// The bytes of the managed object in an answer to Get.
pub(crate) fn payload(got: &mut Fields) -> Result<SecretBytes, StoreError> {
    let bytes = match got.enumeration(tag::OBJECT_TYPE) {
        Some(object::OPAQUE) => opaque(got),
        Some(object::SYMMETRIC_KEY) => symmetric(got),
        Some(object::PRIVATE_KEY) => private(got),
        Some(object::PUBLIC_KEY) => public(got),
        _ => None,
    };
    bytes.ok_or_else(|| StoreError::with_source(StoreErrorKind::Corrupt, "no object of its type"))
}

fn opaque(got: &mut Fields) -> Option<SecretBytes> {
    let mut object = got.take(tag::OPAQUE_OBJECT).and_then(Fields::of)?;
    bytes(object.take(tag::OPAQUE_DATA_VALUE)?).map(SecretBytes::from_zeroizing)
}

fn symmetric(got: &mut Fields) -> Option<SecretBytes> {
    let (form, key) = material(got.take(tag::SYMMETRIC_KEY)?)?;
    (form == format::RAW).then(|| SecretBytes::from_zeroizing(key))
}

fn private(got: &mut Fields) -> Option<SecretBytes> {
    let (form, key) = material(got.take(tag::PRIVATE_KEY)?)?;
    let info = match form {
        format::PKCS_8 => PrivateKeyInfoRef::try_from(key.as_slice()).ok()?,
        format::PKCS_1 => PrivateKeyInfoRef::new(rsa(), OctetStringRef::new(&key).ok()?),
        _ => return None,
    };
    pem(
        SecretDocument::try_from(info).ok()?,
        PrivateKeyInfoRef::PEM_LABEL,
    )
}

fn public(got: &mut Fields) -> Option<SecretBytes> {
    let (form, key) = material(got.take(tag::PUBLIC_KEY)?)?;
    let info = match form {
        format::X_509 => SubjectPublicKeyInfoRef::from_der(&key).ok()?,
        format::PKCS_1 => SubjectPublicKeyInfoRef {
            algorithm: rsa(),
            subject_public_key: BitStringRef::from_bytes(&key).ok()?,
        },
        _ => return None,
    };
    let der = SecretDocument::try_from(info.to_der().ok()?).ok()?;
    pem(der, SubjectPublicKeyInfoRef::PEM_LABEL)
}

/// Format and bytes of a key; `None` where it is wrapped or in numbers.
fn material(object: Value) -> Option<(u32, Zeroizing<Vec<u8>>)> {
    let mut block = Fields::of(object)?
        .take(tag::KEY_BLOCK)
        .and_then(Fields::of)?;
    if block.take(tag::KEY_WRAPPING_DATA).is_some() {
        return None;
    }
    let form = block.enumeration(tag::KEY_FORMAT_TYPE)?;
    let mut value = block.take(tag::KEY_VALUE).and_then(Fields::of)?;
    Some((form, bytes(value.take(tag::KEY_MATERIAL)?)?))
}

fn bytes(value: Value) -> Option<Zeroizing<Vec<u8>>> {
    match value {
        Value::ByteString(bytes) => Some(bytes),
        _ => None,
    }
}

fn pem(der: SecretDocument, label: &'static str) -> Option<SecretBytes> {
    let mut text = der.to_pem(label, LineEnding::LF).ok()?;
    Some(SecretBytes::from(std::mem::take(&mut *text)))
}

/// RFC 8017, A.1: parameters are there, and are NULL.
fn rsa() -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef {
        oid: ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"),
        parameters: Some(AnyRef::NULL),
    }
}

#[cfg(test)]
mod tests {
    use donjon_kmip_ttlv::Item;
    use donjon_testkit::sample;

    use super::*;

    /// By hand, of what is no key, but that is not looked at.
    #[test]
    fn rsa_keys_get_their_frame() {
        let key = [0x30, 0x03, 0x02, 0x01, 0x05];
        let rsa: &[u8] = &[
            0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
            0x00,
        ];
        let private = [&[0x30, 0x19, 0x02, 0x01, 0x00], rsa, &[0x04, 0x05], &key].concat();
        let public = [&[0x30, 0x17], rsa, &[0x03, 0x06, 0x00], &key].concat();
        for (object_type, tag, form, given, expected, label) in [
            (
                object::PRIVATE_KEY,
                tag::PRIVATE_KEY,
                format::PKCS_1,
                &key[..],
                &private,
                "PRIVATE KEY",
            ),
            (
                object::PRIVATE_KEY,
                tag::PRIVATE_KEY,
                format::PKCS_8,
                &private,
                &private,
                "PRIVATE KEY",
            ),
            (
                object::PUBLIC_KEY,
                tag::PUBLIC_KEY,
                format::PKCS_1,
                &key,
                &public,
                "PUBLIC KEY",
            ),
            (
                object::PUBLIC_KEY,
                tag::PUBLIC_KEY,
                format::X_509,
                &public,
                &public,
                "PUBLIC KEY",
            ),
        ] {
            let item = |tag, value| Item::new(tag, value);
            let material = item(tag::KEY_MATERIAL, Value::bytes(given));
            let block = vec![
                item(tag::KEY_FORMAT_TYPE, Value::Enumeration(form)),
                item(tag::KEY_VALUE, Value::Structure(vec![material])),
            ];
            let key = vec![item(tag::KEY_BLOCK, Value::Structure(block))];
            let got = Value::Structure(vec![
                item(tag::OBJECT_TYPE, Value::Enumeration(object_type)),
                item(tag, Value::Structure(key)),
            ]);
            let found = payload(&mut Fields::of(got).unwrap()).unwrap();
            let text = std::str::from_utf8(found.expose()).unwrap();
            let (found, der) = SecretDocument::from_pem(text).unwrap();
            assert_eq!((found, der.as_bytes()), (label, expected.as_slice()));
        }
    }

    #[test]
    fn no_key_for_xts_has_192_bits() {
        for (bits, mode, is_made) in [
            (192, "xts", false),
            (192, "XTS", false),
            (192, "cbc", true),
            (256, "xts", true),
            (512, "xts", false),
        ] {
            let spec = KeySpec {
                mode: Some(sample::label(mode)),
                ..sample::key_spec("aes", bits)
            };
            let wanted = Wanted::of(GenerationRequest::Symmetric(&spec));
            assert_eq!(wanted.is_some(), is_made, "{bits} {mode}");
        }
    }
}

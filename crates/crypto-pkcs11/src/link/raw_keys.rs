//! Keys that a token generates and gives away: random bytes, and private keys
//! as objects of the session for that long.

use cryptoki::{
    context::Function,
    error::{Error, RvError},
    mechanism::{Mechanism, MechanismType},
    object::{Attribute, AttributeType, KeyType, ObjectClass},
};
use zeroize::Zeroizing;

use super::{Link, wipe};
use crate::{DeviceError, Module, answer::Outcome};

/// A kind of private key that tokens make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Rsa,
    Ec,
}

impl Link {
    /// `C_GenerateRandom`, as Barbican makes symmetric keys.
    pub(crate) fn random(&self, bytes: usize) -> Outcome {
        let mut random = Zeroizing::new(vec![0; bytes]);
        let filled = self.session.generate_random_slice(&mut random);
        filled.map_err(|error| DeviceError::of(&error))?;
        Ok(random)
    }

    /// Fewest and most bits of keys that the token says it makes; `None` where it
    /// makes none.
    pub(crate) fn sizes(
        &self,
        module: &Module,
        family: Family,
    ) -> Result<Option<(usize, usize)>, DeviceError> {
        if !self.mechanisms(module)?.contains(&family.mechanism()) {
            return Ok(None);
        }
        let info = self.session.get_session_info();
        let info = info.and_then(|info| {
            let pkcs11 = module.pkcs11();
            pkcs11.get_mechanism_info(info.slot_id(), family.mechanism())
        });
        let info = info.map_err(|error| DeviceError::of(&error))?;
        Ok(Some((info.min_key_size(), info.max_key_size())))
    }

    /// An `RSAPrivateKey` of PKCS#1.
    pub(crate) fn make_rsa(&self, bits: u16) -> Outcome {
        let public = [
            Attribute::Token(false),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::ModulusBits(u64::from(bits).into()),
            Attribute::PublicExponent(EXPONENT.to_vec()),
        ];
        let made = self.make_pair(
            &Mechanism::RsaPkcsKeyPairGen,
            &public,
            KeyType::RSA,
            &[
                AttributeType::Modulus,
                AttributeType::PublicExponent,
                AttributeType::PrivateExponent,
                AttributeType::Prime1,
                AttributeType::Prime2,
                AttributeType::Exponent1,
                AttributeType::Exponent2,
                AttributeType::Coefficient,
            ],
        )?;
        Ok(rsa_private_key(&made))
    }

    /// The scalar, as long as the field. `bits` are those of a curve of NIST.
    pub(crate) fn make_ec(&self, bits: u16) -> Outcome {
        let curve = curve(bits).ok_or_else(|| refused(RvError::CurveNotSupported))?;
        let public = [
            Attribute::Token(false),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(curve.to_vec()),
        ];
        let mechanism = &Mechanism::EccKeyPairGen;
        let made = self.make_pair(mechanism, &public, KeyType::EC, &[AttributeType::Value])?;
        let [value] = made.as_slice() else {
            return Err(refused(RvError::AttributeSensitive));
        };
        let value = stripped(value);
        let bytes = usize::from(bits.div_ceil(8));
        let zeros = bytes.checked_sub(value.len());
        let zeros = zeros.ok_or_else(|| refused(RvError::KeySizeRange))?;
        let mut scalar = Zeroizing::new(vec![0; bytes]);
        scalar.splice(zeros.., value.iter().copied());
        Ok(scalar)
    }

    /// Makes a pair and reads these attributes of the private key, in this order.
    fn make_pair(
        &self,
        mechanism: &Mechanism<'_>,
        public: &[Attribute],
        key_type: KeyType,
        wanted: &[AttributeType],
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, DeviceError> {
        let private = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(key_type),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sign(true),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
        ];
        let made = self
            .session
            .generate_key_pair(mechanism, public, &private)
            .map_err(|error| DeviceError::of(&error))?;
        let read = self.session.get_attributes(made.1, wanted);
        // They go away with the session anyway.
        drop(self.session.destroy_object(made.0));
        drop(self.session.destroy_object(made.1));
        let read = read.map_err(|error| DeviceError::of(&error))?;
        let find = |wanted: &AttributeType| {
            let mut all = read.iter();
            all.find_map(|attribute| bytes_of(attribute, *wanted))
        };
        let found: Option<Vec<_>> = wanted.iter().map(find).collect();
        for attribute in read {
            wipe_secret(attribute);
        }
        found.ok_or_else(|| refused(RvError::AttributeSensitive))
    }
}

impl Family {
    fn mechanism(self) -> MechanismType {
        match self {
            Self::Rsa => MechanismType::RSA_PKCS_KEY_PAIR_GEN,
            Self::Ec => MechanismType::ECC_KEY_PAIR_GEN,
        }
    }
}

/// A copy of what an attribute of this type holds, if it is one.
fn bytes_of(attribute: &Attribute, wanted: AttributeType) -> Option<Zeroizing<Vec<u8>>> {
    if attribute.attribute_type() != wanted {
        return None;
    }
    secret(attribute).cloned().map(Zeroizing::new)
}

fn secret(attribute: &Attribute) -> Option<&Vec<u8>> {
    match attribute {
        Attribute::Modulus(bytes)
        | Attribute::PublicExponent(bytes)
        | Attribute::PrivateExponent(bytes)
        | Attribute::Prime1(bytes)
        | Attribute::Prime2(bytes)
        | Attribute::Exponent1(bytes)
        | Attribute::Exponent2(bytes)
        | Attribute::Coefficient(bytes)
        | Attribute::Value(bytes) => Some(bytes),
        _ => None,
    }
}

fn wipe_secret(attribute: Attribute) {
    match attribute {
        Attribute::PrivateExponent(bytes)
        | Attribute::Prime1(bytes)
        | Attribute::Prime2(bytes)
        | Attribute::Exponent1(bytes)
        | Attribute::Exponent2(bytes)
        | Attribute::Coefficient(bytes) => drop(Zeroizing::new(bytes)),
        other => wipe(vec![other]),
    }
}

/// The token did it, and gives nothing of use.
fn refused(code: RvError) -> DeviceError {
    DeviceError::of(&Error::Pkcs11(code, Function::GetAttributeValue))
}

/// The bare parameter: the name of the curve.
fn curve(bits: u16) -> Option<&'static [u8]> {
    match bits {
        256 => Some(&[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]),
        384 => Some(&[0x06, 5, 0x2b, 0x81, 4, 0, 34]),
        521 => Some(&[0x06, 5, 0x2b, 0x81, 4, 0, 35]),
        _ => None,
    }
}

// === DER ===

/// `SEQUENCE { version 0, n, e, d, p, q, dp, dq, qinv }` of the numbers behind the
/// version (RFC 8017, A.1.2).
fn rsa_private_key(numbers: &[Zeroizing<Vec<u8>>]) -> Zeroizing<Vec<u8>> {
    let version = Zeroizing::new(vec![0]);
    let numbers = std::iter::once(&version).chain(numbers);
    let mut body = Zeroizing::new(Vec::with_capacity(ROOM));
    for number in numbers {
        integer(&mut body, number);
    }
    let mut key = Zeroizing::new(Vec::with_capacity(body.len() + 8));
    tagged(&mut key, 0x30, body.len());
    key.extend_from_slice(&body);
    key
}

/// Not negative.
fn integer(to: &mut Vec<u8>, number: &[u8]) {
    let number = stripped(number);
    let is_marked = number.first().is_none_or(|first| *first >= 0x80);
    tagged(to, 0x02, number.len() + usize::from(is_marked));
    if is_marked {
        to.push(0);
    }
    to.extend_from_slice(number);
}

/// Tag and length.
fn tagged(to: &mut Vec<u8>, tag: u8, bytes: usize) {
    to.push(tag);
    match u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes() {
        [0, low @ 0..0x80] => to.push(low),
        [0, low] => to.extend([0x81, low]),
        [high, low] => to.extend([0x82, high, low]),
    }
}

fn stripped(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// 65537.
const EXPONENT: &[u8] = &[1, 0, 1];
/// More than a key of 8,192 bits needs, so that nothing is left where a buffer
/// grew.
const ROOM: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_not_negative_and_as_short_as_can_be() {
        let der = |number: &[u8]| {
            let mut der = Vec::new();
            integer(&mut der, number);
            der
        };
        assert_eq!(der(&[0]), [2, 1, 0]);
        assert_eq!(der(&[0, 0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(der(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(der(&[1; 127])[..3], [2, 127, 1]);
        assert_eq!(der(&[1; 128])[..4], [2, 0x81, 128, 1]);
        assert_eq!(der(&[0xff; 255])[..5], [2, 0x82, 1, 0, 0]);
        assert_eq!(der(&[1; 256])[..5], [2, 0x82, 1, 0, 1]);
    }

    #[test]
    fn a_key_is_a_sequence_with_its_version() {
        let numbers = [vec![3], vec![0x80]].map(Zeroizing::new);
        assert_eq!(
            *rsa_private_key(&numbers),
            [0x30, 10, 2, 1, 0, 2, 1, 3, 2, 2, 0, 0x80]
        );
    }
}

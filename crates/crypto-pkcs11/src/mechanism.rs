//! Ways to wrap a key by another that stays in the token.

use std::str::FromStr;

use cryptoki::object::KeyType;

/// A way to wrap a short key. Barbican's names, and what the token is asked to
/// do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrapMechanism {
    /// `CKM_AES_GCM`, encrypting, with a random IV of 12 bytes.
    Gcm,
    /// `CKM_AES_CBC_PAD`, encrypting.
    CbcPad,
    /// `CKM_AES_CBC`, encrypting, padded here as PKCS#7 says.
    Cbc,
    /// `CKM_AES_CBC_PAD`, wrapping, for a key that may not encrypt.
    CbcPadWrap,
    /// `CKM_AES_KEY_WRAP_PAD`, wrapping.
    KeyWrapPad,
}

/// There is no such mechanism for wrapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown mechanism {0:?}; there are CKM_AES_GCM, CKM_AES_CBC_PAD, CKM_AES_CBC and CKM_AES_KEY_WRAP_PAD. \
     Keys are wrapped anew here, so it need not be the one that Barbican used"
)]
pub struct UnknownMechanism(String);

/// What type of key the one is that authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacKeyType {
    /// `CKK_AES`
    Aes,
    /// `CKK_GENERIC_SECRET`
    GenericSecret,
    /// `CKK_SHA256_HMAC`
    Sha256Hmac,
}

/// There is no such type of key for authenticating.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown type {0:?}; there are CKK_AES, CKK_GENERIC_SECRET and CKK_SHA256_HMAC")]
pub struct UnknownKeyType(String);

// === impl WrapMechanism ===

impl WrapMechanism {
    /// All, in the order in which they are tried where none is configured.
    ///
    /// Encrypting comes first: for wrapping, a key has to become an object of
    /// the token in clear first, which tokens in FIPS mode refuse.
    pub(crate) const ALL: [Self; 5] = [
        Self::Gcm,
        Self::CbcPad,
        Self::Cbc,
        Self::CbcPadWrap,
        Self::KeyWrapPad,
    ];

    /// Those that go by this name.
    pub(crate) fn with_name(name: &str) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |one| one.name() == name)
    }

    /// As the configuration has it. Two of them share one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gcm => "CKM_AES_GCM",
            Self::CbcPad | Self::CbcPadWrap => "CKM_AES_CBC_PAD",
            Self::Cbc => "CKM_AES_CBC",
            Self::KeyWrapPad => "CKM_AES_KEY_WRAP_PAD",
        }
    }

    /// What the token does: `encrypt` or `wrap`.
    #[must_use]
    pub fn operation(self) -> &'static str {
        match self {
            Self::Gcm | Self::CbcPad | Self::Cbc => "encrypt",
            Self::CbcPadWrap | Self::KeyWrapPad => "wrap",
        }
    }

    /// Bytes of its IV.
    pub(crate) fn iv_bytes(self) -> usize {
        match self {
            Self::Gcm => 12,
            Self::CbcPad | Self::Cbc | Self::CbcPadWrap => 16,
            Self::KeyWrapPad => 0,
        }
    }

    /// As wrapped bytes have it; never changes.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Gcm => 1,
            Self::CbcPad => 2,
            Self::Cbc => 3,
            Self::CbcPadWrap => 4,
            Self::KeyWrapPad => 5,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// The first of a name.
impl FromStr for WrapMechanism {
    type Err = UnknownMechanism;

    fn from_str(name: &str) -> Result<Self, UnknownMechanism> {
        Self::with_name(name)
            .next()
            .ok_or_else(|| UnknownMechanism(name.to_owned()))
    }
}

// === impl HmacKeyType ===

impl HmacKeyType {
    /// As the configuration has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes => "CKK_AES",
            Self::GenericSecret => "CKK_GENERIC_SECRET",
            Self::Sha256Hmac => "CKK_SHA256_HMAC",
        }
    }

    pub(crate) fn raw(self) -> KeyType {
        match self {
            Self::Aes => KeyType::AES,
            Self::GenericSecret => KeyType::GENERIC_SECRET,
            Self::Sha256Hmac => KeyType::SHA256_HMAC,
        }
    }

    pub(crate) fn from_raw(raw: KeyType) -> Option<Self> {
        [Self::Aes, Self::GenericSecret, Self::Sha256Hmac]
            .into_iter()
            .find(|one| one.raw() == raw)
    }
}

impl FromStr for HmacKeyType {
    type Err = UnknownKeyType;

    fn from_str(name: &str) -> Result<Self, UnknownKeyType> {
        [Self::Aes, Self::GenericSecret, Self::Sha256Hmac]
            .into_iter()
            .find(|one| one.name() == name)
            .ok_or_else(|| UnknownKeyType(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_lead_back() {
        for mechanism in WrapMechanism::ALL {
            assert_eq!(WrapMechanism::from_code(mechanism.code()), Some(mechanism));
            let mut named = WrapMechanism::with_name(mechanism.name());
            assert!(named.any(|one| one == mechanism));
        }
        assert_eq!("CKM_AES_CBC_PAD".parse(), Ok(WrapMechanism::CbcPad));
        assert!("CKM_AES_KEY_WRAP_KWP".parse::<WrapMechanism>().is_err());
        assert_eq!(WrapMechanism::from_code(0), None);
        assert_eq!("CKK_AES".parse(), Ok(HmacKeyType::Aes));
        assert!("CKK_DES".parse::<HmacKeyType>().is_err());
    }
}

//! A secret's metadata and the rules on it. The payload is not here: it is
//! [`crate::Sealed`] in storage and [`crate::SecretBytes`] in memory.

use std::{fmt, str::FromStr};

use crate::{Acl, Label, ProjectId, SecretId, Timestamp, UserId};

/// What is known of a secret besides its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its id.
    pub id: SecretId,
    /// The project that owns it.
    pub project: ProjectId,
    /// The user who created it, where known.
    pub creator: Option<UserId>,
    /// When it was created.
    pub created: Timestamp,
    /// When its payload, ACL or consumers last changed.
    pub updated: Timestamp,
    /// Its name, if it has one. Names need not be unique.
    pub name: Option<Label>,
    /// A label for what it is; nothing is inferred from it.
    pub secret_type: SecretType,
    /// A free label such as `aes`.
    pub algorithm: Option<Label>,
    /// A free label such as `cbc`.
    pub mode: Option<Label>,
    /// A label for the size of the key; not compared with the payload.
    pub bit_length: Option<BitLength>,
    /// From when on the secret is invisible.
    pub expiration: Option<Timestamp>,
    /// The type of the payload; there is a payload exactly when this is set.
    pub content_type: Option<ContentType>,
}

/// A secret with the list that guards it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// The secret.
    pub secret: Secret,
    /// Its ACL, where one was written.
    pub acl: Option<Acl>,
}

/// The six types of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SecretType {
    /// A symmetric key.
    Symmetric,
    /// A passphrase.
    Passphrase,
    /// A private key.
    Private,
    /// A public key.
    Public,
    /// A certificate.
    Certificate,
    /// Anything; the default.
    #[default]
    Opaque,
}

/// No secret type has this name. Names are compared with regard to case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown secret type")]
pub struct UnknownSecretType;

/// The type of a payload, as stored and reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// `text/plain`, in UTF-8 where it came in one step.
    Text,
    /// `application/octet-stream`.
    OctetStream,
    /// `application/pkcs8`.
    Pkcs8,
    /// `text/plain; charset=utf-8`, as it is stored with what an order made
    /// that asked for it. Not among the types that a secret shows.
    TextWithCharset,
}

/// A number of bits, 1 to 32,767.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitLength(u16);

/// The number is not in the range of [`BitLength`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bit length is not between {} and {}", BitLength::MIN, BitLength::MAX)]
pub struct InvalidBitLength;

// === impl Secret ===

impl Secret {
    /// Whether the secret is invisible at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expiration.is_some_and(|expiration| expiration <= now)
    }

    /// Whether a payload is stored.
    #[must_use]
    pub fn has_payload(&self) -> bool {
        self.content_type.is_some()
    }
}

// === impl SecretType ===

impl SecretType {
    /// All of them, in the order in which the API prints them.
    pub const ALL: [Self; 6] = [
        Self::Symmetric,
        Self::Passphrase,
        Self::Private,
        Self::Public,
        Self::Certificate,
        Self::Opaque,
    ];

    /// The name of the type in the API and in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Symmetric => "symmetric",
            Self::Passphrase => "passphrase",
            Self::Private => "private",
            Self::Public => "public",
            Self::Certificate => "certificate",
            Self::Opaque => "opaque",
        }
    }
}

impl fmt::Display for SecretType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SecretType {
    type Err = UnknownSecretType;

    fn from_str(text: &str) -> Result<Self, UnknownSecretType> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or(UnknownSecretType)
    }
}

// === impl ContentType ===

impl ContentType {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Text,
        Self::OctetStream,
        Self::Pkcs8,
        Self::TextWithCharset,
    ];

    /// The media type, as clients see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::OctetStream => "application/octet-stream",
            Self::Pkcs8 => "application/pkcs8",
            Self::TextWithCharset => "text/plain; charset=utf-8",
        }
    }

    /// Reads what [`Self::as_str`] gave.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

// === impl BitLength ===

impl BitLength {
    /// The smallest.
    pub const MIN: i64 = 1;
    /// The largest.
    pub const MAX: i64 = 32_767;

    /// Checks the range.
    ///
    /// # Errors
    /// [`InvalidBitLength`] outside of it.
    pub fn new(bits: i64) -> Result<Self, InvalidBitLength> {
        u16::try_from(bits)
            .ok()
            .filter(|_| (Self::MIN..=Self::MAX).contains(&bits))
            .map(Self)
            .ok_or(InvalidBitLength)
    }

    /// The number of bits.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_are_case_sensitive() {
        assert_eq!("opaque".parse(), Ok(SecretType::Opaque));
        assert_eq!("Opaque".parse::<SecretType>(), Err(UnknownSecretType));
        for known in SecretType::ALL {
            assert_eq!(known.as_str().parse(), Ok(known));
        }
    }

    #[test]
    fn content_types_round_trip() {
        for known in ContentType::ALL {
            assert_eq!(ContentType::from_stored(known.as_str()), Some(known));
        }
    }

    #[test]
    fn bit_lengths_have_a_range() {
        for (bits, ok) in [
            (-1, false),
            (0, false),
            (1, true),
            (32_767, true),
            (32_768, false),
            (i64::MAX, false),
        ] {
            assert_eq!(BitLength::new(bits).is_ok(), ok, "{bits}");
        }
    }
}

//! Identifiers. Each entity has a type of its own, so that two ids cannot be
//! swapped. Entities of the key manager have version 4 UUIDs made outside of
//! storage; projects and users have whatever text the identity service uses.

use std::fmt;

use uuid::{Uuid, Variant};

/// The text is not a version 4 UUID in its canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a version 4 UUID in lower case with dashes")]
pub struct InvalidId;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID without looking at its version.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The 16 bytes of the UUID, as stored.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Reads the 16 bytes that [`Self::as_bytes`] gave.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Reads an id as clients write it: 36 characters, lower case,
            /// dashed, version 4. No other spelling of a UUID is accepted.
            ///
            /// # Errors
            /// [`InvalidId`] for anything else.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                parse_v4(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }
    };
}

uuid_id! {
    /// Names one secret.
    SecretId
}
uuid_id! {
    /// Names one container.
    ContainerId
}
uuid_id! {
    /// Names one order.
    OrderId
}
uuid_id! {
    /// Names one transport key.
    TransportKeyId
}
uuid_id! {
    /// Names one secret store.
    SecretStoreId
}
uuid_id! {
    /// Names one act of putting a payload into an outside store. Never used
    /// twice, so whatever bears it there was put by nobody else.
    PutId
}
uuid_id! {
    /// Names one registration of a consumer.
    ConsumerId
}
uuid_id! {
    /// Names one key encryption key; stands in the header of every envelope.
    KekId
}
uuid_id! {
    /// Names one locally issued token, never the token itself.
    TokenId
}
uuid_id! {
    /// Names one installation; bound into every envelope, so that a row copied
    /// into another installation does not open there.
    DeploymentId
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is; every text is an id.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// Names one project (tenant), as the identity service does. Any text.
    ProjectId
}
text_id! {
    /// Names one user, as the identity service does. Any text.
    UserId
}

/// Names one root key: 16 bytes that tell two root keys apart and say nothing
/// about the key itself. Shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RootKeyId([u8; 16]);

impl RootKeyId {
    /// Wraps 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for RootKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RootKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKeyId({self})")
    }
}

fn parse_v4(text: &str) -> Result<Uuid, InvalidId> {
    let canonical = text.len() == 36
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    let uuid = Uuid::try_parse(text)
        .ok()
        .filter(|_| canonical)
        .ok_or(InvalidId)?;
    let version_4 = uuid.get_version_num() == 4 && uuid.get_variant() == Variant::RFC4122;
    version_4.then_some(uuid).ok_or(InvalidId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_of_version_4_is_an_id() {
        let good = "7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";
        assert_eq!(SecretId::parse(good).unwrap().to_string(), good);
        let bad = [
            "",
            "x",
            "7F3C1F6E-0B1D-4C59-9D0A-3A5F6E2B7C11",
            "7f3c1f6e0b1d4c599d0a3a5f6e2b7c11",
            "{7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11}",
            "7f3c1f6e-0b1d-1c59-9d0a-3a5f6e2b7c11",
            "7f3c1f6e-0b1d-4c59-1d0a-3a5f6e2b7c11",
            " 7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c1",
        ];
        for text in bad {
            assert_eq!(SecretId::parse(text), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn debug_names_the_type() {
        let id = KekId::from_bytes([0; 16]);
        assert_eq!(
            format!("{id:?}"),
            "KekId(00000000-0000-0000-0000-000000000000)"
        );
    }
}

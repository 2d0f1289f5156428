//! User metadata: short texts under short keys, kept beside a secret and not
//! encrypted.

use std::collections::BTreeMap;

/// All user metadata of one secret.
pub type UserMetadata = BTreeMap<MetadataKey, String>;

/// A key of user metadata: letters, digits, `_` and `-`, in lower case.
///
/// As in Barbican the check is anchored loosely: the empty key and one
/// trailing newline are let through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetadataKey(String);

/// A character of the key is not URL safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("metadata key has a character that is not URL safe")]
pub struct InvalidMetadataKey;

impl MetadataKey {
    /// Checks a key and turns it into lower case.
    ///
    /// # Errors
    /// [`InvalidMetadataKey`] for any other character.
    pub fn new(text: &str) -> Result<Self, InvalidMetadataKey> {
        let body = text.strip_suffix('\n').unwrap_or(text);
        let safe = body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if safe {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidMetadataKey)
        }
    }

    /// Takes a key as storage or a request path has it, unchecked: used to
    /// look up, never to store.
    #[must_use]
    pub fn for_lookup(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_lower_case_and_url_safe() {
        assert_eq!(
            MetadataKey::new("Access-Limit_2").unwrap().as_str(),
            "access-limit_2"
        );
        for bad in ["a b", "ä", "a/b", "a\n\n", "a.b"] {
            assert_eq!(MetadataKey::new(bad), Err(InvalidMetadataKey), "{bad:?}");
        }
        assert!(MetadataKey::new("").is_ok());
        assert!(MetadataKey::new("a\n").is_ok());
    }
}

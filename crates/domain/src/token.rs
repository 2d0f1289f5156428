//! Rows of locally issued tokens. The token itself is shown once and never
//! kept; its keyed hash is.

use subtle::ConstantTimeEq;

use crate::{ProjectId, Timestamp, TokenId, UserId};

/// Keyed hash (HMAC-SHA-256) of a token. Compared in constant time.
#[derive(Debug, Clone, Copy)]
pub struct TokenHash([u8; 32]);

/// What is kept of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Names the token to people.
    pub id: TokenId,
    /// Its keyed hash.
    pub hash: TokenHash,
    /// The project for which it is valid.
    pub project: ProjectId,
    /// The user whom its holder is.
    pub user: UserId,
    /// Roles in lower case.
    pub roles: Vec<String>,
    /// When it was issued.
    pub created: Timestamp,
    /// From when on it is refused; `None` means never.
    pub expires: Option<Timestamp>,
    /// When it was last accepted, as far as noted (up to a minute late).
    pub last_used: Option<Timestamp>,
}

impl TokenHash {
    /// Wraps 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl TokenRow {
    /// Whether the token is refused from age alone.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

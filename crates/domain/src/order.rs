//! Orders: requests to generate a key or a key pair.

use std::{fmt, str::FromStr};

use crate::{
    BitLength, ContainerId, ContentType, Label, OrderId, ProjectId, Sealed, SecretId, Timestamp,
    UserId,
};

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// The project that owns it and what it makes.
    pub project: ProjectId,
    /// The user who gave it, where known; the creator of what it makes.
    pub creator: Option<UserId>,
    /// When it was given.
    pub created: Timestamp,
    /// When its state last changed.
    pub updated: Timestamp,
    /// What it makes.
    pub order_type: OrderType,
    /// The `meta` of the request as it is shown again: the text of a JSON
    /// object, without passphrase.
    pub meta: String,
    /// How to make it.
    pub spec: KeySpec,
    /// The passphrase for the private key, until it is made.
    pub passphrase: Option<Sealed>,
    /// How far it is.
    pub state: OrderState,
}

/// What an order makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderType {
    /// One symmetric key.
    Key,
    /// A key pair in a container.
    Asymmetric,
}

/// No order type has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown order type")]
pub struct UnknownOrderType;

/// How to make a key. Names of algorithms and modes are free text; whether
/// there is a plugin for them shows when the order is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySpec {
    /// Name of the secrets and the container.
    pub name: Option<Label>,
    /// Algorithm, in any letter case; not empty.
    pub algorithm: Label,
    /// Size of the key.
    pub bit_length: BitLength,
    /// Mode in which the key will be used.
    pub mode: Option<Label>,
    /// Expiration of the secrets.
    pub expiration: Option<Timestamp>,
    /// Type of the payloads; octets where there is none.
    pub content_type: Option<ContentType>,
}

impl KeySpec {
    /// Whether it is for the mode XTS, which takes two keys of half the length,
    /// so that one of 192 bits is none.
    #[must_use]
    pub fn is_xts(&self) -> bool {
        let mode = self.mode.as_ref();
        mode.is_some_and(|mode| mode.as_str().eq_ignore_ascii_case("xts"))
    }
}

/// How far an order is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderState {
    /// Accepted; its job is waiting or running.
    Pending,
    /// Done.
    Active(OrderResult),
    /// Failed.
    Error(OrderFailure),
}

/// What an order made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderResult {
    /// A key.
    Secret(SecretId),
    /// A key pair.
    Container(ContainerId),
}

/// Why an order failed, as clients are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFailure {
    /// A status code, as text.
    pub status_code: String,
    /// The reason; at most 255 characters.
    pub reason: String,
}

impl OrderType {
    /// The name in the API and in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Asymmetric => "asymmetric",
        }
    }
}

impl fmt::Display for OrderType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for OrderType {
    type Err = UnknownOrderType;

    fn from_str(text: &str) -> Result<Self, UnknownOrderType> {
        [Self::Key, Self::Asymmetric]
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or(UnknownOrderType)
    }
}

impl OrderState {
    /// The name of the state in the API and in storage.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active(_) => "ACTIVE",
            Self::Error(_) => "ERROR",
        }
    }
}

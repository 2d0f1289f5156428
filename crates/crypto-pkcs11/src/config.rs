//! Which token, which keys in it, and how patient to be with it.

use std::{fmt, sync::Arc, time::Duration};

use donjon_domain::SecretBytes;

use crate::{HmacKeyType, WrapMechanism};

/// How to reach a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceConfig {
    /// Which one.
    pub token: TokenChoice,
    /// The PIN of its user; not empty.
    pub pin: Arc<SecretBytes>,
    /// Whether sessions may write. Some devices want that even for objects
    /// that go away with the session.
    pub rw_session: bool,
    /// The most sessions at a time, 1 or more.
    pub sessions_max: usize,
    /// How long a caller waits.
    pub patience: Duration,
    /// How long a device that fails is left alone.
    pub rest: Duration,
}

/// Names a token: by its serial number, else by its label, else by its slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenChoice {
    /// Serial number.
    pub serial_number: Option<String>,
    /// Labels, any of which will do.
    pub labels: Vec<String>,
    /// Slot.
    pub slot_id: Option<u64>,
}

/// Names the root key in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLabels {
    /// Label of the AES key that encrypts.
    pub mkek: String,
    /// Label of the key that authenticates.
    pub hmac: String,
    /// What type of key the latter is; `None` for any.
    pub hmac_key_type: Option<HmacKeyType>,
    /// How keys are wrapped from now on; `None` for the first way that the
    /// token masters. What was wrapped another way unwraps all the same.
    pub mechanism: Option<WrapMechanism>,
}

impl TokenChoice {
    /// Whether this is the token that is meant.
    pub(crate) fn names(&self, serial_number: &str, label: &str, slot_id: u64) -> bool {
        if let Some(wanted) = &self.serial_number {
            return wanted == serial_number;
        }
        if !self.labels.is_empty() {
            return self.labels.iter().any(|wanted| wanted == label);
        }
        self.slot_id.is_none_or(|wanted| wanted == slot_id)
    }
}

/// For people, behind "token": ` labelled "a"`.
impl fmt::Display for TokenChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(serial_number) = &self.serial_number {
            return write!(f, " with the serial number {serial_number:?}");
        }
        if !self.labels.is_empty() {
            return write!(f, " labelled {}", self.labels.join(" or "));
        }
        match self.slot_id {
            Some(slot_id) => write!(f, " in slot {slot_id}"),
            None => Ok(()),
        }
    }
}

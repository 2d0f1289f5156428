//! What goes wrong between here and a key in a token, with what to do about it.

use std::{path::PathBuf, time::Duration};

use cryptoki::{
    context::Function,
    error::{Error, RvError},
};
use donjon_domain::ports::{CryptoError, CryptoErrorKind, GenerationError, GenerationErrorKind};

/// A device does not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The module cannot be loaded or initialized.
    #[error(
        "{}: cannot be used as a PKCS#11 module ({reason}); set pkcs11.library_path to the one that came \
         with the HSM, and look whether its own configuration is readable for this user",
        path.display()
    )]
    Library {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No token, or more than one, is the one that is meant.
    #[error(
        "{count} tokens{wanted}, and one is needed; there are: {found}; set pkcs11.token_labels, \
         pkcs11.token_serial_number or pkcs11.slot_id to one of them"
    )]
    Token {
        /// How many are.
        count: usize,
        /// Which one is meant.
        wanted: String,
        /// Those that are there.
        found: String,
    },
    /// The token does not let the user in. It is not asked again: it may lock
    /// itself after a few tries.
    #[error(
        "the token refuses the PIN ({code}): check pkcs11.login or pkcs11.login_from, then start again; \
         until then the PIN is not tried once more, because tokens lock themselves"
    )]
    Pin {
        /// What it said.
        code: String,
    },
    /// No key, or more than one, has the label.
    #[error(
        "{count} keys of the token are labelled {label:?} ({wanted}), and one is needed; its keys are: {found}; \
         set {setting}, or make them with `donjon hsm new-keys`"
    )]
    Key {
        /// How many have it.
        count: usize,
        /// The label.
        label: String,
        /// What type of key is meant.
        wanted: String,
        /// Labels and types of the keys that are there.
        found: String,
        /// Where the label is configured.
        setting: &'static str,
    },
    /// A key that would be made is there already.
    #[error(
        "the token has a key labelled {label:?} already; set {setting} to another label, or use the key"
    )]
    Taken {
        /// The label.
        label: String,
        /// Where the label is configured.
        setting: &'static str,
    },
    /// The keys are there, and cannot be used for what they are needed for.
    #[error(
        "the keys {mkek:?} and {hmac:?} cannot be used: {tried}; set pkcs11.key_wrap_mechanism to a mechanism \
         that `donjon hsm doctor` finds working, or make other keys with `donjon hsm new-keys`"
    )]
    Unfit {
        /// Label of the one that encrypts.
        mkek: String,
        /// Label of the one that authenticates.
        hmac: String,
        /// What was tried, and what came of it.
        tried: String,
    },
    /// Wrapped bytes were changed, or belong to other keys or another place.
    #[error("it was not wrapped by these keys for this place, or was changed")]
    DoesNotUnwrap,
    /// The module answered with an error.
    #[error("the HSM says {code} to {function}")]
    Call {
        /// What was called.
        function: String,
        /// The answer.
        code: String,
        /// Whether the session or the token is gone.
        is_lost: bool,
    },
    /// The module did not return in time.
    #[error("the HSM does not answer within {} ms", patience.as_millis())]
    TimedOut {
        /// How long somebody waited.
        patience: Duration,
    },
    /// It failed before, and is left alone for a while.
    #[error("the HSM failed a moment ago and is left alone for a while")]
    Resting,
    /// Too many calls wait already, or threads that never came back.
    #[error("too many calls wait for the HSM")]
    Busy,
}

impl DeviceError {
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::Pkcs11(code, function) => Self::Call {
                function: name_of_function(*function),
                code: name_of(code),
                is_lost: is_lost(code),
            },
            other => Self::Call {
                function: "PKCS#11".to_owned(),
                code: other.to_string(),
                is_lost: false,
            },
        }
    }

    /// Whether a new session may help, or a new beginning: modules look for
    /// tokens when they begin.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(
            self,
            Self::Call { is_lost: true, .. } | Self::Token { count: 0, .. }
        )
    }

    /// Whether the device is of no use to anybody now, and may be later.
    pub(crate) fn is_outage(&self) -> bool {
        self.is_lost() || matches!(self, Self::TimedOut { .. })
    }
}

impl From<DeviceError> for CryptoError {
    fn from(error: DeviceError) -> Self {
        let kind = match error {
            DeviceError::DoesNotUnwrap => CryptoErrorKind::DoesNotOpen,
            // Whatever is wrong with the device, it is not the request.
            _ => CryptoErrorKind::Unavailable,
        };
        Self::with_source(kind, error)
    }
}

impl From<DeviceError> for GenerationError {
    fn from(error: DeviceError) -> Self {
        let kind = match error {
            // It was asked, and does not want to.
            DeviceError::Call { is_lost: false, .. } => GenerationErrorKind::Internal,
            _ => GenerationErrorKind::Unavailable,
        };
        Self::with_source(kind, error)
    }
}

/// `PinIncorrect` as `CKR_PIN_INCORRECT`.
pub(crate) fn name_of(code: &RvError) -> String {
    match code {
        RvError::VendorDefined(code) | RvError::UnknownErrorCode(code) => format!("{code:#010x}"),
        known => {
            let mut name = "CKR".to_owned();
            for c in format!("{known:?}").chars() {
                if c.is_ascii_uppercase() {
                    name.push('_');
                }
                name.push(c.to_ascii_uppercase());
            }
            name
        }
    }
}

fn name_of_function(function: Function) -> String {
    format!("C_{function:?}")
}

/// Whether session, token or library may be gone, so that a new session, or a
/// new beginning, may help.
fn is_lost(code: &RvError) -> bool {
    matches!(
        code,
        RvError::HostMemory
            | RvError::SlotIdInvalid
            | RvError::GeneralError
            | RvError::FunctionFailed
            | RvError::DeviceError
            | RvError::DeviceMemory
            | RvError::DeviceRemoved
            | RvError::KeyHandleInvalid
            | RvError::ObjectHandleInvalid
            | RvError::OperationActive
            | RvError::OperationNotInitialized
            | RvError::SessionClosed
            | RvError::SessionCount
            | RvError::SessionHandleInvalid
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::UnwrappingKeyHandleInvalid
            | RvError::WrappingKeyHandleInvalid
            | RvError::UserNotLoggedIn
            | RvError::CryptokiNotInitialized
            | RvError::VendorDefined(_)
            | RvError::UnknownErrorCode(_)
    )
}

/// Whether a token did not like the PIN, or the user.
pub(crate) fn is_about_the_pin(code: &RvError) -> bool {
    matches!(
        code,
        RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::PinExpired
            | RvError::PinLocked
            | RvError::UserPinNotInitialized
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_called_as_the_standard_calls_them() {
        assert_eq!(name_of(&RvError::PinIncorrect), "CKR_PIN_INCORRECT");
        assert_eq!(
            name_of(&RvError::SessionHandleInvalid),
            "CKR_SESSION_HANDLE_INVALID"
        );
        assert_eq!(name_of(&RvError::VendorDefined(0x8100_0071)), "0x81000071");
        let error = Error::Pkcs11(RvError::DeviceRemoved, Function::Decrypt);
        assert_eq!(
            DeviceError::of(&error).to_string(),
            "the HSM says CKR_DEVICE_REMOVED to C_Decrypt"
        );
    }

    #[test]
    fn only_what_was_changed_does_not_open() {
        let kind = |error| CryptoError::from(error).kind();
        assert_eq!(
            kind(DeviceError::DoesNotUnwrap),
            CryptoErrorKind::DoesNotOpen
        );
        assert_eq!(kind(DeviceError::Resting), CryptoErrorKind::Unavailable);
        assert_eq!(kind(DeviceError::Busy), CryptoErrorKind::Unavailable);
    }
}

//! A session with a token, logged in, and what is asked of it.

pub(crate) mod raw_keys;

use std::{
    cell::RefCell,
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use cryptoki::{
    error::{Error, RvError},
    mechanism::{Mechanism, MechanismType, aead::GcmParams},
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::{Session, SessionState, UserType},
    types::{AuthPin, RawAuthPin},
};
use donjon_domain::SecretBytes;
use zeroize::Zeroizing;

use crate::{
    DeviceConfig, DeviceError, HmacKeyType, KeyLabels, Module, WrapMechanism, answer::Outcome,
    error,
};

/// A session of one thread.
pub(crate) struct Link {
    session: Session,
    /// Of the module, when the session was opened.
    pub(crate) generation: u64,
    /// Handles that were looked up.
    keys: RefCell<Vec<(KeyLabels, Keys)>>,
}

/// The two keys of a root key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys {
    mkek: ObjectHandle,
    hmac: ObjectHandle,
}

/// A key of the token that may be one of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyFound {
    pub(crate) label: String,
    pub(crate) key_type: Option<HmacKeyType>,
    pub(crate) is_extractable: bool,
}

impl Link {
    /// Opens a session and logs in, where nobody did. The caller has entered
    /// the module.
    pub(crate) fn open(
        module: &Module,
        config: &DeviceConfig,
        generation: u64,
        log_ins: &AtomicU64,
    ) -> Result<Self, DeviceError> {
        let slot = module.slot(&config.token)?;
        // Closed by hand: after the module began anew, the same handle may be somebody else's.
        let opened = if config.rw_session {
            module.pkcs11().open_rw_session_no_drop(slot)
        } else {
            module.pkcs11().open_ro_session_no_drop(slot)
        };
        let link = Self {
            session: opened.map_err(|error| DeviceError::of(&error))?,
            generation,
            keys: RefCell::default(),
        };
        match link.log_in(&config.pin, log_ins) {
            Ok(()) => Ok(link),
            Err(error) => {
                link.close();
                Err(error)
            }
        }
    }

    /// All sessions of a process are logged in by one of them.
    fn log_in(&self, pin: &SecretBytes, log_ins: &AtomicU64) -> Result<(), DeviceError> {
        let info = self.session.get_session_info();
        let info = info.map_err(|error| DeviceError::of(&error))?;
        let is_public = matches!(
            info.session_state(),
            SessionState::RoPublic | SessionState::RwPublic
        );
        if !is_public {
            return Ok(());
        }
        log_ins.fetch_add(1, Ordering::Relaxed);
        let done = match str::from_utf8(pin.expose()) {
            Ok(text) => {
                let pin = AuthPin::new(text.into());
                self.session.login(UserType::User, Some(&pin))
            }
            Err(_) => {
                let pin = RawAuthPin::new(Box::new(pin.expose().to_vec()));
                self.session.login_with_raw(UserType::User, &pin)
            }
        };
        match done {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(Error::Pkcs11(code, _)) if error::is_about_the_pin(&code) => {
                Err(DeviceError::Pin {
                    code: error::name_of(&code),
                })
            }
            Err(error) => Err(DeviceError::of(&error)),
        }
    }

    /// Nobody is left to tell where that fails.
    pub(crate) fn close(self) {
        drop(self.session.close());
    }

    // === keys ===

    /// The two keys, looked up once.
    pub(crate) fn keys(&self, labels: &KeyLabels) -> Result<Keys, DeviceError> {
        let known = self.keys.borrow().iter().find_map(|(known, keys)| {
            let is_meant = known.mkek == labels.mkek
                && known.hmac == labels.hmac
                && known.hmac_key_type == labels.hmac_key_type;
            is_meant.then_some(*keys)
        });
        if let Some(keys) = known {
            return Ok(keys);
        }
        let mkek = self.key(&labels.mkek, Some(HmacKeyType::Aes), "pkcs11.mkek_label")?;
        let hmac = self.key(&labels.hmac, labels.hmac_key_type, "pkcs11.hmac_label")?;
        let keys = Keys { mkek, hmac };
        self.keys.borrow_mut().push((labels.clone(), keys));
        Ok(keys)
    }

    fn key(
        &self,
        label: &str,
        key_type: Option<HmacKeyType>,
        setting: &'static str,
    ) -> Result<ObjectHandle, DeviceError> {
        let mut template = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        template.extend(key_type.map(|key_type| Attribute::KeyType(key_type.raw())));
        let found = self.session.find_objects(&template);
        let found = found.map_err(|error| DeviceError::of(&error))?;
        match *found {
            [key] => Ok(key),
            _ => Err(DeviceError::Key {
                count: found.len(),
                label: label.to_owned(),
                wanted: key_type.map_or("of any type", HmacKeyType::name).to_owned(),
                found: list(&self.all_keys()?),
                setting,
            }),
        }
    }

    /// All secret keys of the token that have a label.
    pub(crate) fn all_keys(&self) -> Result<Vec<KeyFound>, DeviceError> {
        let of = |error: Error| DeviceError::of(&error);
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::Token(true),
        ];
        let mut keys = Vec::new();
        for key in self.session.find_objects(&template).map_err(of)? {
            let wanted = [
                AttributeType::Label,
                AttributeType::KeyType,
                AttributeType::Extractable,
            ];
            let (mut label, mut key_type, mut is_extractable) = (String::new(), None, false);
            for attribute in self.session.get_attributes(key, &wanted).map_err(of)? {
                match attribute {
                    Attribute::Label(bytes) => {
                        label = String::from_utf8_lossy(&bytes).into_owned();
                    }
                    Attribute::KeyType(raw) => key_type = HmacKeyType::from_raw(raw),
                    Attribute::Extractable(is) => is_extractable = is,
                    _ => {}
                }
            }
            if !label.is_empty() {
                keys.push(KeyFound {
                    label,
                    key_type,
                    is_extractable,
                });
            }
        }
        keys.sort_by(|one, other| one.label.cmp(&other.label));
        Ok(keys)
    }

    /// Makes the two keys, with the attributes that Barbican gives them.
    pub(crate) fn make_keys(
        &self,
        labels: &KeyLabels,
        hmac_key_type: HmacKeyType,
    ) -> Result<(), DeviceError> {
        let generation = match hmac_key_type {
            HmacKeyType::Aes => Mechanism::AesKeyGen,
            HmacKeyType::GenericSecret | HmacKeyType::Sha256Hmac => Mechanism::GenericSecretKeyGen,
        };
        let mkek = master_key(&labels.mkek, KeyType::AES, true);
        let hmac = master_key(&labels.hmac, hmac_key_type.raw(), false);
        let made = self.session.generate_key(&Mechanism::AesKeyGen, &mkek);
        let made = made.map_err(|error| DeviceError::of(&error))?;
        if let Err(error) = self.session.generate_key(&generation, &hmac) {
            // Half of a root key is of no use, and its label would be taken.
            drop(self.session.destroy_object(made));
            return Err(DeviceError::of(&error));
        }
        Ok(())
    }

    // === operations ===

    /// HMAC-SHA-256.
    pub(crate) fn mac(&self, keys: Keys, bytes: &[u8]) -> Outcome {
        let mac = self.session.sign(&Mechanism::Sha256Hmac, keys.hmac, bytes);
        mac.map(Zeroizing::new)
            .map_err(|error| DeviceError::of(&error))
    }

    /// Encrypts or wraps a short key.
    pub(crate) fn wrap(
        &self,
        keys: Keys,
        mechanism: WrapMechanism,
        iv: &[u8],
        aad: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, DeviceError> {
        let session = &self.session;
        let wrapped = match mechanism {
            WrapMechanism::Gcm => {
                let mut iv = iv.to_vec();
                GcmParams::new(&mut iv, aad, TAG_BITS.into())
                    .and_then(|gcm| session.encrypt(&Mechanism::AesGcm(gcm), keys.mkek, plain))
            }
            WrapMechanism::CbcPad => {
                session.encrypt(&Mechanism::AesCbcPad(cbc_iv(iv)?), keys.mkek, plain)
            }
            WrapMechanism::Cbc => {
                let padded = pad(plain);
                session.encrypt(&Mechanism::AesCbc(cbc_iv(iv)?), keys.mkek, &padded)
            }
            WrapMechanism::CbcPadWrap => {
                self.wrap_object(keys, &Mechanism::AesCbcPad(cbc_iv(iv)?), plain)
            }
            WrapMechanism::KeyWrapPad => self.wrap_object(keys, &Mechanism::AesKeyWrapPad, plain),
        };
        wrapped.map_err(|error| DeviceError::of(&error))
    }

    /// Decrypts or unwraps what [`Self::wrap`] made, of which nothing was
    /// changed.
    pub(crate) fn unwrap(
        &self,
        keys: Keys,
        mechanism: WrapMechanism,
        iv: &[u8],
        aad: &[u8],
        wrapped: &[u8],
    ) -> Outcome {
        let session = &self.session;
        let plain = match mechanism {
            WrapMechanism::Gcm => {
                let mut iv = iv.to_vec();
                GcmParams::new(&mut iv, aad, TAG_BITS.into())
                    .and_then(|gcm| session.decrypt(&Mechanism::AesGcm(gcm), keys.mkek, wrapped))
            }
            WrapMechanism::CbcPad => {
                session.decrypt(&Mechanism::AesCbcPad(cbc_iv(iv)?), keys.mkek, wrapped)
            }
            WrapMechanism::Cbc => {
                session.decrypt(&Mechanism::AesCbc(cbc_iv(iv)?), keys.mkek, wrapped)
            }
            WrapMechanism::CbcPadWrap => {
                self.unwrap_object(keys, &Mechanism::AesCbcPad(cbc_iv(iv)?), wrapped)
            }
            WrapMechanism::KeyWrapPad => {
                self.unwrap_object(keys, &Mechanism::AesKeyWrapPad, wrapped)
            }
        };
        let mut plain = match plain {
            Ok(plain) => Zeroizing::new(plain),
            // The bytes are those that were wrapped, so it is another key of the same label.
            Err(Error::Pkcs11(code, _)) if is_about_the_bytes(&code) => {
                return Err(DeviceError::DoesNotUnwrap);
            }
            Err(error) => return Err(DeviceError::of(&error)),
        };
        if mechanism == WrapMechanism::Cbc {
            let bytes = unpadded(&plain).ok_or(DeviceError::DoesNotUnwrap)?;
            plain.truncate(bytes);
        }
        Ok(plain)
    }

    /// Wraps a key that is an object of the session for that long.
    fn wrap_object(
        &self,
        keys: Keys,
        mechanism: &Mechanism<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let mut template = session_key();
        template.push(Attribute::Value(plain.to_vec()));
        let made = self.session.create_object(&template);
        wipe(template);
        let key = made?;
        let wrapped = self.session.wrap_key(mechanism, keys.mkek, key);
        // It goes away with the session anyway.
        drop(self.session.destroy_object(key));
        wrapped
    }

    fn unwrap_object(
        &self,
        keys: Keys,
        mechanism: &Mechanism<'_>,
        wrapped: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let template = session_key();
        let key = self
            .session
            .unwrap_key(mechanism, keys.mkek, wrapped, &template)?;
        let value = self.session.get_attributes(key, &[AttributeType::Value]);
        drop(self.session.destroy_object(key));
        let value = value?.into_iter().find_map(|attribute| match attribute {
            Attribute::Value(value) => Some(value),
            _ => None,
        });
        value.ok_or(Error::Pkcs11(
            RvError::AttributeSensitive,
            cryptoki::context::Function::GetAttributeValue,
        ))
    }

    /// Mechanisms that the token says it has.
    pub(crate) fn mechanisms(&self, module: &Module) -> Result<Vec<MechanismType>, DeviceError> {
        let list = self
            .session
            .get_session_info()
            .and_then(|info| module.pkcs11().get_mechanism_list(info.slot_id()));
        list.map_err(|error| DeviceError::of(&error))
    }
}

impl Keys {
    /// Whether two labels led to the same key.
    pub(crate) fn are_one(self) -> bool {
        self.mkek == self.hmac
    }
}

/// A key as the session's own, of which the value can be read.
fn session_key() -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
    ]
}

fn master_key(label: &str, key_type: KeyType, encrypts: bool) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(key_type),
        Attribute::ValueLen(32.into()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Encrypt(encrypts),
        Attribute::Decrypt(encrypts),
        Attribute::Sign(!encrypts),
        Attribute::Verify(!encrypts),
        Attribute::Wrap(encrypts),
        Attribute::Unwrap(encrypts),
        Attribute::Extractable(false),
        Attribute::Label(label.as_bytes().to_vec()),
    ]
}

fn wipe(template: Vec<Attribute>) {
    for attribute in template {
        if let Attribute::Value(value) = attribute {
            drop(Zeroizing::new(value));
        }
    }
}

fn cbc_iv(iv: &[u8]) -> Result<[u8; 16], DeviceError> {
    iv.first_chunk()
        .filter(|chunk| chunk.len() == iv.len())
        .copied()
        .ok_or(DeviceError::DoesNotUnwrap)
}

/// PKCS#7 for blocks of 16.
fn pad(plain: &[u8]) -> Zeroizing<Vec<u8>> {
    let more = BLOCK - u8::try_from(plain.len() % usize::from(BLOCK)).unwrap_or_default();
    let mut padded = Zeroizing::new(Vec::with_capacity(plain.len() + usize::from(more)));
    padded.extend_from_slice(plain);
    padded.resize(plain.len() + usize::from(more), more);
    padded
}

/// How many bytes are left without the padding.
fn unpadded(padded: &[u8]) -> Option<usize> {
    let more = *padded.last()?;
    let bytes = padded.len().checked_sub(usize::from(more))?;
    let padding = padded.get(bytes..)?;
    let is_padding = (1..=BLOCK).contains(&more) && padding.iter().all(|byte| *byte == more);
    is_padding.then_some(bytes)
}

fn is_about_the_bytes(code: &RvError) -> bool {
    matches!(
        code,
        RvError::EncryptedDataInvalid
            | RvError::EncryptedDataLenRange
            | RvError::WrappedKeyInvalid
            | RvError::WrappedKeyLenRange
            | RvError::DataInvalid
            | RvError::DataLenRange
    )
}

fn list(keys: &[KeyFound]) -> String {
    if keys.is_empty() {
        return "none".to_owned();
    }
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    keys.join(", ")
}

impl fmt::Display for KeyFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key_type = self.key_type.map_or("another type", HmacKeyType::name);
        write!(f, "{:?} ({key_type})", self.label)
    }
}

const TAG_BITS: u64 = 128;
const BLOCK: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_comes_off_as_it_went_on() {
        for bytes in 0..=64 {
            let plain = vec![7; bytes];
            let padded = pad(&plain);
            assert_eq!(padded.len() % 16, 0);
            assert!(padded.len() > bytes);
            assert_eq!(unpadded(&padded), Some(bytes));
        }
        for bad in [&[][..], &[0; 16], &[17; 32], &[1, 2, 2, 3], &[3, 3]] {
            assert_eq!(unpadded(bad), None, "{bad:?}");
        }
    }
}

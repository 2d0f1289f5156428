//! A PKCS#11 module, loaded once for the process, and the tokens that it knows.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, TryLockError},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    slot::Slot,
};

use crate::{DeviceError, TokenChoice};

/// A module that was initialized. A process has one of each file at most: the
/// second of the same file would share all state of the first.
pub struct Module {
    path: PathBuf,
    pkcs11: Pkcs11,
    /// Counts how often it was begun anew, which ends all sessions. Whoever
    /// calls into the module holds it for reading.
    generation: RwLock<u64>,
}

/// A token in its slot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenFound {
    /// Slot.
    pub slot_id: u64,
    /// Label, without the blanks behind it; empty where the token has none, or its
    /// description makes no sense.
    pub label: String,
    /// Serial number, likewise.
    pub serial_number: String,
    /// Model, likewise.
    pub model: String,
    /// Whether it has a user PIN.
    pub is_initialized: bool,
}

impl Module {
    /// Loads and initializes a module. Blocks on the file, and on whatever the
    /// module does.
    ///
    /// # Errors
    /// [`DeviceError::Library`].
    pub fn load(path: &Path) -> Result<Arc<Self>, DeviceError> {
        let unusable = |error: &Error| {
            let reason = match error {
                Error::LibraryLoading(error) => error.to_string(),
                other => DeviceError::of(other).to_string(),
            };
            let path = path.to_owned();
            DeviceError::Library { path, reason }
        };
        let pkcs11 = Pkcs11::new(path).map_err(|error| unusable(&error))?;
        initialize(&pkcs11).map_err(|error| unusable(&error))?;
        Ok(Arc::new(Self {
            path: path.to_owned(),
            pkcs11,
            generation: RwLock::new(0),
        }))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All tokens that are there. Blocks for as long as the module does.
    ///
    /// # Errors
    /// As the module fails.
    pub fn tokens(&self) -> Result<Vec<TokenFound>, DeviceError> {
        let _entered = self.enter();
        let found = self.slots().map_err(|error| DeviceError::of(&error))?;
        Ok(found.into_iter().map(|(_, token)| token).collect())
    }

    /// What calls into the module go through, for as long as the guard lives.
    pub(crate) fn enter(&self) -> RwLockReadGuard<'_, u64> {
        self.generation
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pkcs11(&self) -> &Pkcs11 {
        &self.pkcs11
    }

    /// Begins anew, as some modules want after their device was gone. Does
    /// nothing while another call is on its way in the module, which may never
    /// end. Whether it was done.
    pub(crate) fn restart(&self) -> bool {
        let mut generation = match self.generation.try_write() {
            Ok(generation) => generation,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        *generation += 1;
        // What is in its place after a failure is found out by the next call.
        drop(self.pkcs11.clone().finalize());
        initialize(&self.pkcs11).is_ok()
    }

    /// The slot of the token that is meant. Asked again for each session: a
    /// token may come back in another slot.
    pub(crate) fn slot(&self, choice: &TokenChoice) -> Result<Slot, DeviceError> {
        let found = self.slots().map_err(|error| DeviceError::of(&error))?;
        let is_meant = |token: &TokenFound| {
            token.is_initialized && choice.names(&token.serial_number, &token.label, token.slot_id)
        };
        let meant: Vec<Slot> = found
            .iter()
            .filter(|(_, token)| is_meant(token))
            .map(|(slot, _)| *slot)
            .collect();
        match *meant {
            [slot] => Ok(slot),
            // Replicas of one token, which a label names, do the same.
            [slot, ..] if !choice.labels.is_empty() => Ok(slot),
            _ => Err(DeviceError::Token {
                count: meant.len(),
                wanted: format!(" are there{choice}"),
                found: list(found.iter().map(|(_, token)| token)),
            }),
        }
    }

    fn slots(&self) -> Result<Vec<(Slot, TokenFound)>, Error> {
        let mut found = Vec::new();
        for slot in self.pkcs11.get_slots_with_token()? {
            let token = match self.pkcs11.get_token_info(slot) {
                Ok(token) => token,
                // It went since the list was made, or is not ours to know.
                Err(Error::Pkcs11(
                    RvError::TokenNotPresent | RvError::TokenNotRecognized | RvError::SlotIdInvalid,
                    _,
                )) => continue,
                Err(error @ Error::Pkcs11(..)) => return Err(error),
                // Something in its description makes no sense, such as the time of openCryptoki:
                // then its slot has to name it.
                Err(_) => {
                    found.push((slot, TokenFound::nameless(slot.id())));
                    continue;
                }
            };
            let token = TokenFound {
                slot_id: slot.id(),
                label: token.label().trim_end().to_owned(),
                serial_number: token.serial_number().trim_end().to_owned(),
                model: token.model().trim_end().to_owned(),
                is_initialized: token.token_initialized() && token.user_pin_initialized(),
            };
            found.push((slot, token));
        }
        Ok(found)
    }
}

impl TokenFound {
    fn nameless(slot_id: u64) -> Self {
        Self {
            slot_id,
            label: String::new(),
            serial_number: String::new(),
            model: String::new(),
            is_initialized: true,
        }
    }
}

fn initialize(pkcs11: &Pkcs11) -> Result<(), Error> {
    match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        done => done,
    }
}

fn list<'a>(tokens: impl Iterator<Item = &'a TokenFound>) -> String {
    let tokens: Vec<String> = tokens.map(ToString::to_string).collect();
    if tokens.is_empty() {
        return "none at all".to_owned();
    }
    tokens.join(", ")
}

impl fmt::Display for TokenFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            slot_id,
            label,
            serial_number,
            ..
        } = self;
        write!(
            f,
            "{label:?} in slot {slot_id} (serial number {serial_number:?}"
        )?;
        if !self.is_initialized {
            f.write_str(", not initialized")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

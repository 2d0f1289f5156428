//! Root keys that are derived from a passphrase.

use std::path::Path;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64ct::{Base64, Encoding as _};
use donjon_domain::ports::Entropy;
use donjon_envelope::{KEY_BYTES, Key};
use zeroize::Zeroizing;

use super::{RootKey, RootKeyFileError, read_private};

/// What turns a passphrase into a root key: a salt and the cost of Argon2id.
/// Neither is secret, but without the salt the passphrase is worth nothing.
///
/// As a file it is one line:
/// `donjon-passphrase-key 1 argon2id m=65536 t=3 p=4 salt=BASE64`.
#[derive(Debug, Clone)]
pub struct PassphraseKey {
    params: Params,
    salt: [u8; SALT_BYTES],
}

/// A text that is no [`PassphraseKey`], or one that costs too little or too
/// much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a key file for a passphrase, or with a cost out of range; `donjon root-key new --passphrase` makes one"
)]
pub struct InvalidPassphraseKey;

/// Argon2 refuses, or there is not enough memory for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no key from the passphrase: {0}")]
pub struct DerivationError(argon2::Error);

impl PassphraseKey {
    /// Draws a salt. The cost is the second of RFC 9106, section 4: 64 MiB, 3
    /// passes, 4 lanes.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut salt = [0; SALT_BYTES];
        entropy.fill(&mut salt);
        Self {
            params: recommended(),
            salt,
        }
    }

    /// Reads the text of a key file. `m` has to be 19,456 to 1,048,576 KiB, `t`
    /// 2 to 64, `p` 1 to 16: less is guessed, more is a mistake.
    ///
    /// # Errors
    /// [`InvalidPassphraseKey`] for anything else.
    pub fn parse(contents: &[u8]) -> Result<Self, InvalidPassphraseKey> {
        let text = std::str::from_utf8(contents).map_err(|_odd| InvalidPassphraseKey)?;
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let ["donjon-passphrase-key", "1", "argon2id", m, t, p, salt] = fields.as_slice() else {
            return Err(InvalidPassphraseKey);
        };
        let number = |field: &str, name: &str| {
            let digits = field.strip_prefix(name).ok_or(InvalidPassphraseKey)?;
            digits.parse::<u32>().map_err(|_odd| InvalidPassphraseKey)
        };
        let (m, t, p) = (number(m, "m=")?, number(t, "t=")?, number(p, "p=")?);
        if !(19_456..=1_048_576).contains(&m) || !(2..=64).contains(&t) || !(1..=16).contains(&p) {
            return Err(InvalidPassphraseKey);
        }
        let params = Params::new(m, t, p, Some(KEY_BYTES)).map_err(|_odd| InvalidPassphraseKey)?;
        let encoded = salt.strip_prefix("salt=").ok_or(InvalidPassphraseKey)?;
        let mut salt = [0; SALT_BYTES];
        match Base64::decode(encoded, &mut salt) {
            Ok(bytes) if bytes.len() == SALT_BYTES => Ok(Self { params, salt }),
            _ => Err(InvalidPassphraseKey),
        }
    }

    /// Reads a key file under the conditions of [`read_private`]: who can write
    /// it can make the key weak for the next passphrase. Blocks for the read.
    ///
    /// # Errors
    /// [`RootKeyFileError`] names what to mend.
    pub fn from_file(path: &Path) -> Result<Self, RootKeyFileError> {
        let contents = read_private(path, FILE_BYTES_MAX)?;
        Self::parse(&contents).map_err(|source| RootKeyFileError::Passphrase {
            path: path.to_owned(),
            source,
        })
    }

    /// The text of a key file, with a line end.
    #[must_use]
    pub fn to_file_contents(&self) -> String {
        format!(
            "donjon-passphrase-key 1 argon2id m={} t={} p={} salt={}\n",
            self.params.m_cost(),
            self.params.t_cost(),
            self.params.p_cost(),
            Base64::encode_string(&self.salt)
        )
    }

    /// Derives the root key. Any passphrase gives one; whether it is the right
    /// one, the canary of the installation tells. Computes for a good part of a
    /// second, in as much memory as the cost says.
    ///
    /// # Errors
    /// [`DerivationError`] where there is not that much memory.
    pub fn derive(&self, passphrase: &[u8]) -> Result<RootKey, DerivationError> {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        let count = self.params.block_count();
        let mut blocks = Vec::new();
        blocks
            .try_reserve_exact(count)
            .map_err(|_odd| DerivationError(argon2::Error::OutOfMemory))?;
        blocks.resize(count, Block::default());
        let mut blocks = Zeroizing::new(blocks);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        argon2
            .hash_password_into_with_memory(passphrase, &self.salt, &mut *key, &mut *blocks)
            .map_err(DerivationError)?;
        Ok(RootKey::from_key(Key::from_bytes(key)))
    }
}

/// These numbers are within what Argon2 takes, so the default never comes up;
/// it is the first choice of OWASP.
fn recommended() -> Params {
    Params::new(65_536, 3, 4, Some(KEY_BYTES)).unwrap_or_default()
}

const SALT_BYTES: usize = 16;
const FILE_BYTES_MAX: u64 = 256;

#[cfg(test)]
mod tests {
    use donjon_testkit::SeededEntropy;

    use super::*;

    const CHEAP: &str =
        "donjon-passphrase-key 1 argon2id m=19456 t=2 p=1 salt=AAECAwQFBgcICQoLDA0ODw==\n";

    #[test]
    fn a_file_is_read_back() {
        let key = PassphraseKey::generate(&SeededEntropy::new(7));
        let text = key.to_file_contents();
        assert!(text.starts_with("donjon-passphrase-key 1 argon2id m=65536 t=3 p=4 salt="));
        let read = PassphraseKey::parse(text.as_bytes()).unwrap();
        assert_eq!(read.to_file_contents(), text);
        let other = PassphraseKey::generate(&SeededEntropy::new(8));
        assert_ne!(other.to_file_contents(), text);
    }

    /// The same as the reference implementation, libargon2, makes.
    #[test]
    fn the_key_is_frozen() {
        let key = PassphraseKey::parse(CHEAP.as_bytes()).unwrap();
        let derived = key.derive(b"correct horse battery staple").unwrap();
        assert_eq!(derived.id().to_string(), FROZEN_ID);
        let other = key.derive(b"correct horse battery stable").unwrap();
        assert_ne!(other.id(), derived.id());
        let salted = CHEAP.replace("AAEC", "AAED");
        let salted = PassphraseKey::parse(salted.as_bytes()).unwrap();
        let other = salted.derive(b"correct horse battery staple").unwrap();
        assert_ne!(other.id(), derived.id());
    }

    const FROZEN_ID: &str = "b4b8d6c04715c2d15f6898c69755094c";

    #[test]
    fn other_texts_and_costs_are_refused() {
        let change = |from: &str, to: &str| CHEAP.replace(from, to);
        for text in [
            String::new(),
            change(" 1 ", " 2 "),
            change("argon2id", "argon2i"),
            change("m=19456", "m=19455"),
            change("m=19456", "m=1048577"),
            change("m=19456", "m=-1"),
            change("t=2", "t=1"),
            change("t=2", "t=65"),
            change("p=1", "p=0"),
            change("p=1", "p=17"),
            change("AAEC", ""),
            change("AAEC", "????"),
            change("salt=", ""),
            format!("{CHEAP} more"),
        ] {
            let parsed = PassphraseKey::parse(text.as_bytes());
            assert_eq!(parsed.unwrap_err(), InvalidPassphraseKey, "{text}");
        }
    }
}

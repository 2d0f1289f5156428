//! Keys as the bytes of a secret: PKCS#8, encrypted or not, and
//! SubjectPublicKeyInfo, in PEM or DER.
//!
//! The encryption is written out here, because the one of `pkcs8` leaves the
//! derived key on the stack.

use aes::cipher::{BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};
use donjon_domain::{
    SecretBytes,
    ports::{Entropy, GenerationError, KeyPair},
};
use pbkdf2::pbkdf2_hmac;
use pkcs8::{
    EncodePrivateKey, EncodePublicKey, EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef,
    SecretDocument,
    der::{asn1::OctetStringRef, pem::PemLabel},
    pkcs5::pbes2,
    spki::SubjectPublicKeyInfoRef,
};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::internal;

/// How a pair becomes bytes.
#[derive(Clone, Copy)]
pub(super) struct Encoder<'a> {
    /// Text or binary.
    pub(super) form: Form,
    /// What the private key is encrypted with.
    pub(super) passphrase: Option<&'a SecretBytes>,
    /// For salts.
    pub(super) entropy: &'a dyn Entropy,
}

/// Text or binary.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// Base64 between two lines of text.
    Pem,
    /// The bare structure.
    Der,
}

impl Encoder<'_> {
    /// Encodes both halves. With a passphrase this takes a tenth of a second.
    pub(super) fn pair(
        &self,
        private: &impl EncodePrivateKey,
        public: &impl EncodePublicKey,
    ) -> Result<KeyPair, GenerationError> {
        let plain = private.to_pkcs8_der().map_err(internal)?;
        let private = match self.passphrase.filter(|it| !it.is_empty()) {
            None => self.bytes(&plain, PrivateKeyInfoRef::PEM_LABEL)?,
            Some(passphrase) => {
                let sealed = encrypt(&plain, passphrase, self.entropy)?;
                self.bytes(&sealed, EncryptedPrivateKeyInfoRef::PEM_LABEL)?
            }
        };
        let public = public.to_public_key_der().map_err(internal)?.into_secret();
        let public = self.bytes(&public, SubjectPublicKeyInfoRef::PEM_LABEL)?;
        Ok(KeyPair { private, public })
    }

    fn bytes(
        &self,
        der: &SecretDocument,
        label: &'static str,
    ) -> Result<SecretBytes, GenerationError> {
        match self.form {
            Form::Der => Ok(SecretBytes::new(der.as_bytes().to_vec())),
            Form::Pem => {
                let mut text = der.to_pem(label, LineEnding::LF).map_err(internal)?;
                Ok(SecretBytes::from(std::mem::take(&mut *text)))
            }
        }
    }
}

/// Whether the private key gets encrypted: an empty passphrase is none.
pub(super) fn encrypts(passphrase: Option<&SecretBytes>) -> bool {
    passphrase.is_some_and(|passphrase| !passphrase.is_empty())
}

/// PBES2 as every library of the last twenty years reads it. PKCS#5 calls the
/// passphrase a string of bytes.
fn encrypt(
    plain: &SecretDocument,
    passphrase: &SecretBytes,
    entropy: &dyn Entropy,
) -> Result<SecretDocument, GenerationError> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    entropy.fill(&mut salt);
    entropy.fill(&mut iv);
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2_hmac::<Sha256>(passphrase.expose(), &salt, ROUNDS, &mut *key);

    let plain = plain.as_bytes();
    let mut buffer = Zeroizing::new([plain, &[0; 16]].concat());
    let sealed = cbc::Encryptor::<aes::Aes256Enc>::new((&*key).into(), (&iv).into())
        .encrypt_padded::<Pkcs7>(&mut buffer, plain.len())
        .map_err(internal)?;
    let parameters = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, iv);
    EncryptedPrivateKeyInfoRef {
        encryption_algorithm: parameters.map_err(internal)?.into(),
        encrypted_data: OctetStringRef::new(sealed).map_err(internal)?,
    }
    .try_into()
    .map_err(internal)
}

/// A guess at a passphrase costs an attacker this many HMACs.
const ROUNDS: u32 = 600_000;

//! `KeySource` in a token: what orders ask for is generated there.

use std::{
    fmt,
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
};

use donjon_domain::{
    SecretBytes,
    ports::{GenerationError, GenerationErrorKind, KeySource, RawKey},
};
use zeroize::Zeroizing;

use crate::{
    Device, DeviceError,
    link::{Link, raw_keys::Family},
};

/// Keys that a token generates, and gives to the server, which seals them.
///
/// What it makes is found out once. Later it makes all of that, or fails: keys
/// do not come from elsewhere because the token is away.
pub struct DeviceKeys {
    device: Arc<Device>,
    rsa: Found,
    ec: Found,
}

/// Bits of the keys that the token makes, or why it makes none.
type Found = Result<RangeInclusive<usize>, String>;

impl DeviceKeys {
    /// Finds out what the token makes, by making the smallest of each kind. Its
    /// patience has to be enough for a large RSA key.
    ///
    /// # Errors
    /// It gives no random bytes, or cannot be reached.
    pub async fn open(device: Arc<Device>) -> Result<Self, DeviceError> {
        let both = Arc::new(Mutex::new(None));
        let found = Arc::clone(&both);
        let module = Arc::clone(device.module());
        let call = move |link: &Link| {
            let random = link.random(32)?;
            if random.iter().all(|byte| *byte == 0) {
                return Err(DeviceError::Call {
                    function: "C_GenerateRandom".to_owned(),
                    code: "nothing but zeros".to_owned(),
                    is_lost: false,
                });
            }
            let rsa = tried(link.sizes(&module, Family::Rsa), RSA_BITS, |bits| {
                link.make_rsa(bits)
            })?;
            let ec = tried(link.sizes(&module, Family::Ec), EC_BITS, |bits| {
                link.make_ec(bits)
            })?;
            *found.lock().unwrap_or_else(PoisonError::into_inner) = Some((rsa, ec));
            Ok(Zeroizing::default())
        };
        device.submit(Box::new(call)).await?;
        let found = both.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (rsa, ec) = found.ok_or(DeviceError::Busy)?;
        Ok(Self { device, rsa, ec })
    }

    fn range(&self, key: RawKey) -> Option<(&Found, u16)> {
        match key {
            RawKey::Rsa(bits) if RSA_BITS.contains(&bits) => Some((&self.rsa, bits)),
            RawKey::Ec(bits) if EC_BITS.contains(&bits) => Some((&self.ec, bits)),
            _ => None,
        }
    }
}

impl KeySource for DeviceKeys {
    fn random(&self, bytes: usize) -> Result<SecretBytes, GenerationError> {
        let call = move |link: &Link| link.random(bytes);
        let random = self.device.submit(Box::new(call)).wait()?;
        Ok(SecretBytes::from_zeroizing(random))
    }

    fn makes(&self, key: RawKey) -> bool {
        self.range(key).is_some_and(|(found, bits)| {
            let range = found.as_ref();
            range.is_ok_and(|range| range.contains(&usize::from(bits)))
        })
    }

    fn private(&self, key: RawKey) -> Result<SecretBytes, GenerationError> {
        if !self.makes(key) {
            return Err(GenerationError::new(GenerationErrorKind::Unsupported));
        }
        let call = move |link: &Link| match key {
            RawKey::Rsa(bits) => link.make_rsa(bits),
            RawKey::Ec(bits) => link.make_ec(bits),
            // None that it makes.
            _ => Err(DeviceError::Busy),
        };
        let private = self.device.submit(Box::new(call)).wait()?;
        Ok(SecretBytes::from_zeroizing(private))
    }
}

/// Makes the smallest of those that are asked for and that the token says it
/// makes. Only what is no answer of the token's is an error.
fn tried(
    sizes: Result<Option<(usize, usize)>, DeviceError>,
    usual: &[u16],
    make: impl Fn(u16) -> crate::answer::Outcome,
) -> Result<Found, DeviceError> {
    let Some((min, max)) = sizes? else {
        return Ok(Err("the token does not list it".to_owned()));
    };
    // Some tokens tell no sizes.
    let range = min..=if max == 0 { usize::MAX } else { max };
    let smallest = usual
        .iter()
        .find(|bits| range.contains(&usize::from(**bits)));
    let Some(smallest) = smallest else {
        return Ok(Err(format!("the token makes {min} to {max} bits alone")));
    };
    match make(*smallest) {
        Ok(_) => Ok(Ok(range)),
        Err(error) if error.is_lost() => Err(error),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// For people: what is made, and what is not and why.
impl fmt::Display for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("symmetric keys")?;
        let families = [("rsa", &self.rsa), ("ec", &self.ec)];
        for (name, _) in families.iter().filter(|(_, found)| found.is_ok()) {
            write!(f, ", {name}")?;
        }
        for (name, found) in families {
            if let Err(why) = found {
                write!(f, "; not {name} ({why})")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKeys")
            .field("device", &self.device)
            .field("rsa", &self.rsa)
            .field("ec", &self.ec)
            .finish()
    }
}

/// What orders may ask for.
const RSA_BITS: &[u16] = &[1_024, 2_048, 3_072, 4_096];
const EC_BITS: &[u16] = &[256, 384, 521];

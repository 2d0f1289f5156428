//! What objects are called, and how a locator says where one is.

use std::str;

use donjon_domain::{
    DeploymentId, PutId, SecretId,
    ports::{Locator, PayloadName, StoreError, StoreErrorKind},
};

use crate::SetupError;

/// Begins all names.
pub(crate) struct Prefix(String);

/// A locator taken apart: what the object has to be called, and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) name: PayloadName,
    pub(crate) id: &'a str,
}

impl Prefix {
    pub(crate) fn new(prefix: String) -> Result<Self, SetupError> {
        let is_segment = |segment: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            !segment.is_empty() && segment.chars().all(known)
        };
        if prefix.len() <= PREFIX_BYTES_MAX && prefix.split('/').all(is_segment) {
            Ok(Self(prefix))
        } else {
            Err(SetupError::Prefix)
        }
    }

    /// All objects of an installation are in one Object Group.
    pub(crate) fn group(&self, deployment: DeploymentId) -> String {
        format!("{}/{deployment}", self.0)
    }

    pub(crate) fn name(&self, name: &PayloadName) -> String {
        let group = self.group(name.deployment);
        format!("{group}/{}.{}", name.secret, name.put)
    }

    /// `None` for what has not been named here.
    pub(crate) fn read(&self, name: &str) -> Option<PayloadName> {
        let own = name.strip_prefix(&self.0)?.strip_prefix('/')?;
        let (deployment, rest) = own.split_once('/')?;
        let (secret, put) = rest.split_once('.')?;
        Some(PayloadName {
            deployment: DeploymentId::parse(deployment).ok()?,
            secret: SecretId::parse(secret).ok()?,
            put: PutId::parse(put).ok()?,
        })
    }
}

impl<'a> Place<'a> {
    /// `None` for a locator that was not made here.
    pub(crate) fn of(locator: &'a Locator) -> Option<Self> {
        let (form, rest) = locator.as_bytes().split_first()?;
        let (deployment, rest) = rest.split_first_chunk()?;
        let (secret, rest) = rest.split_first_chunk()?;
        let (put, id) = rest.split_first_chunk()?;
        let place = Self {
            name: PayloadName {
                deployment: DeploymentId::from_bytes(*deployment),
                secret: SecretId::from_bytes(*secret),
                put: PutId::from_bytes(*put),
            },
            id: str::from_utf8(id).ok()?,
        };
        (*form == FORM && is_id(place.id)).then_some(place)
    }

    pub(crate) fn locator(&self) -> Result<Locator, StoreError> {
        let PayloadName {
            deployment,
            secret,
            put,
        } = &self.name;
        if !is_id(self.id) {
            let what = "the server gave an id that cannot be kept";
            return Err(StoreError::with_source(StoreErrorKind::Refused, what));
        }
        let mut bytes = vec![FORM];
        bytes.extend(deployment.as_bytes());
        bytes.extend(secret.as_bytes());
        bytes.extend(put.as_bytes());
        bytes.extend(self.id.as_bytes());
        Ok(Locator::new(bytes)?)
    }
}

/// Ids are whatever a server likes; the standard says that they are short.
fn is_id(id: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len())
}

/// The first byte of a locator of this form.
const FORM: u8 = 1;
const ID_BYTES_MAX: usize = 512;
const PREFIX_BYTES_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use donjon_testkit::sample;

    use super::*;

    #[test]
    fn names_and_places_come_back() {
        let name = sample::payload_name(1, 2, 3);
        let prefix = Prefix::new("a/b".to_owned()).unwrap();
        assert_eq!(prefix.read(&prefix.name(&name)), Some(name));
        let place = Place {
            name,
            id: "\u{e9}-17",
        };
        let locator = place.locator().unwrap();
        assert_eq!(Place::of(&locator), Some(place));
    }

    #[test]
    fn other_names_are_nobodys() {
        let name = sample::payload_name(1, 2, 3);
        let prefix = Prefix::new("a".to_owned()).unwrap();
        let own = prefix.name(&name);
        let others = ["", "a", "a/", "key 1", &own[1..], &own[..own.len() - 1]];
        for other in others.map(str::to_owned).iter().chain([
            &format!("{own}x"),
            &format!("a/{own}"),
            &own.to_uppercase(),
        ]) {
            assert_eq!(prefix.read(other), None, "{other}");
        }
    }

    #[test]
    fn prefixes_are_paths() {
        for bad in ["", "/", "a//b", "a/", "a b", "\u{e9}", &"a".repeat(201)] {
            assert!(Prefix::new(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_are_bounded() {
        let name = sample::payload_name(1, 2, 3);
        for id in [String::new(), "a".repeat(513)] {
            assert!(Place { name, id: &id }.locator().is_err());
        }
        let longest = "a".repeat(512);
        Place { name, id: &longest }.locator().unwrap();
    }
}

//! Containers: named bundles of references to secrets. Containers of a type
//! have to have certain names.

use std::{collections::BTreeSet, fmt, str::FromStr};

use crate::{Acl, ContainerId, Label, ProjectId, SecretId, StoredConsumer, Timestamp, UserId};

/// A container, without its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// The project that owns it.
    pub project: ProjectId,
    /// The user who created it, where known.
    pub creator: Option<UserId>,
    /// When it was created.
    pub created: Timestamp,
    /// When its ACL or consumers last changed; entries do not count.
    pub updated: Timestamp,
    /// Its name, if it has one.
    pub name: Option<Label>,
    /// What it bundles.
    pub container_type: ContainerType,
}

/// A container with the list that guards it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredContainer {
    /// The container.
    pub container: Container,
    /// Its ACL, where one was written.
    pub acl: Option<Acl>,
}

/// One reference in a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerEntry {
    /// What the secret is in this container.
    pub name: Option<Label>,
    /// The secret.
    pub secret: SecretId,
}

/// What a container bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContainerType {
    /// Anything.
    Generic,
    /// An RSA key pair.
    Rsa,
    /// A DSA key pair; made by orders only.
    Dsa,
    /// A certificate and what belongs to it.
    Certificate,
}

/// No container type has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown container type")]
pub struct UnknownContainerType;

/// Entries that do not make a container of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntries {
    /// Two entries have one name.
    #[error("two entries have the same name")]
    DuplicateName,
    /// Two entries have one secret.
    #[error("two entries have the same secret")]
    DuplicateSecret,
    /// An entry has a name that the type does not know.
    #[error("name is not allowed in a container of type {0}")]
    NameNotAllowed(ContainerType),
    /// A name that the type needs is missing.
    #[error("name is missing in a container of type {0}")]
    NameMissing(ContainerType),
}

/// What a service registers on a container. Equal registrations are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerConsumer {
    /// The service; 1 to 36 characters.
    pub name: Label,
    /// The address of the resource that uses the container; 1 to 255 characters.
    pub url: Label,
}

/// A registration on a container as it is kept.
pub type StoredContainerConsumer = StoredConsumer<ContainerConsumer>;

impl ContainerType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Generic, Self::Rsa, Self::Dsa, Self::Certificate];

    /// The name of the type in the API and in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Rsa => "rsa",
            Self::Dsa => "dsa",
            Self::Certificate => "certificate",
        }
    }

    const fn names(self) -> Option<(&'static [&'static str], &'static [&'static str])> {
        match self {
            Self::Generic => None,
            Self::Rsa | Self::Dsa => Some((
                &["private_key", "public_key", "private_key_passphrase"],
                &["private_key", "public_key"],
            )),
            Self::Certificate => Some((
                &[
                    "private_key",
                    "certificate",
                    "private_key_passphrase",
                    "intermediates",
                ],
                &["certificate"],
            )),
        }
    }

    /// Checks the entries with which a container is created. None at all is
    /// fine for every type.
    ///
    /// `names` are the names as they were given, with an absent one as an empty
    /// text; `None` stands for a name that was given as null.
    ///
    /// # Errors
    /// [`InvalidEntries`], in the order of its variants.
    pub fn check(self, names: &[Option<&str>], secrets: &[&str]) -> Result<(), InvalidEntries> {
        if names.is_empty() {
            return Ok(());
        }
        if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
            return Err(InvalidEntries::DuplicateName);
        }
        if secrets.iter().collect::<BTreeSet<_>>().len() < secrets.len() {
            return Err(InvalidEntries::DuplicateSecret);
        }
        let Some((allowed, required)) = self.names() else {
            return Ok(());
        };
        if !names
            .iter()
            .all(|name| name.is_some_and(|name| allowed.contains(&name)))
        {
            return Err(InvalidEntries::NameNotAllowed(self));
        }
        if !required.iter().all(|name| names.contains(&Some(name))) {
            return Err(InvalidEntries::NameMissing(self));
        }
        Ok(())
    }
}

impl fmt::Display for ContainerType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ContainerType {
    type Err = UnknownContainerType;

    fn from_str(text: &str) -> Result<Self, UnknownContainerType> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or(UnknownContainerType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        container_type: ContainerType,
        names: &[Option<&str>],
        expected: Result<(), InvalidEntries>,
    ) {
        let secrets: Vec<String> = (0..names.len()).map(|number| number.to_string()).collect();
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        assert_eq!(
            container_type.check(names, &secrets),
            expected,
            "{container_type} {names:?}"
        );
    }

    #[test]
    fn names_by_type() {
        use ContainerType as Type;
        use InvalidEntries as Invalid;
        let (private, public) = (Some("private_key"), Some("public_key"));
        for any in Type::ALL {
            check(any, &[], Ok(()));
        }
        check(Type::Generic, &[Some("a"), None, Some("")], Ok(()));
        check(Type::Rsa, &[private, public], Ok(()));
        check(
            Type::Rsa,
            &[private, public, Some("private_key_passphrase")],
            Ok(()),
        );
        check(Type::Rsa, &[private], Err(Invalid::NameMissing(Type::Rsa)));
        check(
            Type::Rsa,
            &[private, public, Some("x")],
            Err(Invalid::NameNotAllowed(Type::Rsa)),
        );
        check(
            Type::Rsa,
            &[Some("Private_Key"), public],
            Err(Invalid::NameNotAllowed(Type::Rsa)),
        );
        check(
            Type::Certificate,
            &[Some("certificate"), private, Some("intermediates")],
            Ok(()),
        );
        check(
            Type::Certificate,
            &[private],
            Err(Invalid::NameMissing(Type::Certificate)),
        );
        check(
            Type::Certificate,
            &[Some("certificate"), public],
            Err(Invalid::NameNotAllowed(Type::Certificate)),
        );
    }

    #[test]
    fn duplicates() {
        check(
            ContainerType::Generic,
            &[Some("a"), Some("a")],
            Err(InvalidEntries::DuplicateName),
        );
        check(ContainerType::Generic, &[Some("A"), Some("a")], Ok(()));
        let names = [Some("a"), Some("b")];
        assert_eq!(
            ContainerType::Generic.check(&names, &["x", "x"]),
            Err(InvalidEntries::DuplicateSecret)
        );
    }
}

//! Values for tests, distinct where their numbers are.

use std::collections::BTreeSet;

use donjon_domain::{
    Acl, Actor, BitLength, ConsumerId, Container, ContainerConsumer, ContainerEntry, ContainerId,
    ContainerType, ContentType, Deployment, DeploymentId, KekId, KekScope, KekState, KeySpec,
    Label, Order, OrderId, OrderState, OrderType, Outside, ProjectId, PutId, RootKeyId, Scope,
    Sealed, Secret, SecretConsumer, SecretId, SecretStore, SecretStoreId, SecretType,
    StoredConsumer, StoredContainerConsumer, StoredPayload, Timestamp, TokenHash, TokenId,
    TokenRow, TransportKey, TransportKeyId, UserId, WrappedKek, ports::PayloadName,
};

/// Noon of 2026-11-24, when everything here was created.
pub const NOW: Timestamp = Timestamp::from_micros(1_795_521_600_000_000);

/// A version 4 UUID's bytes with this number in them.
fn uuid_bytes(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (byte, part) in bytes.iter_mut().skip(8).zip(number.to_be_bytes()) {
        *byte = part;
    }
    let marks = [(6, 0x40), (8, 0x80)];
    for (at, mark) in marks {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = mark;
        }
    }
    bytes
}

/// The secret id with this number (below 2^56).
#[must_use]
pub fn secret_id(number: u64) -> SecretId {
    SecretId::from_bytes(uuid_bytes(number))
}

/// The container id with this number (below 2^56).
#[must_use]
pub fn container_id(number: u64) -> ContainerId {
    ContainerId::from_bytes(uuid_bytes(number))
}

/// The order id with this number (below 2^56).
#[must_use]
pub fn order_id(number: u64) -> OrderId {
    OrderId::from_bytes(uuid_bytes(number))
}

/// The transport key id with this number (below 2^56).
#[must_use]
pub fn transport_key_id(number: u64) -> TransportKeyId {
    TransportKeyId::from_bytes(uuid_bytes(number))
}

/// The KEK id with this number (below 2^56).
#[must_use]
pub fn kek_id(number: u64) -> KekId {
    KekId::from_bytes(uuid_bytes(number))
}

/// The name of a payload in a store: installation, secret, put.
#[must_use]
pub fn payload_name(deployment: u64, secret: u64, put: u64) -> PayloadName {
    PayloadName {
        deployment: DeploymentId::from_bytes(uuid_bytes(deployment)),
        secret: secret_id(secret),
        put: put_id(put),
    }
}

/// The id of the put with this number (below 2^56).
#[must_use]
pub fn put_id(number: u64) -> PutId {
    PutId::from_bytes(uuid_bytes(number))
}

/// A label. The text has to be short enough.
///
/// # Panics
/// Beyond 255 characters.
#[must_use]
pub fn label(text: &str) -> Label {
    Label::new(text.to_owned()).expect("the label of a test is short")
}

/// A project named `text`.
#[must_use]
pub fn project(text: &str) -> ProjectId {
    ProjectId::new(text)
}

/// A set of users.
#[must_use]
pub fn users(names: &[&str]) -> BTreeSet<UserId> {
    names.iter().map(|name| UserId::new(*name)).collect()
}

/// A caller with the roles member and reader.
#[must_use]
pub fn actor(project: &str, user: &str) -> Actor {
    Actor {
        user: Some(UserId::new(user)),
        project: ProjectId::new(project),
        roles: vec!["member".to_owned(), "reader".to_owned()],
        scope: Scope::Project,
        identity: None,
    }
}

/// A secret without payload and without any optional attribute.
#[must_use]
pub fn secret(number: u64, project: &str) -> Secret {
    Secret {
        id: secret_id(number),
        project: ProjectId::new(project),
        creator: None,
        created: NOW,
        updated: NOW,
        name: None,
        secret_type: SecretType::Opaque,
        algorithm: None,
        mode: None,
        bit_length: None,
        expiration: None,
        content_type: None,
    }
}

/// A secret with every attribute, and a payload's type.
///
/// # Panics
/// Never.
#[must_use]
pub fn full_secret(number: u64, project: &str) -> Secret {
    Secret {
        creator: Some(UserId::new("creator")),
        updated: NOW.plus_seconds(1),
        name: Some(label("volume key")),
        secret_type: SecretType::Symmetric,
        algorithm: Some(label("aes")),
        mode: Some(label("cbc")),
        bit_length: Some(BitLength::new(256).expect("256 bits are in range")),
        expiration: Some(NOW.plus_seconds(3_600)),
        content_type: Some(ContentType::OctetStream),
        ..secret(number, project)
    }
}

/// A project's active KEK of generation 1.
#[must_use]
pub fn kek(number: u64, project: &str) -> WrappedKek {
    WrappedKek {
        id: kek_id(number),
        scope: KekScope::Project(ProjectId::new(project)),
        generation: 1,
        state: KekState::Active,
        root: RootKeyId::from_bytes([0x52; 16]),
        wrapped: vec![0x77; 176],
        created: NOW,
    }
}

/// Something sealed under the KEK with this number, of the size that a 32-byte
/// payload has.
#[must_use]
pub fn sealed(kek: u64, fill: u8) -> Sealed {
    Sealed {
        kek: kek_id(kek),
        envelope: vec![fill; 192],
    }
}

/// A payload in the database, which is [`sealed`].
#[must_use]
pub fn payload(kek: u64, fill: u8) -> StoredPayload {
    sealed(kek, fill).into()
}

/// A payload in the store with this number, whose locator is [`sealed`].
#[must_use]
pub fn payload_outside(kek: u64, fill: u8, store: u64, put: u64) -> StoredPayload {
    StoredPayload {
        outside: Some(Outside {
            store: SecretStoreId::from_bytes(uuid_bytes(store)),
            put: put_id(put),
        }),
        ..payload(kek, fill)
    }
}

/// An ACL, written at [`NOW`].
#[must_use]
pub fn acl(names: &[&str], project_access: bool) -> Acl {
    Acl {
        users: users(names),
        project_access,
        created: NOW,
        updated: NOW,
    }
}

/// What a service might register.
#[must_use]
pub fn consumer(resource: &str) -> SecretConsumer {
    SecretConsumer {
        service: label("image"),
        resource_type: label("images"),
        resource_id: resource.to_owned(),
    }
}

/// A registration of [`consumer`].
#[must_use]
pub fn stored_consumer(number: u64, resource: &str) -> StoredConsumer {
    StoredConsumer {
        id: ConsumerId::from_bytes(uuid_bytes(number)),
        project: ProjectId::new("project"),
        consumer: consumer(resource),
        created: NOW,
        updated: NOW.plus_seconds(2),
    }
}

/// A generic container without name and creator.
#[must_use]
pub fn container(number: u64, project: &str) -> Container {
    Container {
        id: container_id(number),
        project: ProjectId::new(project),
        creator: None,
        created: NOW,
        updated: NOW,
        name: None,
        container_type: ContainerType::Generic,
    }
}

/// An entry for the secret with this number.
#[must_use]
pub fn entry(name: Option<&str>, secret: u64) -> ContainerEntry {
    ContainerEntry {
        name: name.map(label),
        secret: secret_id(secret),
    }
}

/// What a service might register on a container.
#[must_use]
pub fn container_consumer(name: &str) -> ContainerConsumer {
    ContainerConsumer {
        name: label(name),
        url: label("https://lb.example/1"),
    }
}

/// A registration of [`container_consumer`].
#[must_use]
pub fn stored_container_consumer(number: u64, name: &str) -> StoredContainerConsumer {
    StoredContainerConsumer {
        id: ConsumerId::from_bytes(uuid_bytes(number)),
        project: ProjectId::new("project"),
        consumer: container_consumer(name),
        created: NOW,
        updated: NOW.plus_seconds(2),
    }
}

/// How to make a key without name, mode, expiration and content type.
///
/// # Panics
/// Where the number of bits is out of range.
#[must_use]
pub fn key_spec(algorithm: &str, bits: i64) -> KeySpec {
    KeySpec {
        name: None,
        algorithm: label(algorithm),
        bit_length: BitLength::new(bits).expect("the bit length of a test is in range"),
        mode: None,
        expiration: None,
        content_type: None,
    }
}

/// A pending order for an AES key, without creator.
#[must_use]
pub fn order(number: u64, project: &str) -> Order {
    Order {
        id: order_id(number),
        project: ProjectId::new(project),
        creator: None,
        created: NOW,
        updated: NOW,
        order_type: OrderType::Key,
        meta: r#"{"algorithm":"aes","bit_length":256}"#.to_owned(),
        spec: key_spec("aes", 256),
        passphrase: None,
        state: OrderState::Pending,
    }
}

/// A transport key of this plugin.
#[must_use]
pub fn transport_key(number: u64, plugin: &str) -> TransportKey {
    TransportKey {
        id: transport_key_id(number),
        plugin_name: label(plugin),
        transport_key: "-----BEGIN CERTIFICATE-----".to_owned(),
        created: NOW,
        updated: NOW,
    }
}

/// A secret store of this plugin, sealed by a plugin of the same name.
#[must_use]
pub fn secret_store(number: u64, plugin: &str) -> SecretStore {
    SecretStore {
        id: SecretStoreId::from_bytes(uuid_bytes(number)),
        name: None,
        plugin: label(plugin),
        crypto_plugin: Some(label(plugin)),
        created: NOW,
        updated: NOW,
    }
}

/// The row of an installation.
#[must_use]
pub fn deployment() -> Deployment {
    Deployment {
        id: DeploymentId::from_bytes(uuid_bytes(7)),
        root: RootKeyId::from_bytes([0x52; 16]),
        canary: vec![0x63; 160],
        created: NOW,
    }
}

/// A token's row, issued this many seconds after [`NOW`].
#[must_use]
pub fn token(number: u8) -> TokenRow {
    TokenRow {
        id: TokenId::from_bytes(uuid_bytes(u64::from(number))),
        hash: TokenHash::from_bytes([number; 32]),
        project: ProjectId::new("default"),
        user: UserId::new("admin"),
        roles: vec!["admin".to_owned(), "member".to_owned()],
        created: NOW.plus_seconds(i64::from(number)),
        expires: Some(NOW.plus_seconds(86_400)),
        last_used: None,
    }
}

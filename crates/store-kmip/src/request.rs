//! Requests: batches of operations.

use donjon_kmip_ttlv::{Item, Tag, Value};
use zeroize::Zeroizing;

use crate::{
    Login,
    tag::{self, Operation, algorithm, attribute, usage},
};

/// A protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) major: i32,
    pub(crate) minor: i32,
}

/// One operation of a batch.
pub(crate) struct Call {
    pub(crate) operation: Operation,
    payload: Vec<Item>,
}

impl Version {
    pub(crate) const V1_0: Self = Self::v1(0);
    /// The first one that can be asked which others there are.
    pub(crate) const V1_1: Self = Self::v1(1);
    /// Those that are spoken here, the best first. Nothing that is asked for differs
    /// between them.
    pub(crate) const KNOWN: [Self; 5] = [
        Self::v1(4),
        Self::v1(3),
        Self::v1(2),
        Self::V1_1,
        Self::V1_0,
    ];

    const fn v1(minor: i32) -> Self {
        Self { major: 1, minor }
    }

    fn item(self) -> Item {
        structure(
            tag::PROTOCOL_VERSION,
            vec![
                Item::new(tag::PROTOCOL_VERSION_MAJOR, Value::Integer(self.major)),
                Item::new(tag::PROTOCOL_VERSION_MINOR, Value::Integer(self.minor)),
            ],
        )
    }
}

impl Call {
    pub(crate) fn discover_versions() -> Self {
        Self {
            operation: Operation::DiscoverVersions,
            payload: Version::KNOWN.map(Version::item).into(),
        }
    }

    /// Keeps bytes as an Opaque Object.
    pub(crate) fn register(name: &str, group: &str, bytes: Zeroizing<Vec<u8>>) -> Self {
        let attributes = vec![name_attribute(name), group_attribute(group)];
        let object = vec![
            Item::new(
                tag::OPAQUE_DATA_TYPE,
                Value::Enumeration(tag::OPAQUE_DATA_TYPE_NONE),
            ),
            Item::new(tag::OPAQUE_DATA_VALUE, Value::ByteString(bytes)),
        ];
        Self {
            operation: Operation::Register,
            payload: vec![
                Item::new(tag::OBJECT_TYPE, Value::Enumeration(tag::object::OPAQUE)),
                structure(tag::TEMPLATE_ATTRIBUTE, attributes),
                structure(tag::OPAQUE_OBJECT, object),
            ],
        }
    }

    /// Makes an AES key.
    pub(crate) fn create(name: &str, group: &str, bits: u16) -> Self {
        let mut attributes = key_attributes(algorithm::AES, bits);
        attributes.extend([
            usage_attribute(usage::SYMMETRIC),
            name_attribute(name),
            group_attribute(group),
        ]);
        Self {
            operation: Operation::Create,
            payload: vec![
                Item::new(
                    tag::OBJECT_TYPE,
                    Value::Enumeration(tag::object::SYMMETRIC_KEY),
                ),
                structure(tag::TEMPLATE_ATTRIBUTE, attributes),
            ],
        }
    }

    /// Makes a pair of RSA, whose names are of the private and of the public key.
    pub(crate) fn create_key_pair(private: &str, public: &str, group: &str, bits: u16) -> Self {
        let mut common = key_attributes(algorithm::RSA, bits);
        common.push(group_attribute(group));
        let half =
            |tag, name, mask| structure(tag, vec![name_attribute(name), usage_attribute(mask)]);
        Self {
            operation: Operation::CreateKeyPair,
            payload: vec![
                structure(tag::COMMON_TEMPLATE_ATTRIBUTE, common),
                half(tag::PRIVATE_KEY_TEMPLATE_ATTRIBUTE, private, usage::PRIVATE),
                half(tag::PUBLIC_KEY_TEMPLATE_ATTRIBUTE, public, usage::PUBLIC),
            ],
        }
    }

    pub(crate) fn locate_name(name: &str) -> Self {
        Self::locate(name_attribute(name))
    }

    pub(crate) fn locate_group(group: &str) -> Self {
        Self::locate(group_attribute(group))
    }

    fn locate(attribute: Item) -> Self {
        Self {
            operation: Operation::Locate,
            payload: vec![attribute],
        }
    }

    pub(crate) fn names_of(id: &str) -> Self {
        Self {
            operation: Operation::GetAttributes,
            payload: vec![
                text(tag::UNIQUE_IDENTIFIER, id),
                text(tag::ATTRIBUTE_NAME, attribute::NAME),
            ],
        }
    }

    pub(crate) fn get(id: &str) -> Self {
        Self {
            operation: Operation::Get,
            payload: vec![text(tag::UNIQUE_IDENTIFIER, id)],
        }
    }

    pub(crate) fn destroy(id: &str) -> Self {
        Self {
            operation: Operation::Destroy,
            payload: vec![text(tag::UNIQUE_IDENTIFIER, id)],
        }
    }
}

/// One message for a batch. All of it is carried out in its order, whatever fails.
pub(crate) fn message(
    version: Version,
    login: Option<&Login>,
    answer_bytes_max: usize,
    batch: Vec<Call>,
) -> Item {
    let mut header = vec![
        version.item(),
        integer(tag::MAXIMUM_RESPONSE_SIZE, answer_bytes_max),
    ];
    header.extend(login.map(authentication));
    let count = integer(tag::BATCH_COUNT, batch.len());
    let is_many = batch.len() > 1;
    if is_many {
        header.push(Item::new(
            tag::BATCH_ERROR_CONTINUATION_OPTION,
            Value::Enumeration(tag::CONTINUE),
        ));
        header.push(Item::new(tag::BATCH_ORDER_OPTION, Value::Boolean(true)));
    }
    header.push(count);
    let mut items = vec![structure(tag::REQUEST_HEADER, header)];
    for (number, call) in (0_u32..).zip(batch) {
        let operation = Value::Enumeration(call.operation.number());
        let mut item = vec![Item::new(tag::OPERATION, operation)];
        if is_many {
            item.push(Item::new(
                tag::UNIQUE_BATCH_ITEM_ID,
                Value::bytes(item_id(number)),
            ));
        }
        item.push(structure(tag::REQUEST_PAYLOAD, call.payload));
        items.push(structure(tag::BATCH_ITEM, item));
    }
    structure(tag::REQUEST_MESSAGE, items)
}

/// What the operation with this number is called within its batch.
pub(crate) fn item_id(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

fn authentication(login: &Login) -> Item {
    let password = std::str::from_utf8(login.password.expose()).unwrap_or_default();
    let value = vec![
        text(tag::USERNAME, &login.username),
        text(tag::PASSWORD, password),
    ];
    let credential = vec![
        Item::new(
            tag::CREDENTIAL_TYPE,
            Value::Enumeration(tag::USERNAME_AND_PASSWORD),
        ),
        structure(tag::CREDENTIAL_VALUE, value),
    ];
    structure(
        tag::AUTHENTICATION,
        vec![structure(tag::CREDENTIAL, credential)],
    )
}

fn name_attribute(name: &str) -> Item {
    let value = vec![
        text(tag::NAME_VALUE, name),
        Item::new(
            tag::NAME_TYPE,
            Value::Enumeration(tag::UNINTERPRETED_TEXT_STRING),
        ),
    ];
    attribute_item(attribute::NAME, Value::Structure(value))
}

fn key_attributes(algorithm: u32, bits: u16) -> Vec<Item> {
    let algorithm = Value::Enumeration(algorithm);
    let bits = Value::Integer(bits.into());
    vec![
        attribute_item(attribute::CRYPTOGRAPHIC_ALGORITHM, algorithm),
        attribute_item(attribute::CRYPTOGRAPHIC_LENGTH, bits),
    ]
}

fn usage_attribute(mask: i32) -> Item {
    attribute_item(attribute::CRYPTOGRAPHIC_USAGE_MASK, Value::Integer(mask))
}

fn group_attribute(group: &str) -> Item {
    attribute_item(attribute::OBJECT_GROUP, Value::text(group))
}

fn attribute_item(name: &str, value: Value) -> Item {
    structure(
        tag::ATTRIBUTE,
        vec![
            text(tag::ATTRIBUTE_NAME, name),
            Item::new(tag::ATTRIBUTE_VALUE, value),
        ],
    )
}

fn text(tag: Tag, text: &str) -> Item {
    Item::new(tag, Value::text(text))
}

fn integer(tag: Tag, number: usize) -> Item {
    Item::new(
        tag,
        Value::Integer(i32::try_from(number).unwrap_or(i32::MAX)),
    )
}

fn structure(tag: Tag, items: Vec<Item>) -> Item {
    Item::new(tag, Value::Structure(items))
}

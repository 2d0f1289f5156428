//! Numbers of the standard.
//!
//! # Source
//! KMIP 1.4, 9.1.3.

use donjon_kmip_ttlv::Tag;

pub(crate) const ATTRIBUTE: Tag = Tag::standard(0x0008);
pub(crate) const ATTRIBUTE_NAME: Tag = Tag::standard(0x000a);
pub(crate) const ATTRIBUTE_VALUE: Tag = Tag::standard(0x000b);
pub(crate) const AUTHENTICATION: Tag = Tag::standard(0x000c);
pub(crate) const BATCH_COUNT: Tag = Tag::standard(0x000d);
pub(crate) const BATCH_ERROR_CONTINUATION_OPTION: Tag = Tag::standard(0x000e);
pub(crate) const BATCH_ITEM: Tag = Tag::standard(0x000f);
pub(crate) const BATCH_ORDER_OPTION: Tag = Tag::standard(0x0010);
pub(crate) const COMMON_TEMPLATE_ATTRIBUTE: Tag = Tag::standard(0x001f);
pub(crate) const CREDENTIAL: Tag = Tag::standard(0x0023);
pub(crate) const CREDENTIAL_TYPE: Tag = Tag::standard(0x0024);
pub(crate) const CREDENTIAL_VALUE: Tag = Tag::standard(0x0025);
pub(crate) const KEY_BLOCK: Tag = Tag::standard(0x0040);
pub(crate) const KEY_FORMAT_TYPE: Tag = Tag::standard(0x0042);
pub(crate) const KEY_MATERIAL: Tag = Tag::standard(0x0043);
pub(crate) const KEY_VALUE: Tag = Tag::standard(0x0045);
pub(crate) const KEY_WRAPPING_DATA: Tag = Tag::standard(0x0046);
pub(crate) const MAXIMUM_RESPONSE_SIZE: Tag = Tag::standard(0x0050);
pub(crate) const NAME_TYPE: Tag = Tag::standard(0x0054);
pub(crate) const NAME_VALUE: Tag = Tag::standard(0x0055);
pub(crate) const OBJECT_TYPE: Tag = Tag::standard(0x0057);
pub(crate) const OPAQUE_DATA_TYPE: Tag = Tag::standard(0x0059);
pub(crate) const OPAQUE_DATA_VALUE: Tag = Tag::standard(0x005a);
pub(crate) const OPAQUE_OBJECT: Tag = Tag::standard(0x005b);
pub(crate) const OPERATION: Tag = Tag::standard(0x005c);
pub(crate) const PASSWORD: Tag = Tag::standard(0x00a1);
pub(crate) const PRIVATE_KEY: Tag = Tag::standard(0x0064);
pub(crate) const PRIVATE_KEY_TEMPLATE_ATTRIBUTE: Tag = Tag::standard(0x0065);
pub(crate) const PRIVATE_KEY_UNIQUE_IDENTIFIER: Tag = Tag::standard(0x0066);
pub(crate) const PROTOCOL_VERSION: Tag = Tag::standard(0x0069);
pub(crate) const PROTOCOL_VERSION_MAJOR: Tag = Tag::standard(0x006a);
pub(crate) const PROTOCOL_VERSION_MINOR: Tag = Tag::standard(0x006b);
pub(crate) const PUBLIC_KEY: Tag = Tag::standard(0x006d);
pub(crate) const PUBLIC_KEY_TEMPLATE_ATTRIBUTE: Tag = Tag::standard(0x006e);
pub(crate) const PUBLIC_KEY_UNIQUE_IDENTIFIER: Tag = Tag::standard(0x006f);
pub(crate) const REQUEST_HEADER: Tag = Tag::standard(0x0077);
pub(crate) const REQUEST_MESSAGE: Tag = Tag::standard(0x0078);
pub(crate) const REQUEST_PAYLOAD: Tag = Tag::standard(0x0079);
pub(crate) const RESPONSE_HEADER: Tag = Tag::standard(0x007a);
pub(crate) const RESPONSE_MESSAGE: Tag = Tag::standard(0x007b);
pub(crate) const RESPONSE_PAYLOAD: Tag = Tag::standard(0x007c);
pub(crate) const RESULT_MESSAGE: Tag = Tag::standard(0x007d);
pub(crate) const RESULT_REASON: Tag = Tag::standard(0x007e);
pub(crate) const RESULT_STATUS: Tag = Tag::standard(0x007f);
pub(crate) const SYMMETRIC_KEY: Tag = Tag::standard(0x008f);
pub(crate) const TEMPLATE_ATTRIBUTE: Tag = Tag::standard(0x0091);
pub(crate) const UNIQUE_BATCH_ITEM_ID: Tag = Tag::standard(0x0093);
pub(crate) const UNIQUE_IDENTIFIER: Tag = Tag::standard(0x0094);
pub(crate) const USERNAME: Tag = Tag::standard(0x0099);

/// Operations that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create = 0x01,
    CreateKeyPair = 0x02,
    Register = 0x03,
    Locate = 0x08,
    Get = 0x0a,
    GetAttributes = 0x0b,
    Destroy = 0x14,
    DiscoverVersions = 0x1e,
}

impl Operation {
    pub(crate) const fn number(self) -> u32 {
        self as u32
    }
}

/// Object types.
pub(crate) mod object {
    pub(crate) const SYMMETRIC_KEY: u32 = 0x02;
    pub(crate) const PUBLIC_KEY: u32 = 0x03;
    pub(crate) const PRIVATE_KEY: u32 = 0x04;
    pub(crate) const OPAQUE: u32 = 0x08;
}

/// Key format types.
pub(crate) mod format {
    pub(crate) const RAW: u32 = 0x01;
    pub(crate) const PKCS_1: u32 = 0x03;
    pub(crate) const PKCS_8: u32 = 0x04;
    pub(crate) const X_509: u32 = 0x05;
}

/// Cryptographic algorithms.
pub(crate) mod algorithm {
    pub(crate) const AES: u32 = 0x03;
    pub(crate) const RSA: u32 = 0x04;
}

/// Cryptographic usage masks.
pub(crate) mod usage {
    /// Encrypt, decrypt, wrap and unwrap keys.
    pub(crate) const SYMMETRIC: i32 = 0x04 | 0x08 | 0x10 | 0x20;
    /// Sign, decrypt, unwrap keys.
    pub(crate) const PRIVATE: i32 = 0x01 | 0x08 | 0x20;
    /// Verify, encrypt, wrap keys.
    pub(crate) const PUBLIC: i32 = 0x02 | 0x04 | 0x10;
}

/// Result reasons.
pub(crate) mod reason {
    pub(crate) const ITEM_NOT_FOUND: u32 = 0x01;
    pub(crate) const INVALID_MESSAGE: u32 = 0x04;
    pub(crate) const OPERATION_NOT_SUPPORTED: u32 = 0x05;
    pub(crate) const OPERATION_CANCELED: u32 = 0x09;
    pub(crate) const GENERAL_FAILURE: u32 = 0x100;
}

/// No type that the standard has: those that begin so are for extensions.
pub(crate) const OPAQUE_DATA_TYPE_NONE: u32 = 0x8000_0000;
pub(crate) const UNINTERPRETED_TEXT_STRING: u32 = 1;
pub(crate) const USERNAME_AND_PASSWORD: u32 = 1;
pub(crate) const CONTINUE: u32 = 1;
pub(crate) const SUCCESS: u32 = 0;

/// Attributes have names before KMIP 2.0.
pub(crate) mod attribute {
    pub(crate) const CRYPTOGRAPHIC_ALGORITHM: &str = "Cryptographic Algorithm";
    pub(crate) const CRYPTOGRAPHIC_LENGTH: &str = "Cryptographic Length";
    pub(crate) const CRYPTOGRAPHIC_USAGE_MASK: &str = "Cryptographic Usage Mask";
    pub(crate) const NAME: &str = "Name";
    pub(crate) const OBJECT_GROUP: &str = "Object Group";
}

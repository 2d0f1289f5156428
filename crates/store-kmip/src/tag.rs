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
pub(crate) const CREDENTIAL: Tag = Tag::standard(0x0023);
pub(crate) const CREDENTIAL_TYPE: Tag = Tag::standard(0x0024);
pub(crate) const CREDENTIAL_VALUE: Tag = Tag::standard(0x0025);
pub(crate) const MAXIMUM_RESPONSE_SIZE: Tag = Tag::standard(0x0050);
pub(crate) const NAME_TYPE: Tag = Tag::standard(0x0054);
pub(crate) const NAME_VALUE: Tag = Tag::standard(0x0055);
pub(crate) const OBJECT_TYPE: Tag = Tag::standard(0x0057);
pub(crate) const OPAQUE_DATA_TYPE: Tag = Tag::standard(0x0059);
pub(crate) const OPAQUE_DATA_VALUE: Tag = Tag::standard(0x005a);
pub(crate) const OPAQUE_OBJECT: Tag = Tag::standard(0x005b);
pub(crate) const OPERATION: Tag = Tag::standard(0x005c);
pub(crate) const PASSWORD: Tag = Tag::standard(0x00a1);
pub(crate) const PROTOCOL_VERSION: Tag = Tag::standard(0x0069);
pub(crate) const PROTOCOL_VERSION_MAJOR: Tag = Tag::standard(0x006a);
pub(crate) const PROTOCOL_VERSION_MINOR: Tag = Tag::standard(0x006b);
pub(crate) const REQUEST_HEADER: Tag = Tag::standard(0x0077);
pub(crate) const REQUEST_MESSAGE: Tag = Tag::standard(0x0078);
pub(crate) const REQUEST_PAYLOAD: Tag = Tag::standard(0x0079);
pub(crate) const RESPONSE_HEADER: Tag = Tag::standard(0x007a);
pub(crate) const RESPONSE_MESSAGE: Tag = Tag::standard(0x007b);
pub(crate) const RESPONSE_PAYLOAD: Tag = Tag::standard(0x007c);
pub(crate) const RESULT_MESSAGE: Tag = Tag::standard(0x007d);
pub(crate) const RESULT_REASON: Tag = Tag::standard(0x007e);
pub(crate) const RESULT_STATUS: Tag = Tag::standard(0x007f);
pub(crate) const TEMPLATE_ATTRIBUTE: Tag = Tag::standard(0x0091);
pub(crate) const UNIQUE_BATCH_ITEM_ID: Tag = Tag::standard(0x0093);
pub(crate) const UNIQUE_IDENTIFIER: Tag = Tag::standard(0x0094);
pub(crate) const USERNAME: Tag = Tag::standard(0x0099);

/// Operations that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
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
    pub(crate) const OPAQUE: u32 = 0x08;
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
    pub(crate) const NAME: &str = "Name";
    pub(crate) const OBJECT_GROUP: &str = "Object Group";
}

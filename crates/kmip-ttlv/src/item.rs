//! What a message is made of.

use std::fmt;

use zeroize::Zeroizing;

/// A tag and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub tag: Tag,
    /// The value.
    pub value: Value,
}

/// Three bytes that say what an item is: `42xxxx` by the standard, `54xxxx` by
/// somebody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u32);

/// The number is no tag of the standard and of no extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tag is 42xxxx or 54xxxx")]
pub struct InvalidTag;

/// A value of one of the ten types. The type of the wire stands behind it.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Items, in their order (01).
    Structure(Vec<Item>),
    /// 32 bits with a sign (02).
    Integer(i32),
    /// 64 bits with a sign (03).
    LongInteger(i64),
    /// Two's complement, the highest byte first; 8 bytes or a multiple (04).
    BigInteger(Zeroizing<Vec<u8>>),
    /// One of a list (05).
    Enumeration(u32),
    /// Yes or no (06).
    Boolean(bool),
    /// UTF-8 (07).
    TextString(Zeroizing<String>),
    /// Any bytes (08).
    ByteString(Zeroizing<Vec<u8>>),
    /// Seconds since 1970 (09).
    DateTime(i64),
    /// Seconds (0A).
    Interval(u32),
}

// === impl Item ===

impl Item {
    /// An item.
    #[must_use]
    pub fn new(tag: Tag, value: Value) -> Self {
        Self { tag, value }
    }
}

// === impl Tag ===

impl Tag {
    /// Checks the number.
    ///
    /// # Errors
    /// [`InvalidTag`] outside of `420000` to `42FFFF` and `540000` to `54FFFF`.
    pub const fn new(number: u32) -> Result<Self, InvalidTag> {
        match number >> 16 {
            0x42 | 0x54 => Ok(Self(number)),
            _ => Err(InvalidTag),
        }
    }

    /// The tag `42xxxx` of the standard, by its last two bytes.
    #[must_use]
    pub const fn standard(low: u16) -> Self {
        // Widening, which `From` cannot do in a constant.
        Self(0x42_0000 | low as u32)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06X}", self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

// === impl Value ===

impl Value {
    /// A text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::TextString(Zeroizing::new(text.into()))
    }

    /// Bytes.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::ByteString(Zeroizing::new(bytes.into()))
    }

    /// The number of its type on the wire.
    #[must_use]
    pub const fn type_number(&self) -> u8 {
        match self {
            Self::Structure(_) => 0x01,
            Self::Integer(_) => 0x02,
            Self::LongInteger(_) => 0x03,
            Self::BigInteger(_) => 0x04,
            Self::Enumeration(_) => 0x05,
            Self::Boolean(_) => 0x06,
            Self::TextString(_) => 0x07,
            Self::ByteString(_) => 0x08,
            Self::DateTime(_) => 0x09,
            Self::Interval(_) => 0x0a,
        }
    }
}

impl fmt::Debug for Value {
    /// Of whatever may be secret the length alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Structure(items) => f.debug_list().entries(items).finish(),
            Self::Integer(value) => write!(f, "Integer({value})"),
            Self::LongInteger(value) => write!(f, "LongInteger({value})"),
            Self::BigInteger(value) => write!(f, "BigInteger({} bytes)", value.len()),
            Self::Enumeration(value) => write!(f, "Enumeration({value:#x})"),
            Self::Boolean(value) => write!(f, "Boolean({value})"),
            Self::TextString(value) => write!(f, "TextString({} bytes)", value.len()),
            Self::ByteString(value) => write!(f, "ByteString({} bytes)", value.len()),
            Self::DateTime(value) => write!(f, "DateTime({value})"),
            Self::Interval(value) => write!(f, "Interval({value})"),
        }
    }
}

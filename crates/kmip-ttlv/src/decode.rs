//! Bytes to items. Whatever comes, this ends soon, with little memory.

use zeroize::Zeroizing;

use crate::{Item, Tag, Value};

/// Bytes of tag, type and length.
pub const HEADER_BYTES: usize = 8;

/// How much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole message.
    pub bytes_max: usize,
    /// Structures within each other. The stack grows with it: some hundred bytes
    /// for each.
    pub depth_max: usize,
    /// Items of the whole message. Memory grows with it: less than 100 bytes for
    /// each, besides the bytes of the message.
    pub items_max: usize,
}

/// Why bytes are no message, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset} of the message: {fault}")]
pub struct DecodeError {
    /// What is wrong.
    pub fault: Fault,
    /// The byte that was to be read next.
    pub offset: usize,
    /// Items that were whole before it.
    pub items: usize,
}

/// What is wrong with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Longer than [`Limits::bytes_max`].
    #[error("more bytes than are taken")]
    TooLarge,
    /// Deeper than [`Limits::depth_max`].
    #[error("more structures within each other than are taken")]
    TooDeep,
    /// More than [`Limits::items_max`].
    #[error("more items than are taken")]
    TooManyItems,
    /// An item goes on behind the end of what it stands in.
    #[error("an item does not end where the one around it does")]
    Truncated,
    /// There is something behind the item.
    #[error("bytes behind the message")]
    Trailing,
    /// No tag.
    #[error("no tag")]
    Tag,
    /// No type of KMIP 1.x.
    #[error("no item type")]
    Type,
    /// A length that the type does not have.
    #[error("a length that the type does not have")]
    Length,
    /// Padding is not zero.
    #[error("padding that is not zero")]
    Padding,
    /// A boolean that is neither 0 nor 1.
    #[error("a boolean that is neither 0 nor 1")]
    Boolean,
    /// A text that is not UTF-8.
    #[error("a text that is not UTF-8")]
    Text,
    /// A message that is not a structure.
    #[error("a message that is no structure")]
    NotAStructure,
}

impl Default for Limits {
    /// 1 MiB, 32 deep, 65,536 items.
    fn default() -> Self {
        Self {
            bytes_max: 1024 * 1024,
            depth_max: 32,
            items_max: 65_536,
        }
    }
}

/// The one item that the bytes are.
///
/// # Errors
/// [`DecodeError`] for anything that [`encode`](crate::encode) would not write,
/// and beyond the limits.
///
/// # Source
/// KMIP 1.4, 9.1.1.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Item, DecodeError> {
    let mut reader = Reader {
        rest: bytes,
        behind: 0,
        items: 0,
        limits,
    };
    let item = if bytes.len() > limits.bytes_max {
        Err(Fault::TooLarge)
    } else {
        reader.item(0).and_then(|item| match reader.rest {
            [] => Ok(item),
            _ => Err(Fault::Trailing),
        })
    };
    item.map_err(|fault| DecodeError {
        fault,
        offset: bytes.len() - reader.rest.len() - reader.behind,
        items: reader.items,
    })
}

/// How many bytes a message has, header included, by its first bytes: what to
/// read from a connection before [`decode`].
///
/// # Errors
/// [`DecodeError`] where no message begins so, or not one within the limits.
pub fn message_bytes(header: &[u8; HEADER_BYTES], limits: &Limits) -> Result<usize, DecodeError> {
    let at = |offset| {
        move |fault| DecodeError {
            fault,
            offset,
            items: 0,
        }
    };
    let [a, b, c, kind, length @ ..] = *header;
    tag([a, b, c]).map_err(at(0))?;
    if kind != STRUCTURE {
        return Err(at(3)(Fault::NotAStructure));
    }
    let length = usize::try_from(u32::from_be_bytes(length));
    let bytes = length
        .ok()
        .and_then(|length| length.checked_add(HEADER_BYTES));
    let bytes = bytes.filter(|bytes| *bytes <= limits.bytes_max);
    let bytes = bytes.ok_or_else(|| at(4)(Fault::TooLarge))?;
    if bytes.is_multiple_of(8) {
        Ok(bytes)
    } else {
        Err(at(4)(Fault::Length))
    }
}

struct Reader<'a> {
    /// What is left of the innermost structure.
    rest: &'a [u8],
    /// How much there is behind it, in those around it.
    behind: usize,
    /// Whole ones.
    items: usize,
    limits: &'a Limits,
}

impl<'a> Reader<'a> {
    fn item(&mut self, depth: usize) -> Result<Item, Fault> {
        if self.items >= self.limits.items_max {
            return Err(Fault::TooManyItems);
        }
        let [a, b, c] = self.array()?;
        let tag = tag([a, b, c])?;
        let [kind] = self.array()?;
        let length = usize::try_from(u32::from_be_bytes(self.array()?));
        let length = length.map_err(|_too_large| Fault::TooLarge)?;
        let value = self.value(kind, length, depth)?;
        self.items += 1;
        Ok(Item { tag, value })
    }

    fn value(&mut self, kind: u8, length: usize, depth: usize) -> Result<Value, Fault> {
        let value = match kind {
            STRUCTURE => Value::Structure(self.structure(length, depth)?),
            0x02 => Value::Integer(i32::from_be_bytes(self.half(length)?)),
            0x03 => Value::LongInteger(i64::from_be_bytes(self.full(length)?)),
            0x04 => {
                if length == 0 || !length.is_multiple_of(8) {
                    return Err(Fault::Length);
                }
                Value::BigInteger(Zeroizing::new(self.take(length)?.to_vec()))
            }
            0x05 => Value::Enumeration(u32::from_be_bytes(self.half(length)?)),
            0x06 => match u64::from_be_bytes(self.full(length)?) {
                0 => Value::Boolean(false),
                1 => Value::Boolean(true),
                _ => return Err(Fault::Boolean),
            },
            0x07 => {
                let text = std::str::from_utf8(self.padded(length)?);
                let text = text.map_err(|_no_text| Fault::Text)?;
                Value::TextString(Zeroizing::new(text.to_owned()))
            }
            0x08 => Value::ByteString(Zeroizing::new(self.padded(length)?.to_vec())),
            0x09 => Value::DateTime(i64::from_be_bytes(self.full(length)?)),
            0x0a => Value::Interval(u32::from_be_bytes(self.half(length)?)),
            _ => return Err(Fault::Type),
        };
        Ok(value)
    }

    fn structure(&mut self, length: usize, depth: usize) -> Result<Vec<Item>, Fault> {
        if depth >= self.limits.depth_max {
            return Err(Fault::TooDeep);
        }
        let (inside, behind) = self.split(length)?;
        self.rest = inside;
        self.behind += behind.len();
        let mut items = Vec::new();
        while !self.rest.is_empty() {
            items.push(self.item(depth + 1)?);
        }
        self.rest = behind;
        self.behind -= behind.len();
        Ok(items)
    }

    /// Four bytes and as many of padding.
    fn half(&mut self, length: usize) -> Result<[u8; 4], Fault> {
        if length != 4 {
            return Err(Fault::Length);
        }
        let value = self.array()?;
        match self.array()? {
            [0, 0, 0, 0] => Ok(value),
            _ => Err(Fault::Padding),
        }
    }

    fn full(&mut self, length: usize) -> Result<[u8; 8], Fault> {
        if length != 8 {
            return Err(Fault::Length);
        }
        self.array()
    }

    fn padded(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let value = self.take(length)?;
        let padding = self.take(length.next_multiple_of(8) - length)?;
        if padding.iter().all(|byte| *byte == 0) {
            Ok(value)
        } else {
            Err(Fault::Padding)
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.split(length)?;
        self.rest = rest;
        Ok(taken)
    }

    fn split(&self, length: usize) -> Result<(&'a [u8], &'a [u8]), Fault> {
        self.rest.split_at_checked(length).ok_or(Fault::Truncated)
    }
}

fn tag([a, b, c]: [u8; 3]) -> Result<Tag, Fault> {
    Tag::new(u32::from_be_bytes([0, a, b, c])).map_err(|_no_tag| Fault::Tag)
}

const STRUCTURE: u8 = 0x01;

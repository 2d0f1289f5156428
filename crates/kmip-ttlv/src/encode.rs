//! Items to bytes.

use zeroize::Zeroizing;

use crate::{HEADER_BYTES, Item, Value};

/// An item has no encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A value has more bytes than its length can say.
    #[error("a value is longer than 4 GiB")]
    TooLarge,
    /// A big integer has no bytes, or not a multiple of eight.
    #[error("a big integer has 8 bytes or a multiple")]
    BigIntegerLength,
}

/// The bytes of an item: as many as needed are allocated once, so that no copy
/// of a secret stays behind. Goes as deep as the item does.
///
/// # Errors
/// [`EncodeError`] as its variants say.
///
/// # Source
/// KMIP 1.4, 9.1.1.
pub fn encode(item: &Item) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    let mut out = Zeroizing::new(Vec::with_capacity(item_bytes(item)?));
    write(item, &mut out)?;
    Ok(out)
}

/// With header and padding.
fn item_bytes(item: &Item) -> Result<usize, EncodeError> {
    let length = value_bytes(&item.value)?;
    let padded = length.checked_next_multiple_of(8);
    padded
        .and_then(|padded| padded.checked_add(HEADER_BYTES))
        .ok_or(EncodeError::TooLarge)
}

/// Without padding; what the length field says.
fn value_bytes(value: &Value) -> Result<usize, EncodeError> {
    let bytes = match value {
        Value::Structure(items) => {
            let mut sum = 0_usize;
            for item in items {
                let bytes = item_bytes(item)?;
                sum = sum.checked_add(bytes).ok_or(EncodeError::TooLarge)?;
            }
            sum
        }
        Value::Integer(_) | Value::Enumeration(_) | Value::Interval(_) => 4,
        Value::LongInteger(_) | Value::Boolean(_) | Value::DateTime(_) => 8,
        Value::BigInteger(bytes) => {
            if bytes.is_empty() || !bytes.len().is_multiple_of(8) {
                return Err(EncodeError::BigIntegerLength);
            }
            bytes.len()
        }
        Value::TextString(text) => text.len(),
        Value::ByteString(bytes) => bytes.len(),
    };
    Ok(bytes)
}

fn write(item: &Item, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let length = u32::try_from(value_bytes(&item.value)?);
    let length = length.map_err(|_too_large| EncodeError::TooLarge)?;
    let [_, tag @ ..] = item.tag.number().to_be_bytes();
    out.extend(tag);
    out.push(item.value.type_number());
    out.extend(length.to_be_bytes());
    match &item.value {
        Value::Structure(items) => {
            for item in items {
                write(item, out)?;
            }
        }
        Value::Integer(value) => out.extend(value.to_be_bytes()),
        Value::LongInteger(value) | Value::DateTime(value) => out.extend(value.to_be_bytes()),
        Value::Enumeration(value) | Value::Interval(value) => out.extend(value.to_be_bytes()),
        Value::Boolean(value) => out.extend(u64::from(*value).to_be_bytes()),
        Value::TextString(text) => out.extend(text.as_bytes()),
        Value::BigInteger(bytes) | Value::ByteString(bytes) => out.extend(bytes.as_slice()),
    }
    // Everything before is a multiple of eight.
    out.resize(out.len().next_multiple_of(8), 0);
    Ok(())
}

//! Writes messages to begin fuzzing with: a request and an answer of every
//! operation of KMIP 1.4, each with every type.
//!
//! `cargo run --example corpus -- FOLDER`

use std::{env, error::Error, fs, path::PathBuf};

use donjon_kmip_ttlv::{Item, Tag, Value, encode};
use zeroize::Zeroizing;

/// From Create to Export, without a gap.
const OPERATIONS: std::ops::RangeInclusive<u32> = 0x01..=0x2b;

fn main() -> Result<(), Box<dyn Error>> {
    let folder: PathBuf = env::args_os().nth(1).ok_or("name a folder")?.into();
    fs::create_dir_all(&folder)?;
    for operation in OPERATIONS {
        let messages = [
            ("request", request(operation)),
            ("answer", answer(operation)),
        ];
        for (name, message) in messages {
            let file = folder.join(format!("{operation:02x}-{name}"));
            fs::write(file, encode(&message)?)?;
        }
    }
    Ok(())
}

fn request(operation: u32) -> Item {
    let credential = [
        item(0x0024, Value::Enumeration(1)),
        structure(
            0x0025,
            [
                item(0x0099, Value::text("user")),
                item(0x00a1, Value::text("a password")),
            ],
        ),
    ];
    let header = [
        version(),
        item(0x0050, Value::Integer(1_048_576)),
        structure(0x000c, [structure(0x0023, credential)]),
        item(0x000d, Value::Integer(1)),
    ];
    let batch = [
        item(0x005c, Value::Enumeration(operation)),
        structure(0x0079, payload(operation)),
    ];
    structure(
        0x0078,
        [structure(0x0077, header), structure(0x000f, batch)],
    )
}

fn answer(operation: u32) -> Item {
    let header = [
        version(),
        item(0x0092, Value::DateTime(0x4f9a_54e5)),
        item(0x000d, Value::Integer(1)),
    ];
    // Every third says that it failed.
    let failed = operation.is_multiple_of(3);
    let mut batch = vec![
        item(0x005c, Value::Enumeration(operation)),
        item(0x007f, Value::Enumeration(u32::from(failed))),
    ];
    if failed {
        batch.push(item(0x007e, Value::Enumeration(1)));
        batch.push(item(0x007d, Value::text("no such object")));
    }
    batch.push(structure(0x007c, payload(operation)));
    structure(
        0x007b,
        [structure(0x007a, header), structure(0x000f, batch)],
    )
}

/// What operations say, with each type somewhere.
fn payload(operation: u32) -> Vec<Item> {
    let name = [
        item(0x0055, Value::text(format!("name {operation}"))),
        item(0x0054, Value::Enumeration(1)),
    ];
    let attribute = [
        item(0x000a, Value::text("Name")),
        item(0x0009, Value::Integer(0)),
        structure(0x000b, name),
    ];
    let transparent = [
        item(0x0052, big(16)),
        item(0x006c, big(8)),
        item(0x0042, Value::bytes([0xff; 3])),
    ];
    let key_block = [
        item(0x0042, Value::Enumeration(1)),
        structure(
            0x0045,
            [item(
                0x0043,
                Value::bytes(u128::from(operation).to_be_bytes()),
            )],
        ),
        structure(0x0045, [structure(0x0043, transparent)]),
        item(0x0028, Value::Enumeration(3)),
        item(0x002a, Value::Integer(256)),
    ];
    vec![
        item(0x0057, Value::Enumeration(2)),
        item(0x0094, Value::text("1a0c2b-é")),
        structure(0x0091, [structure(0x0008, attribute)]),
        structure(0x008f, [structure(0x0040, key_block)]),
        item(0x0096, Value::LongInteger(1 << 40)),
        item(0x0049, Value::Interval(3_600)),
        item(0x0048, Value::DateTime(-1)),
        item(0x0008, Value::Boolean(operation.is_multiple_of(2))),
        item(0x00c2, Value::bytes([])),
        structure(0x0051, []),
    ]
}

fn version() -> Item {
    let numbers = [
        item(0x006a, Value::Integer(1)),
        item(0x006b, Value::Integer(4)),
    ];
    structure(0x0069, numbers)
}

fn big(bytes: usize) -> Value {
    Value::BigInteger(Zeroizing::new(vec![0x5a; bytes]))
}

fn structure(tag: u16, items: impl Into<Vec<Item>>) -> Item {
    item(tag, Value::Structure(items.into()))
}

fn item(tag: u16, value: Value) -> Item {
    Item::new(Tag::standard(tag), value)
}

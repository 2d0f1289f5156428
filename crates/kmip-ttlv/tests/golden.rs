//! The examples of KMIP 1.4, section 9.1.2, byte by byte, and what no server
//! may send.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics where it does not hold"
)]

use donjon_kmip_ttlv::{
    EncodeError, Fault, InvalidTag, Item, Limits, Tag, Value, decode, encode, message_bytes,
};
use zeroize::Zeroizing;

const TAG: Tag = Tag::standard(0x0020);

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| u8::try_from(digit).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn fault(text: &str) -> (Fault, usize, usize) {
    let error = decode(&hex(text), &Limits::default()).unwrap_err();
    (error.fault, error.offset, error.items)
}

#[test]
fn the_examples_of_the_standard() {
    let big = hex("0000000003FD35EB6BC2DF4618080000");
    let structure = Value::Structure(vec![
        Item::new(Tag::standard(0x0004), Value::Enumeration(254)),
        Item::new(Tag::standard(0x0005), Value::Integer(255)),
    ]);
    let examples = [
        (Value::Integer(8), "42002002 00000004 00000008 00000000"),
        (
            Value::LongInteger(123_456_789_000_000_000),
            "42002003 00000008 01B69B4BA5749200",
        ),
        (
            Value::BigInteger(Zeroizing::new(big)),
            "42002004 00000010 00000000 03FD35EB 6BC2DF46 18080000",
        ),
        (
            Value::Enumeration(255),
            "42002005 00000004 000000FF 00000000",
        ),
        (Value::Boolean(true), "42002006 00000008 00000000 00000001"),
        (
            Value::text("Hello World"),
            "42002007 0000000B 48656C6C 6F20576F 726C6400 00000000",
        ),
        (
            Value::bytes([1, 2, 3]),
            "42002008 00000003 01020300 00000000",
        ),
        (
            Value::DateTime(0x47DA_67F8),
            "42002009 00000008 00000000 47DA67F8",
        ),
        (
            Value::Interval(10 * 24 * 60 * 60),
            "4200200A 00000004 000D2F00 00000000",
        ),
        (
            structure,
            "42002001 00000020 42000405 00000004 000000FE 00000000 42000502 00000004 000000FF 00000000",
        ),
    ];
    for (value, text) in examples {
        let (item, bytes) = (Item::new(TAG, value), hex(text));
        assert_eq!(encode(&item).unwrap().as_slice(), bytes, "{item:?}");
        assert_eq!(decode(&bytes, &Limits::default()), Ok(item));
    }
}

#[test]
fn nothing_else_is_taken() {
    // Integers: length, padding, end.
    assert_eq!(fault("42002002 00000008 0000000000000008").0, Fault::Length);
    assert_eq!(
        fault("42002002 00000004 00000008 00000001").0,
        Fault::Padding
    );
    assert_eq!(fault("42002002 00000004 00000008").0, Fault::Truncated);
    assert_eq!(
        fault("42002003 00000004 00000008 00000000").0,
        Fault::Length
    );
    // Big integers: none, half.
    assert_eq!(fault("42002004 00000000").0, Fault::Length);
    assert_eq!(
        fault("42002004 00000004 00000008 00000000").0,
        Fault::Length
    );
    // The others.
    assert_eq!(fault("42002005 00000000").0, Fault::Length);
    assert_eq!(
        fault("42002006 00000008 0000000000000002").0,
        Fault::Boolean
    );
    assert_eq!(fault("42002006 00000001 0100000000000000").0, Fault::Length);
    assert_eq!(fault("42002007 00000001 FF00000000000000").0, Fault::Text);
    assert_eq!(
        fault("42002007 00000001 4100000000000001").0,
        Fault::Padding
    );
    assert_eq!(
        fault("42002008 00000001 4100000000010000").0,
        Fault::Padding
    );
    assert_eq!(fault("42002008 00000001 41").0, Fault::Truncated);
    assert_eq!(
        fault("42002009 00000004 00000008 00000000").0,
        Fault::Length
    );
    assert_eq!(
        fault("4200200A 00000005 0000000800 000000").0,
        Fault::Length
    );
    // Types, tags, ends.
    assert_eq!(fault("42002000 00000000"), (Fault::Type, 8, 0));
    assert_eq!(fault("4200200B 00000008 0000000000000000").0, Fault::Type);
    assert_eq!(fault("43002001 00000000"), (Fault::Tag, 3, 0));
    assert_eq!(fault(""), (Fault::Truncated, 0, 0));
    assert_eq!(fault("42002001 000000"), (Fault::Truncated, 4, 0));
    assert_eq!(fault("42002001 00000000 42"), (Fault::Trailing, 8, 1));
    // A structure ends within an item, and the other way round.
    let item = "42000405 00000004 000000FE 00000000";
    let short = format!("42002001 00000008 {item}");
    assert_eq!(fault(&short), (Fault::Truncated, 16, 0));
    let two = format!("42002001 00000020 {item}");
    assert_eq!(fault(&two), (Fault::Truncated, 8, 0));
    let odd = format!("42002001 00000011 {item} 42");
    assert_eq!(fault(&odd), (Fault::Truncated, 24, 1));
}

#[test]
fn a_fault_deep_inside_tells_its_place() {
    let inner = "42000401 00000010 42000502 00000004 000000FF 00000001";
    let outer = format!("42002001 00000028 {inner} 42000502 00000004 0000000000000000");
    assert_eq!(fault(&outer), (Fault::Padding, 32, 0));
}

#[test]
fn huge_lengths_are_not_believed() {
    for kind in ["01", "04", "07", "08"] {
        let bytes = hex(&format!("420020{kind} FFFFFFF8 4141414141414141"));
        let error = decode(&bytes, &Limits::default()).unwrap_err();
        assert_eq!(error.fault, Fault::Truncated);
    }
}

#[test]
fn limits_are_kept() {
    let limits = Limits {
        bytes_max: 64,
        depth_max: 3,
        items_max: 5,
    };
    let nested = |depth: usize| {
        let leaf = Item::new(TAG, Value::Structure(Vec::new()));
        (1..depth).fold(leaf, |inner, _| {
            Item::new(TAG, Value::Structure(vec![inner]))
        })
    };
    let of = |item: &Item| decode(&encode(item).unwrap(), &limits).map_err(|error| error.fault);
    assert_eq!(of(&nested(3)), Ok(nested(3)));
    assert_eq!(of(&nested(4)), Err(Fault::TooDeep));
    let flat = |items| {
        let item = Item::new(TAG, Value::Structure(Vec::new()));
        Item::new(TAG, Value::Structure(vec![item; items]))
    };
    // An item counts when it is whole: the structure around them comes last.
    assert_eq!(of(&flat(4)), Ok(flat(4)));
    assert_eq!(of(&flat(6)), Err(Fault::TooManyItems));
    let text = |bytes| Item::new(TAG, Value::bytes(vec![0; bytes]));
    assert_eq!(of(&text(56)), Ok(text(56)));
    assert_eq!(of(&text(57)), Err(Fault::TooLarge));
}

#[test]
fn a_header_tells_how_much_to_read() {
    let of = |text: &str| {
        let header = hex(text).try_into().unwrap();
        message_bytes(&header, &Limits::default())
            .map_err(|error| (error.fault, error.offset, error.items))
    };
    assert_eq!(of("42007B01 00000000"), Ok(8));
    assert_eq!(of("42007B01 000FFFF8"), Ok(1024 * 1024));
    assert_eq!(of("42007B01 00100000"), Err((Fault::TooLarge, 4, 0)));
    assert_eq!(of("42007B01 FFFFFFFF"), Err((Fault::TooLarge, 4, 0)));
    assert_eq!(of("42007B01 00000009"), Err((Fault::Length, 4, 0)));
    assert_eq!(of("42007B08 00000008"), Err((Fault::NotAStructure, 3, 0)));
    // What HTTP and TLS begin with.
    assert_eq!(of("48545450 2F312E31"), Err((Fault::Tag, 0, 0)));
    assert_eq!(of("15030100 02022848"), Err((Fault::Tag, 0, 0)));
}

#[test]
fn tags_are_of_the_standard_or_of_an_extension() {
    for good in [0x42_0000, 0x42_ffff, 0x54_0000, 0x54_ffff] {
        assert_eq!(Tag::new(good).map(Tag::number), Ok(good));
    }
    for bad in [0, 0x41_ffff, 0x43_0000, 0x142_0000, u32::MAX] {
        assert_eq!(Tag::new(bad), Err(InvalidTag));
    }
}

#[test]
fn a_big_integer_is_whole() {
    for bytes in [0, 1, 7, 9] {
        let value = Value::BigInteger(Zeroizing::new(vec![0; bytes]));
        let refused = encode(&Item::new(TAG, value));
        assert_eq!(refused.unwrap_err(), EncodeError::BigIntegerLength);
    }
}

#[test]
fn debug_shows_no_secret() {
    let secrets = Value::Structure(vec![
        Item::new(TAG, Value::text("hush")),
        Item::new(TAG, Value::bytes(*b"hush")),
        Item::new(TAG, Value::BigInteger(Zeroizing::new(b"hushhush".to_vec()))),
    ]);
    let shown = format!("{:?}", Item::new(TAG, secrets));
    assert!(shown.contains("TextString(4 bytes)"), "{shown}");
    assert!(!shown.contains("hush") && !shown.contains("104"), "{shown}");
}

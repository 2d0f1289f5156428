//! One item, one encoding.

#![expect(clippy::unwrap_used, reason = "a test panics where it does not hold")]

use donjon_kmip_ttlv::{Item, Limits, Tag, Value, decode, encode};
use proptest::{collection::vec, prelude::*};
use zeroize::Zeroizing;

fn tag() -> impl Strategy<Value = Tag> {
    (any::<bool>(), any::<u16>()).prop_map(|(ours, low)| {
        let high = if ours { 0x42_0000 } else { 0x54_0000 };
        Tag::new(high | u32::from(low)).unwrap()
    })
}

fn item() -> impl Strategy<Value = Item> {
    let big = vec(any::<[u8; 8]>(), 1..9);
    let leaf = prop_oneof![
        any::<i32>().prop_map(Value::Integer),
        any::<i64>().prop_map(Value::LongInteger),
        big.prop_map(|bytes| Value::BigInteger(Zeroizing::new(bytes.concat()))),
        any::<u32>().prop_map(Value::Enumeration),
        any::<bool>().prop_map(Value::Boolean),
        any::<String>().prop_map(Value::text),
        vec(any::<u8>(), 0..40).prop_map(Value::bytes),
        any::<i64>().prop_map(Value::DateTime),
        any::<u32>().prop_map(Value::Interval),
    ];
    let value = leaf.prop_recursive(6, 64, 8, |inner| {
        vec((tag(), inner), 0..8).prop_map(|items| {
            let items = items.into_iter().map(|(tag, value)| Item::new(tag, value));
            Value::Structure(items.collect())
        })
    });
    (tag(), value).prop_map(|(tag, value)| Item::new(tag, value))
}

proptest! {
    #[test]
    fn what_is_encoded_decodes(item in item()) {
        let bytes = encode(&item).unwrap();
        prop_assert_eq!(bytes.len() % 8, 0);
        prop_assert_eq!(decode(&bytes, &Limits::default()), Ok(item));
    }

    #[test]
    fn what_decodes_has_no_other_bytes(
        item in item(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&item).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(item) = decode(&bytes, &Limits::default()) {
            prop_assert_eq!(encode(&item).unwrap(), bytes);
        }
    }

    #[test]
    fn every_cut_is_noticed(item in item(), at in any::<prop::sample::Index>()) {
        let bytes = encode(&item).unwrap();
        let cut = &bytes[..at.index(bytes.len())];
        let error = decode(cut, &Limits::default()).unwrap_err();
        prop_assert!(error.offset <= cut.len());
    }
}

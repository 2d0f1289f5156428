//! Any bytes are one item or an error, and whatever decodes has no other bytes.

#![no_main]

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use donjon_kmip_ttlv::{Item, Limits, Tag, Value, decode, encode, message_bytes};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

static INPUTS: AtomicU64 = AtomicU64::new(0);
/// Inputs of which one item or more decoded.
static SOME: AtomicU64 = AtomicU64::new(0);
/// Inputs that are one item.
static WHOLE: AtomicU64 = AtomicU64::new(0);

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let expected = bytes
        .first_chunk()
        .map(|header| message_bytes(header, &limits));
    match decode(bytes, &limits) {
        Ok(item) => {
            let again = encode(&item).expect("what decoded encodes");
            assert_eq!(again.as_slice(), bytes);
            if matches!(item.value, Value::Structure(_)) {
                assert_eq!(expected, Some(Ok(bytes.len())));
            }
            WHOLE.fetch_add(1, Relaxed);
            SOME.fetch_add(1, Relaxed);
        }
        Err(error) => {
            assert!(error.offset <= bytes.len());
            assert!(error.items <= bytes.len() / 8);
            SOME.fetch_add(u64::from(error.items > 0), Relaxed);
        }
    }
    let inputs = INPUTS.fetch_add(1, Relaxed) + 1;
    if inputs.is_multiple_of(1_000_000) {
        let (some, whole) = (SOME.load(Relaxed), WHOLE.load(Relaxed));
        eprintln!("inputs {inputs}, with an item {some}, whole {whole}");
    }
});

// Every second time a message changes as a message, so that it stays one.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = Random(u64::from(seed) | 1 << 32);
    if random.below(2) == 0 {
        if let Some(bytes) = changed(&data[..size], &mut random) {
            if bytes.len() <= max_size {
                data[..bytes.len()].copy_from_slice(&bytes);
                return bytes.len();
            }
        }
    }
    fuzzer_mutate(data, size, max_size)
});

fn changed(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut item = decode(bytes, &Limits::default()).ok()?;
    for _ in 0..=random.below(3) {
        change(&mut item, random);
    }
    Some(encode(&item).ok()?.to_vec())
}

/// Goes down by chance and changes one item.
fn change(item: &mut Item, random: &mut Random) {
    if let Value::Structure(items) = &mut item.value {
        match (random.below(8), items.len()) {
            (0, 1..) => drop(items.remove(random.below(items.len()))),
            (1, 1..) => {
                let copy = items[random.below(items.len())].clone();
                items.insert(random.below(items.len() + 1), copy);
            }
            (2, 2..) => {
                let (a, b) = (random.below(items.len()), random.below(items.len()));
                items.swap(a, b);
            }
            (3, _) => {
                let value = new_value(random);
                items.push(Item::new(item.tag, value));
            }
            (_, 1..) => {
                let at = random.below(items.len());
                return change(&mut items[at], random);
            }
            _ => {}
        }
        return;
    }
    match random.below(4) {
        0 => item.tag = Tag::standard(random.next() as u16),
        1 => item.value = Value::Structure(vec![item.clone()]),
        _ => item.value = new_value(random),
    }
}

fn new_value(random: &mut Random) -> Value {
    let number = random.next() >> random.below(64);
    let length = random.below(40);
    let bytes = |length| vec![number as u8; length];
    match random.below(10) {
        0 => Value::Structure(Vec::new()),
        1 => Value::Integer(number as i32),
        2 => Value::LongInteger(number as i64),
        3 => Value::BigInteger(bytes((length + 1) * 8).into()),
        4 => Value::Enumeration(number as u32),
        5 => Value::Boolean(number & 1 == 1),
        6 => Value::text("aé\u{1f511}".repeat(length / 7)),
        7 => Value::bytes(bytes(length)),
        8 => Value::DateTime(number as i64),
        _ => Value::Interval(number as u32),
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

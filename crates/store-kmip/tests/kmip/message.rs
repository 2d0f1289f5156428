//! Looking into messages, and making them, apart from the code that is tested.

use donjon_kmip_ttlv::{Item, Tag, Value};

pub(crate) fn item(tag: u16, value: Value) -> Item {
    Item::new(Tag::standard(tag), value)
}

pub(crate) fn structure(tag: u16, items: Vec<Item>) -> Item {
    item(tag, Value::Structure(items))
}

pub(crate) fn items(item: &Item) -> &[Item] {
    match &item.value {
        Value::Structure(items) => items,
        other => panic!("{} is {other:?}", item.tag),
    }
}

pub(crate) fn items_mut(item: &mut Item) -> &mut Vec<Item> {
    match &mut item.value {
        Value::Structure(items) => items,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn all(item: &Item, tag: u16) -> impl Iterator<Item = &Item> {
    let tag = Tag::standard(tag);
    items(item).iter().filter(move |inner| inner.tag == tag)
}

pub(crate) fn find(item: &Item, tag: u16) -> Option<&Item> {
    all(item, tag).next()
}

pub(crate) fn find_mut(item: &mut Item, tag: u16) -> Option<&mut Item> {
    let tag = Tag::standard(tag);
    items_mut(item).iter_mut().find(|inner| inner.tag == tag)
}

pub(crate) fn text(item: &Item) -> &str {
    match &item.value {
        Value::TextString(text) => text,
        other => panic!("{} is {other:?}", item.tag),
    }
}

pub(crate) fn number(item: &Item) -> u32 {
    match &item.value {
        Value::Enumeration(number) => *number,
        Value::Integer(number) => u32::try_from(*number).unwrap(),
        other => panic!("{} is {other:?}", item.tag),
    }
}

pub(crate) fn bytes(item: &Item) -> &[u8] {
    match &item.value {
        Value::ByteString(bytes) => bytes,
        other => panic!("{} is {other:?}", item.tag),
    }
}

//! Answers: what came of each operation. Whatever a server says, this ends in one
//! of them or in [`Garbled`].

use donjon_domain::ports::{StoreError, StoreErrorKind};
use donjon_http_client::one_line;
use donjon_kmip_ttlv::{DecodeError, Item, Limits, Tag, Value, decode};

use crate::{
    request::{Version, item_id},
    tag::{self, Operation, attribute, reason},
};

/// What came of one operation.
pub(crate) type Outcome = Result<Fields, Refusal>;

/// Items of a structure, in their order.
pub(crate) struct Fields(Vec<Item>);

/// The server did not do it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the KMIP server says {reason:#x}: {words}")]
pub(crate) struct Refusal {
    pub(crate) reason: u32,
    /// Short, in one line.
    words: String,
    /// Not of one operation, but of the whole message.
    pub(crate) is_of_message: bool,
}

/// This is no answer, or not one to what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Garbled {
    #[error("the answer is no TTLV")]
    Encoding(#[from] DecodeError),
    #[error("the answer has no {0}")]
    Lacks(&'static str),
    #[error("the answer is about something else: {0}")]
    Other(&'static str),
}

/// Reads an answer to a batch of these operations: one outcome each.
pub(crate) fn outcomes(
    bytes: &[u8],
    limits: &Limits,
    asked: &[Operation],
) -> Result<Vec<Outcome>, Garbled> {
    let message = decode(bytes, limits)?;
    if message.tag != tag::RESPONSE_MESSAGE {
        return Err(Garbled::Other("it is no response message"));
    }
    let mut items = Fields::of(message.value)
        .ok_or(Garbled::Lacks("structure"))?
        .0
        .into_iter();
    let header = items.next().filter(|item| item.tag == tag::RESPONSE_HEADER);
    header.ok_or(Garbled::Lacks("header"))?;
    let mut outcomes = Vec::with_capacity(asked.len());
    for (item, number) in items.zip(0_u32..) {
        if item.tag != tag::BATCH_ITEM {
            return Err(Garbled::Other("it has more than batch items"));
        }
        let item = Fields::of(item.value).ok_or(Garbled::Lacks("structure of a batch item"))?;
        let operation = item.enumeration(tag::OPERATION);
        let outcome = outcome(item, number, asked.len() > 1)?;
        let expected = asked.get(outcomes.len());
        match (&outcome, operation) {
            // A message that was not even understood is answered with one failure.
            (Err(refusal), None) => {
                let mut refusal = refusal.clone();
                refusal.is_of_message = true;
                return Ok(asked.iter().map(|_| Err(refusal.clone())).collect());
            }
            (_, operation) if operation == expected.map(|asked| asked.number()) => {}
            _ => return Err(Garbled::Other("another operation")),
        }
        outcomes.push(outcome);
    }
    if outcomes.len() == asked.len() {
        Ok(outcomes)
    } else {
        Err(Garbled::Lacks("result for each operation"))
    }
}

fn outcome(mut item: Fields, number: u32, is_many: bool) -> Result<Outcome, Garbled> {
    let status = item
        .enumeration(tag::RESULT_STATUS)
        .ok_or(Garbled::Lacks("result status"))?;
    if status != tag::SUCCESS {
        let words = item.text(tag::RESULT_MESSAGE).unwrap_or_default();
        return Ok(Err(Refusal {
            reason: item
                .enumeration(tag::RESULT_REASON)
                .unwrap_or(reason::GENERAL_FAILURE),
            words: one_line(words, WORDS_MAX),
            is_of_message: false,
        }));
    }
    let own = item_id(number);
    if is_many && item.bytes(tag::UNIQUE_BATCH_ITEM_ID) != Some(own.as_slice()) {
        return Err(Garbled::Other("another item of the batch"));
    }
    // An operation that says nothing has none.
    let payload = match item.take(tag::RESPONSE_PAYLOAD) {
        Some(payload) => Fields::of(payload).ok_or(Garbled::Lacks("payload"))?,
        None => Fields(Vec::new()),
    };
    Ok(Ok(payload))
}

impl Refusal {
    pub(crate) fn is_missing(&self) -> bool {
        self.reason == reason::ITEM_NOT_FOUND
    }

    /// An operation or a version that the server does not know.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(
            self.reason,
            reason::INVALID_MESSAGE | reason::OPERATION_NOT_SUPPORTED
        )
    }
}

impl From<Refusal> for StoreError {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.reason {
            reason::ITEM_NOT_FOUND => StoreErrorKind::Missing,
            reason::OPERATION_CANCELED | reason::GENERAL_FAILURE => StoreErrorKind::Unavailable,
            _ => StoreErrorKind::Refused,
        };
        Self::with_source(kind, refusal)
    }
}

impl From<Garbled> for StoreError {
    /// Nothing is known of what it did.
    fn from(garbled: Garbled) -> Self {
        Self::with_source(StoreErrorKind::Unavailable, garbled)
    }
}

impl Fields {
    pub(crate) fn of(value: Value) -> Option<Self> {
        match value {
            Value::Structure(items) => Some(Self(items)),
            _ => None,
        }
    }

    /// The first one with this tag.
    fn find(&self, tag: Tag) -> Option<&Value> {
        let found = self.0.iter().find(|item| item.tag == tag);
        found.map(|item| &item.value)
    }

    pub(crate) fn take(&mut self, tag: Tag) -> Option<Value> {
        let at = self.0.iter().position(|item| item.tag == tag)?;
        Some(self.0.swap_remove(at).value)
    }

    pub(crate) fn all(&self, tag: Tag) -> impl Iterator<Item = &Value> {
        let found = self.0.iter().filter(move |item| item.tag == tag);
        found.map(|item| &item.value)
    }

    pub(crate) fn text(&self, tag: Tag) -> Option<&str> {
        match self.find(tag)? {
            Value::TextString(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn enumeration(&self, tag: Tag) -> Option<u32> {
        match self.find(tag)? {
            Value::Enumeration(number) => Some(*number),
            _ => None,
        }
    }

    fn bytes(&self, tag: Tag) -> Option<&[u8]> {
        match self.find(tag)? {
            Value::ByteString(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// What DiscoverVersions found.
    pub(crate) fn versions(&self) -> impl Iterator<Item = Version> {
        self.all(tag::PROTOCOL_VERSION).filter_map(|version| {
            let items = items(version)?;
            Some(Version {
                major: number(items, tag::PROTOCOL_VERSION_MAJOR)?,
                minor: number(items, tag::PROTOCOL_VERSION_MINOR)?,
            })
        })
    }

    /// The names among the attributes that stand here.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.all(tag::ATTRIBUTE).filter_map(|item| {
            let items = items(item)?;
            let is_name = text(items, tag::ATTRIBUTE_NAME)? == attribute::NAME;
            let value = items.iter().find(|item| item.tag == tag::ATTRIBUTE_VALUE)?;
            is_name.then(|| text(self::items(&value.value)?, tag::NAME_VALUE))?
        })
    }
}

fn items(value: &Value) -> Option<&[Item]> {
    match value {
        Value::Structure(items) => Some(items),
        _ => None,
    }
}

fn text(items: &[Item], tag: Tag) -> Option<&str> {
    items.iter().find_map(|item| match &item.value {
        Value::TextString(text) if item.tag == tag => Some(text.as_str()),
        _ => None,
    })
}

fn number(items: &[Item], tag: Tag) -> Option<i32> {
    items.iter().find_map(|item| match &item.value {
        Value::Integer(number) if item.tag == tag => Some(*number),
        _ => None,
    })
}

/// Characters of a server's explanation that are kept.
const WORDS_MAX: usize = 200;

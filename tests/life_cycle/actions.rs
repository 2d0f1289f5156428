//! What can happen to secrets, and how often.

use std::ops::Range;

use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
};

use crate::support::Server;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) who: Who,
    /// Which of the secrets that were ever created; there may be none.
    pub(crate) target: Index,
    pub(crate) action: Action,
}

/// The callers. The first four are of the project `home`, the others of `away`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Owner,
    Colleague,
    Reader,
    Admin,
    Friend,
    Stranger,
    Boss,
}

impl Who {
    pub(crate) const ALL: [Self; 7] = [
        Self::Owner,
        Self::Colleague,
        Self::Reader,
        Self::Admin,
        Self::Friend,
        Self::Stranger,
        Self::Boss,
    ];

    pub(crate) fn project(self) -> &'static str {
        match self {
            Self::Owner | Self::Colleague | Self::Reader | Self::Admin => "home",
            Self::Friend | Self::Stranger | Self::Boss => "away",
        }
    }

    pub(crate) fn role(self) -> &'static str {
        match self {
            Self::Owner | Self::Colleague | Self::Stranger | Self::Friend => "member",
            Self::Reader => "reader",
            Self::Admin | Self::Boss => "admin",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Colleague => "colleague",
            Self::Reader => "reader",
            Self::Admin => "admin",
            Self::Friend => "friend",
            Self::Stranger => "stranger",
            Self::Boss => "boss",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Create(NewSecret),
    /// A body that is refused with this status.
    CreateBadly(BadBody),
    PutPayload(Payload),
    PutUntyped,
    Show(Version),
    ReadPayload(Accept),
    /// The payload by `Accept` on the secret itself.
    ReadOldWay(Accept),
    List {
        limit: u8,
        offset: u8,
        version: Version,
    },
    ListByName(u8),
    ListNewestFirst,
    ListShared,
    Delete {
        version: Version,
        force: Option<bool>,
    },
    ShowMetadata,
    PutMetadata(Vec<(Key, u8)>),
    AddMetadatum(Key, u8),
    ShowMetadatum(Key),
    ChangeMetadatum {
        in_path: Key,
        in_body: Key,
        value: u8,
    },
    RemoveMetadatum(Key),
    AddConsumer(u8),
    RemoveConsumer(u8),
    ListConsumers {
        limit: u8,
        offset: u8,
    },
    ShowAcl,
    PutAcl(AclBody),
    PatchAcl(AclBody),
    DeleteAcl,
}

#[derive(Debug, Clone)]
pub(crate) struct NewSecret {
    /// One of few names, for lists are searched by them.
    pub(crate) name: Option<u8>,
    pub(crate) secret_type: Option<&'static str>,
    pub(crate) algorithm: Option<&'static str>,
    pub(crate) mode: Option<&'static str>,
    pub(crate) bit_length: Option<u16>,
    pub(crate) expires: bool,
    pub(crate) payload: Option<Payload>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum BadBody {
    NoType,
    UnknownType,
    EmptyPayload,
    LargePayload,
    PastExpiration,
    BitsAsText,
    NotJson,
}

#[derive(Debug, Clone)]
pub(crate) struct Payload {
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Octets,
    Base64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1_0,
    V1_1,
    V1_2,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Accept {
    None,
    Any,
    Text,
    Octets,
    Html,
}

/// A key of user metadata, some in another letter case.
pub(crate) type Key = &'static str;

#[derive(Debug, Clone)]
pub(crate) struct AclBody {
    pub(crate) project_access: Option<bool>,
    pub(crate) users: Option<Vec<Who>>,
}

/// A stop of the server between two steps.
#[derive(Debug, Clone)]
pub(crate) struct Interruption {
    place: Index,
    is_kill: bool,
}

impl Interruption {
    pub(crate) fn comes_at(&self, step: usize, steps: usize) -> bool {
        self.place.index(steps) == step
    }

    pub(crate) fn pass(&self, server: Server) -> Server {
        let launch = if self.is_kill {
            server.kill()
        } else {
            server.stop()
        };
        launch.start()
    }
}

// === strategies ===

pub(crate) fn steps(count: Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    let step = (who(), any::<Index>(), action());
    let step = step.prop_map(|(who, target, action)| Step {
        who,
        target,
        action,
    });
    vec(step, count)
}

pub(crate) fn interruptions() -> impl Strategy<Value = Vec<Interruption>> {
    let one = (any::<Index>(), any::<bool>());
    vec(
        one.prop_map(|(place, is_kill)| Interruption { place, is_kill }),
        1..4,
    )
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        8 => Just(Who::Owner),
        4 => Just(Who::Colleague),
        2 => Just(Who::Admin),
        3 => Just(Who::Friend),
        1 => Just(Who::Reader),
        1 => Just(Who::Stranger),
        1 => Just(Who::Boss),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => new_secret().prop_map(Action::Create),
        2 => bad_body().prop_map(Action::CreateBadly),
        8 => payload().prop_map(Action::PutPayload),
        1 => Just(Action::PutUntyped),
        5 => version().prop_map(Action::Show),
        6 => accept().prop_map(Action::ReadPayload),
        3 => accept().prop_map(Action::ReadOldWay),
        5 => (0_u8..8, 0_u8..8, version())
            .prop_map(|(limit, offset, version)| Action::List { limit, offset, version }),
        2 => (0_u8..3).prop_map(Action::ListByName),
        1 => Just(Action::ListNewestFirst),
        2 => Just(Action::ListShared),
        6 => (version(), option::of(any::<bool>()))
            .prop_map(|(version, force)| Action::Delete { version, force }),
        2 => Just(Action::ShowMetadata),
        3 => vec((key(), 0_u8..9), 0..3).prop_map(Action::PutMetadata),
        5 => (key(), 0_u8..9).prop_map(|(key, value)| Action::AddMetadatum(key, value)),
        2 => key().prop_map(Action::ShowMetadatum),
        4 => (key(), key(), 0_u8..9).prop_map(|(in_path, in_body, value)| {
            Action::ChangeMetadatum { in_path, in_body, value }
        }),
        3 => key().prop_map(Action::RemoveMetadatum),
        7 => (0_u8..4).prop_map(Action::AddConsumer),
        5 => (0_u8..4).prop_map(Action::RemoveConsumer),
        3 => (0_u8..4, 0_u8..4)
            .prop_map(|(limit, offset)| Action::ListConsumers { limit, offset }),
        3 => Just(Action::ShowAcl),
        5 => acl_body().prop_map(Action::PutAcl),
        4 => acl_body().prop_map(Action::PatchAcl),
        2 => Just(Action::DeleteAcl),
    ]
}

fn new_secret() -> impl Strategy<Value = NewSecret> {
    const TYPES: [&str; 6] = [
        "symmetric",
        "passphrase",
        "private",
        "public",
        "certificate",
        "opaque",
    ];
    (
        option::of(0_u8..3),
        option::of(select(&TYPES[..])),
        option::of(select(&["aes", "RSA", "any text"][..])),
        option::of(select(&["cbc", ""][..])),
        option::of(1_u16..=32_767),
        any::<bool>(),
        option::of(payload()),
    )
        .prop_map(
            |(name, secret_type, algorithm, mode, bit_length, expires, payload)| NewSecret {
                name,
                secret_type,
                algorithm,
                mode,
                bit_length,
                expires,
                payload: payload.and_then(Payload::for_creation),
            },
        )
}

fn bad_body() -> impl Strategy<Value = BadBody> {
    select(
        &[
            BadBody::NoType,
            BadBody::UnknownType,
            BadBody::EmptyPayload,
            BadBody::LargePayload,
            BadBody::PastExpiration,
            BadBody::BitsAsText,
            BadBody::NotJson,
        ][..],
    )
}

fn payload() -> impl Strategy<Value = Payload> {
    let kind = select(&[Kind::Text, Kind::Octets, Kind::Base64][..]);
    let size = prop_oneof![
        8 => 0_usize..100,
        1 => select(&[63_usize, 64, 65, 4_096, 15_000, 20_000, 20_001][..]),
    ];
    (kind, size, any::<u8>()).prop_map(|(kind, size, first)| {
        let bytes = (0..=250_u8).cycle().take(size);
        let bytes = bytes.map(|byte| first.wrapping_add(byte));
        let bytes = match kind {
            // Letters and digits, so that a text is one, and loses nothing at its ends.
            Kind::Text => bytes.map(|byte| b'0' + byte % 10).collect(),
            Kind::Octets | Kind::Base64 => bytes.collect(),
        };
        Payload { kind, bytes }
    })
}

fn version() -> impl Strategy<Value = Version> {
    select(&[Version::V1_0, Version::V1_1, Version::V1_2][..])
}

fn accept() -> impl Strategy<Value = Accept> {
    select(
        &[
            Accept::None,
            Accept::Any,
            Accept::Text,
            Accept::Octets,
            Accept::Html,
        ][..],
    )
}

fn key() -> impl Strategy<Value = Key> {
    select(&["a", "b", "B", "key-1", "Key-1"][..])
}

fn acl_body() -> impl Strategy<Value = AclBody> {
    let users = vec(select(&Who::ALL[..]), 0..3);
    (option::of(any::<bool>()), option::of(users)).prop_map(|(project_access, users)| AclBody {
        project_access,
        users,
    })
}

// === impl Payload ===

impl Payload {
    /// The same payload as the body of a creation can have it: in JSON there are texts and base64, and no sizes that
    /// are refused.
    fn for_creation(mut self) -> Option<Self> {
        if self.kind == Kind::Octets {
            self.kind = Kind::Base64;
        }
        // Base64 counts as it is sent.
        let is_good = !self.bytes.is_empty() && self.bytes.len() <= 15_000;
        is_good.then_some(self)
    }

    pub(crate) fn content_type(&self) -> &'static str {
        match self.kind {
            Kind::Text => "text/plain",
            Kind::Octets | Kind::Base64 => "application/octet-stream",
        }
    }
}

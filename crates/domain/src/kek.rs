//! Key encryption keys (KEKs) and sealed data, as plain bytes that only a
//! crypto plugin can open. Nothing here is secret by itself.

use crate::{DeploymentId, KekId, ProjectId, RootKeyId, Timestamp};

/// What a KEK is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KekScope {
    /// Seals the payloads of one project.
    Project(ProjectId),
    /// One of the server's own keys.
    Server(ServerKey),
}

/// Keys that belong to the server as a whole. They are random and wrapped like
/// project KEKs, so that a change of the root key leaves them valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerKey {
    /// Hashes locally issued tokens.
    TokenHash,
}

impl KekScope {
    /// The bytes that stand for it wherever something is bound to it: `p:` and
    /// the project, or `s:` and the name of the server's key. No project can be
    /// called like a key of the server.
    #[must_use]
    pub fn to_binding_bytes(&self) -> Vec<u8> {
        match self {
            Self::Project(project) => [b"p:", project.as_str().as_bytes()].concat(),
            Self::Server(ServerKey::TokenHash) => b"s:token-hash".to_vec(),
        }
    }
}

/// Where a KEK is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KekState {
    /// Seals and opens.
    Active,
    /// Opens only, until all that it seals is sealed anew.
    Retired,
    /// Nobody has it any more. The row stays, without wrapped bytes and root
    /// key, so that nothing can be stored under it.
    Destroyed,
}

/// A KEK, wrapped by a root key: safe to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKek {
    /// Its id.
    pub id: KekId,
    /// What it is for.
    pub scope: KekScope,
    /// Counts from 1 within its scope.
    pub generation: u32,
    /// Where it is in its life.
    pub state: KekState,
    /// The root key that wraps it.
    pub root: RootKeyId,
    /// The wrapped key, as the wrapper of that root key makes it.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created: Timestamp,
}

/// What a root key wraps, which is what it is bound to: moved to another place
/// it does not unwrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrapBinding<'a> {
    /// The known text that tells at start whether the root key is the right one.
    Canary(DeploymentId),
    /// A KEK.
    Kek {
        /// The installation that it belongs to.
        deployment: DeploymentId,
        /// Its id.
        id: KekId,
        /// What it is for.
        scope: &'a KekScope,
        /// Counts from 1 within its scope.
        generation: u32,
    },
}

impl WrapBinding<'_> {
    /// What a wrapped key is authenticated with. Different bindings have
    /// different bytes: the only field of varying length stands at the end.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Canary(deployment) => [b"c", &deployment.as_bytes()[..]].concat(),
            Self::Kek {
                deployment,
                id,
                scope,
                generation,
            } => [
                b"k",
                &deployment.as_bytes()[..],
                id.as_bytes(),
                &generation.to_be_bytes(),
                &scope.to_binding_bytes(),
            ]
            .concat(),
        }
    }
}

/// What stands in an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SealedKind {
    /// The payload of a secret.
    Payload,
    /// Where the payload of a secret is, outside of the database.
    Locator,
    /// The passphrase of an order that is not carried out yet.
    Passphrase,
}

/// What an envelope is bound to: a row moved to another place does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The project that owns the row.
    pub project: &'a ProjectId,
    /// The id of the row: of the secret, or of the order.
    pub object: [u8; 16],
    /// What is sealed.
    pub kind: SealedKind,
    /// Counts from 1; a payload is written once today.
    pub version: u32,
}

/// Sealed bytes and the KEK that opens them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The KEK.
    pub kek: KekId,
    /// The envelope.
    pub envelope: Vec<u8>,
}

/// The row that says which installation a database belongs to, and with which
/// root key it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The installation.
    pub id: DeploymentId,
    /// The root key in use.
    pub root: RootKeyId,
    /// A known text, wrapped; opens with the right root key only.
    pub canary: Vec<u8>,
    /// When the root key was taken into use: when the database was made, or
    /// moved to it.
    pub created: Timestamp,
}

//! Fakes of every port, and the tests that every implementation of a port has
//! to pass.
//!
//! May import: `donjon-domain` alone. Deliberately absent: any runtime (see
//! [`block_on()`]), files, sockets, real cryptography, real time. A development
//! dependency only: nothing here belongs into a server.
#![doc = include_str!("../README.md")]

mod authenticator;
mod block_on;
mod clock;
mod crypto;
mod directory;
mod entropy;
mod key_generator;
mod key_source;
mod key_wrapper;
mod memory;
mod payload_store;
mod workers;

pub mod contract;
pub mod sample;

pub use authenticator::FakeAuthenticator;
pub use block_on::block_on;
pub use clock::FixedClock;
pub use crypto::FakeCrypto;
pub use directory::FakeDirectory;
pub use entropy::SeededEntropy;
pub use key_generator::FakeKeyGenerator;
pub use key_source::FakeKeySource;
pub use key_wrapper::FakeKeyWrapper;
pub use memory::MemoryRepository;
pub use payload_store::FakePayloadStore;
pub use workers::FakeWorkers;
